//! Writes what the switches report to the TDB.
//!
//! Events come from the JetStream stream through a durable consumer and are acknowledged once they
//! are committed. They may come again, and out of order: the TDB stores each once, and an event
//! whose predecessors are missing is handed back for a while.

mod confirm;

use crate::app::App;
use crate::bus::stream;
use crate::tdb::{Applied, OutOfOrder, TdbError, TrunkNews, TrunksOf};
use crate::trunk::Breaker;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::{self, AckKind, Message};
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use iradialer_core::call::{CallState, Direction};
use iradialer_core::subject;
use iradialer_core::value::ClusterName;
use iradialer_core::wire::{self, EventBody, SwitchEvent};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The durable consumer's name.
pub(crate) const CONSUMER: &str = "collector";
/// How many events are applied at once; they share commits.
const MAX_AT_ONCE: usize = 256;
/// How long the server waits for an acknowledgement before it sends an event again. What a collector
/// that was killed had fetched comes again after this time. Storing takes ms, and twice is harmless.
const ACK_WAIT: Duration = Duration::from_secs(2);
/// How long an event whose predecessors are missing is handed back for: longer with each time, up to the
/// second.
const EARLY_DELAY: Duration = Duration::from_millis(200);
const MOST_EARLY_DELAY: Duration = Duration::from_secs(5);
/// How often it is handed back before it is stored all the same: in five minutes. The switch publishes its
/// predecessors until they are stored, so they come, however bad its connection is; they are lost only with
/// its journal, and then their call has ended as unknown long before.
const MAX_EARLY: i64 = 72;
/// The most events that may be handed back at a time, with those that are being stored.
const MAX_ACK_PENDING: i64 = 65_536;
/// How long to wait after a fault of the database or the bus.
const FAULT_DELAY: Duration = Duration::from_secs(1);

/// Collects until `stop`, and then ends what is under way. Where the bus is away this waits for it.
pub async fn run(app: App, client: async_nats::Client, stop: CancellationToken) {
    let confirming = confirm::run(app.clone(), client.clone(), stop.clone());
    tokio::join!(collect_all(app, client, stop), confirming);
}

async fn collect_all(app: App, client: async_nats::Client, stop: CancellationToken) {
    let trunks_of = trunks_of(&app);
    let context = jetstream::new(client);
    let mut told = false;
    while !stop.is_cancelled() {
        let opened = tokio::select! {
            opened = open(&context, &app.config.cluster) => opened,
            () = stop.cancelled() => return,
        };
        let ended = match opened {
            Ok(messages) => {
                told = false;
                tracing::info!("collecting events");
                pump(&app, &trunks_of, messages, &stop).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = ended
            && !std::mem::replace(&mut told, true)
        {
            tracing::warn!(%error, "events can't be collected, trying again until they can");
        }
        tokio::select! {
            () = sleep(FAULT_DELAY) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Why collecting was interrupted.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error("the event stream: {0}")]
    Stream(#[from] jetstream::context::CreateStreamError),
    #[error("the collector's consumer: {0}")]
    Consumer(#[from] jetstream::stream::ConsumerError),
    #[error("the collector's consumer: {0}")]
    Subscribe(#[from] jetstream::consumer::StreamError),
    #[error("the collector's consumer: {0}")]
    Pull(#[from] pull::MessagesError),
}

async fn open(
    context: &jetstream::Context,
    cluster: &ClusterName,
) -> Result<pull::Stream, Interrupted> {
    let consumer = durable_consumer(context, cluster).await?;
    let messages = consumer
        .stream()
        .max_messages_per_batch(MAX_AT_ONCE)
        .messages()
        .await?;
    Ok(messages)
}

/// The trunks of a campaign, as they are when it is asked.
fn trunks_of(app: &App) -> TrunksOf {
    let catalogues = app.catalogues.clone();
    Arc::new(move |tenant, campaign| {
        let catalogue = catalogues.now();
        let campaign = catalogue.campaign(tenant, campaign);
        campaign.map_or_else(Vec::new, |campaign| campaign.trunks.clone())
    })
}

async fn pump(
    app: &App,
    trunks_of: &TrunksOf,
    mut messages: pull::Stream,
    stop: &CancellationToken,
) -> Result<(), Interrupted> {
    let mut under_way = FuturesOrdered::new();
    while !(stop.is_cancelled() && under_way.is_empty()) {
        let room = under_way.len() < MAX_AT_ONCE && !stop.is_cancelled();
        tokio::select! {
            biased;
            Some(()) = under_way.next() => {}
            message = messages.next(), if room => match message {
                // Begun in the order they came: the TDB applies them in the order they are begun.
                Some(message) => under_way.push_back(collect(app, trunks_of, message?)),
                None => return Ok(()),
            },
            () = stop.cancelled(), if !stop.is_cancelled() => {}
        }
    }
    Ok(())
}

async fn durable_consumer(
    context: &jetstream::Context,
    cluster: &ClusterName,
) -> Result<PullConsumer, Interrupted> {
    let stream = stream::ensure(context, cluster).await?;
    let config = pull::Config {
        durable_name: Some(CONSUMER.to_owned()),
        description: Some("Writes events to the TDB".to_owned()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_ack_pending: MAX_ACK_PENDING,
        ..pull::Config::default()
    };
    // Also brings one that an earlier version made up to date.
    Ok(stream.create_consumer(config).await?)
}

/// What to tell the stream about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It is stored.
    Done,
    /// It can't be stored, now or ever.
    Never,
    /// Not now.
    Later(Duration),
}

async fn collect(app: &App, trunks_of: &TrunksOf, message: Message) {
    let kind = match judge(app, trunks_of, &message).await {
        Verdict::Done => AckKind::Ack,
        Verdict::Never => AckKind::Term,
        Verdict::Later(delay) => AckKind::Nak(Some(delay)),
    };
    iradialer_core::failpoint::hit("collector.ack.before");
    // A lost acknowledgement brings the event again, and it is known then.
    if let Err(error) = message.ack_with(kind).await {
        tracing::debug!(%error, "an event could not be acknowledged");
    }
    iradialer_core::failpoint::hit("collector.ack.after");
}

async fn judge(app: &App, trunks_of: &TrunksOf, message: &Message) -> Verdict {
    let event = match read_event(&message.payload)
        .and_then(|event| check_sender(&app.config.cluster, &message.subject, event))
    {
        Ok(event) => event,
        Err(error) => {
            tracing::error!(subject = %message.subject, error, "an event that can't be read was dropped");
            return Verdict::Never;
        }
    };
    let deliveries = message.info().map_or(1, |info| info.delivered);
    let out_of_order = if deliveries > MAX_EARLY {
        OutOfOrder::Store
    } else {
        OutOfOrder::Hold
    };
    let call = event.call_uuid;
    let event_url = event_url_of(app, &event);
    let now_ms = app.clock.now_ms();
    match app
        .tdb
        .apply_event_told(event, out_of_order, trunks_of, event_url, now_ms)
        .await
    {
        Ok(applied) => {
            wake(app, &applied);
            verdict(&applied, deliveries)
        }
        Err(TdbError::Stopped) => Verdict::Later(FAULT_DELAY),
        Err(error) => {
            tracing::error!(%call, %error, "an event could not be stored, it will come again");
            Verdict::Later(FAULT_DELAY)
        }
    }
}

/// Where the events of a call that came in go: to its campaign's.
fn event_url_of(app: &App, event: &SwitchEvent) -> Option<String> {
    let EventBody::Started {
        direction: Direction::Inbound,
        campaign_name: Some(campaign),
        ..
    } = &event.body
    else {
        return None;
    };
    let catalogue = app.catalogue();
    let campaign = catalogue.campaign(&event.tenant_id, campaign)?;
    campaign.event_url.clone()
}

fn read_event(payload: &[u8]) -> Result<SwitchEvent, String> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        v: u16,
    }
    let Versioned { v } = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    if v != wire::VERSION {
        return Err(format!("v: expected {}, got {v}", wire::VERSION));
    }
    serde_json::from_slice(payload).map_err(|error| error.to_string())
}

/// NATS lets a switch publish on its own subjects only: an event that names another switch is forged.
fn check_sender(
    cluster: &ClusterName,
    subject: &str,
    event: SwitchEvent,
) -> Result<SwitchEvent, String> {
    let own = subject::events(cluster, &event.node_id, &event.tenant_id, &event.call_uuid);
    match own == subject {
        true => Ok(event),
        false => Err(format!("it belongs to {own}")),
    }
}

fn wake(app: &App, applied: &Applied) {
    if let Applied::Stored {
        state,
        ended,
        webhook,
        trunk,
        ..
    } = applied
    {
        if let Some(news) = trunk {
            tell(news, app.clock.now_ms());
        }
        if *webhook {
            app.wake.dispatcher.notify_one();
        }
        if *ended || *state == CallState::Queued || trunk.is_some() {
            app.wake.router.notify_one();
        }
    }
}

/// Says in the log what a person may have to do something about.
fn tell(news: &TrunkNews, now_ms: u64) {
    let (trunk, before, after) = (news.trunk.as_str(), &news.before, &news.after);
    let answer = after.breaker_reason.as_deref().unwrap_or("");
    let open_ms = after.breaker_until_ms.saturating_sub(now_ms);
    match (before.breaker, after.breaker) {
        (_, Breaker::Open) if after.failures != before.failures => tracing::error!(
            trunk,
            answer,
            open_ms,
            "A TRUNK DOES NOT PLACE CALLS: its breaker is open"
        ),
        (Breaker::HalfOpen, Breaker::Closed) => {
            tracing::info!(trunk, "a trunk places calls again: its breaker is closed");
        }
        _ => {}
    }
    if before.learned != after.learned {
        let cps = after.learned_cps(now_ms);
        tracing::warn!(
            trunk,
            cps,
            "a carrier takes fewer calls a second than it was given"
        );
    }
    if after.wait_until_ms > before.wait_until_ms {
        tracing::warn!(trunk, "a carrier has no room for more calls at once");
    }
}

fn verdict(applied: &Applied, deliveries: i64) -> Verdict {
    match applied {
        Applied::Stored { .. } | Applied::Duplicate => Verdict::Done,
        Applied::Early { .. } => Verdict::Later(early_delay(deliveries)),
    }
}

fn early_delay(deliveries: i64) -> Duration {
    let times = u32::try_from(deliveries).unwrap_or(u32::MAX);
    EARLY_DELAY.saturating_mul(times).min(MOST_EARLY_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_its_time_is_held_for_five_minutes() {
        let held: Duration = (1..=MAX_EARLY).map(early_delay).sum();
        assert_eq!(held.as_secs() / 60, 5, "{held:?}");
        assert_eq!(early_delay(1), EARLY_DELAY);
        assert_eq!(early_delay(i64::MAX), MOST_EARLY_DELAY);
    }

    #[test]
    fn an_event_of_another_version_is_refused_by_its_version() {
        let error = read_event(br#"{"v":7,"anything":"else"}"#).unwrap_err();
        assert_eq!(error, "v: expected 1, got 7");
        assert!(read_event(b"\xff").is_err());
        assert!(read_event(br#"{"v":1}"#).unwrap_err().contains("call_uuid"));
    }

    #[test]
    fn an_event_is_taken_from_its_own_switch_only() {
        let event = read_event(
            br#"{"v":1,"call_uuid":"018f0000-0000-7000-8000-000000000001","attempt":1,
                "attempt_id":"018f0000-0000-7000-8000-000000000002","seq":1,"tenant_id":"acme",
                "node_id":"sw1","incarnation":"018f0000-0000-7000-8000-000000000003",
                "at_ms":1,"event":"ringing","data":{"early_media":false,"after_ms":1}}"#,
        )
        .unwrap();
        let cluster = ClusterName::parse("cluster", "ira").unwrap();
        let of = |node: &str| format!("ira.events.{node}.acme.{}", event.call_uuid);
        assert!(check_sender(&cluster, &of("sw1"), event.clone()).is_ok());
        let error = check_sender(&cluster, &of("sw2"), event.clone()).unwrap_err();
        assert_eq!(error, format!("it belongs to {}", of("sw1")));
    }
}
