//! Events to the event stream.
//!
//! What waits is published in one go and in its order, and only the last of it asks for an
//! acknowledgement: the server takes in what one connection publishes in the order it came, so the last
//! one stands for all, unless the connection broke meanwhile. An acknowledgement for each event would
//! cost the switch as much as publishing them. An event that is lost all the same is missed by the
//! collector, and published again when the call has ended.

use super::LinkStatus;
use crate::engine::Engine;
use crate::host::Level;
use crate::outbox::{Deliveries, Outgoing};
use async_nats::jetstream::Context;
use async_nats::{Client, HeaderMap, Subject, jetstream};
use bytes::Bytes;
use iradialer_core::subject;
use iradialer_core::value::ClusterName;
use iradialer_core::wire::MAX_EVENT_BYTES;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// How long the server has to acknowledge.
const ACK_WAIT: Duration = Duration::from_secs(3);
/// Events are taken this long apart at the least, so that those of several calls share the work of
/// waking up, writing and reading; that is a tenth of what it costs the switch to report a call.
const GATHER: Duration = Duration::from_millis(20);
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MOST: Duration = Duration::from_secs(3);

/// Delivers events until the link ends.
pub async fn deliver(
    engine: &Engine,
    client: &Client,
    status: &LinkStatus,
    mut deliveries: Deliveries,
) {
    let mut context = jetstream::new(client.clone());
    context.set_timeout(ACK_WAIT);
    let stream = Stream {
        engine,
        client,
        context,
        status,
        cluster: engine.config().cluster,
    };
    let mut events = Vec::new();
    while deliveries.next_few(&mut events).await {
        let again = Instant::now() + GATHER;
        stream.deliver(&events).await;
        deliveries.delivered(events.len());
        events.clear();
        sleep_until(again).await;
    }
}

/// Subject, headers, payload.
type Message = (Subject, HeaderMap, Bytes);

struct Stream<'a> {
    engine: &'a Engine,
    client: &'a Client,
    context: Context,
    status: &'a LinkStatus,
    cluster: ClusterName,
}

impl Stream<'_> {
    /// Publishes until the stream has them all.
    async fn deliver(&self, events: &[Outgoing]) {
        let messages: Vec<_> = events.iter().filter_map(|it| self.message(it)).collect();
        let mut wait = RETRY_FIRST;
        while let Err(why) = self.publish(&messages).await {
            if wait == RETRY_FIRST {
                let count = messages.len();
                let line = format!("{count} events may not be in the stream yet: {why}");
                self.engine.host.log(Level::Warning, &line);
            }
            sleep(wait).await;
            wait = (wait * 2).min(RETRY_MOST);
        }
    }

    async fn publish(&self, messages: &[Message]) -> Result<(), String> {
        let Some((last, before)) = messages.split_last() else {
            return Ok(());
        };
        let reconnects = self.status.reconnects();
        for (subject, headers, payload) in before.iter().cloned() {
            iradialer_core::failpoint::hit("module.publish.before");
            let published = self.client.publish_with_headers(subject, headers, payload);
            published.await.map_err(|error| error.to_string())?;
        }
        let (subject, headers, payload) = last.clone();
        iradialer_core::failpoint::hit("module.publish.before");
        let published = self.context.publish_with_headers(subject, headers, payload);
        let acknowledged = published.await.map_err(|error| error.to_string())?.await;
        iradialer_core::failpoint::hit("module.publish.after");
        acknowledged.map_err(|error| error.to_string())?;
        match self.status.reconnects() == reconnects {
            true => Ok(()),
            false => Err("the connection broke".into()),
        }
    }

    /// What is published of an event; nothing where the stream would not take it.
    fn message(&self, outgoing: &Outgoing) -> Option<Message> {
        let event = &*outgoing.event;
        // The types written here have only string keys and finite numbers, which JSON can always hold.
        let payload = serde_json::to_vec(event).unwrap_or_default();
        if payload.len() > MAX_EVENT_BYTES {
            let line = format!(
                "call {}: event {} has {} bytes, and the stream takes {MAX_EVENT_BYTES}; it stays in the journal",
                event.call_uuid,
                event.seq,
                payload.len()
            );
            self.engine.host.log(Level::Error, &line);
            return None;
        }
        let subject = subject::events(
            &self.cluster,
            &event.node_id,
            &event.tenant_id,
            &event.call_uuid,
        );
        let mut id = format!("{}.{}", event.attempt_id, event.seq);
        if outgoing.again > 0 {
            id = format!("{id}.{}", outgoing.again);
        }
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", id);
        Some((subject.into(), headers, payload.into()))
    }
}
