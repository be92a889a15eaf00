//! Events to the event stream: each until it is acknowledged, those of one attempt in their order.

use crate::engine::Engine;
use crate::host::Level;
use crate::outbox::{Deliveries, Outgoing};
use async_nats::jetstream::Context;
use async_nats::{Client, HeaderMap, jetstream};
use futures::stream::{FuturesUnordered, StreamExt};
use iradialer_core::subject;
use iradialer_core::value::{CallUuid, ClusterName};
use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Attempts with an event under way at once.
const LANES: usize = 512;
/// How long the server has to acknowledge an event.
const ACK_WAIT: Duration = Duration::from_secs(3);
/// Events are taken this long apart at the least, so that those of several calls share the work of
/// waking up, writing and reading; that is a tenth of what it costs the switch to report a call.
const GATHER: Duration = Duration::from_millis(10);
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MOST: Duration = Duration::from_secs(3);

/// Delivers events until the link ends.
pub async fn deliver(engine: &Engine, client: &Client, mut deliveries: Deliveries) {
    let cluster = engine.config().cluster;
    let mut context = jetstream::new(client.clone());
    context.set_timeout(ACK_WAIT);
    // An attempt's lane holds its events in order, the first of them under way.
    let mut lanes: HashMap<CallUuid, VecDeque<Outgoing>> = HashMap::new();
    let mut under_way = FuturesUnordered::new();
    let mut events = Vec::new();
    let mut gathering = pin!(sleep(Duration::ZERO));
    let mut gathered = true;
    loop {
        tokio::select! {
            Some(attempt) = under_way.next() => {
                deliveries.delivered();
                if let Some(lane) = lanes.get_mut(&attempt) {
                    lane.pop_front();
                    match lane.front() {
                        Some(next) => under_way.push(deliver_one(engine, &context, &cluster, next.clone())),
                        None => drop(lanes.remove(&attempt)),
                    }
                }
            }
            () = &mut gathering, if !gathered => gathered = true,
            more = deliveries.next_few(&mut events), if gathered && lanes.len() < LANES => {
                if !more {
                    return;
                }
                gathered = false;
                gathering.as_mut().reset(Instant::now() + GATHER);
                for event in events.drain(..) {
                    let lane = lanes.entry(event.event.attempt_id).or_default();
                    lane.push_back(event.clone());
                    if lane.len() == 1 {
                        under_way.push(deliver_one(engine, &context, &cluster, event));
                    }
                }
            }
        }
    }
}

/// Publishes one event until the stream has it, and returns its attempt.
async fn deliver_one(
    engine: &Engine,
    context: &Context,
    cluster: &ClusterName,
    outgoing: Outgoing,
) -> CallUuid {
    let event = &*outgoing.event;
    let subject = subject::events(cluster, &event.node_id, &event.tenant_id, &event.call_uuid);
    let payload = bytes::Bytes::from(serde_json::to_vec(event).unwrap_or_default());
    let mut wait = RETRY_FIRST;
    loop {
        let mut headers = HeaderMap::new();
        let mut id = format!("{}.{}", event.attempt_id, event.seq);
        if outgoing.again > 0 {
            id = format!("{id}.{}", outgoing.again);
        }
        headers.insert("Nats-Msg-Id", id);
        iradialer_core::failpoint::hit("module.publish.before");
        let error = match context
            .publish_with_headers(subject.clone(), headers, payload.clone())
            .await
        {
            Ok(ack) => match ack.await {
                Ok(_) => {
                    iradialer_core::failpoint::hit("module.publish.after");
                    return event.attempt_id;
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        if wait == RETRY_FIRST {
            let line = format!(
                "call {}: event {} is not in the stream yet: {error}",
                event.call_uuid, event.seq
            );
            engine.host.log(Level::Warning, &line);
        }
        sleep(wait).await;
        wait = (wait * 2).min(RETRY_MOST);
    }
}
