//! The bus: there, ours, with JetStream, and with somebody on it.

use super::{Finding, Heard};
use crate::bus::link;
use crate::clock::Clock;
use crate::config::{Config, NatsConfig};
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::{Client, ConnectErrorKind, jetstream};
use futures::StreamExt;
use iradialer_core::subject;
use iradialer_core::value::NodeId;
use iradialer_core::wire::{self, Heartbeat};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

const CHECK: &str = "nats";
/// Switches say each second that they live.
const LISTEN: Duration = Duration::from_millis(2_500);
/// How long NATS may take for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// So many events that no collector has taken yet are too many.
const MANY_EVENTS: u64 = 10_000;

/// What was found, and the switches that were heard; none where there is no way to hear any.
pub(super) async fn look(
    config: &Config,
    link: Option<NatsConfig>,
) -> (Vec<Finding>, Option<Vec<Heard>>) {
    let Some(link) = link else {
        let found = "no gateway with --dev has made its nats-server here yet";
        return (vec![Finding::skipped(CHECK, found)], None);
    };
    let client = match connect(&link).await {
        Ok(client) => client,
        Err(finding) => return (vec![finding], None),
    };
    let mut findings = vec![Finding::ok(CHECK, format!("{} takes us", link.url))];
    findings.extend(max_payload(&client));
    findings.push(event_stream(config, &client).await);
    let heard = listen(config, &client).await;
    (findings, Some(heard))
}

async fn connect(nats: &NatsConfig) -> Result<Client, Finding> {
    let connected = timeout(
        PATIENCE,
        link::connect_once(nats, "iradialer-gateway doctor"),
    )
    .await;
    let url = &nats.url;
    let is_away = |why: String| {
        let found = format!("nothing answers as NATS at {url}: {why}");
        let mend = "start nats-server there, or set nats.url; see that no firewall is in between";
        Finding::fault(CHECK, found, mend)
    };
    let error = match connected {
        Ok(Ok(client)) => return Ok(client),
        Ok(Err(error)) => error,
        Err(_) => return Err(is_away("no answer within 3 s".to_owned())),
    };
    Err(match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            let found = format!("NATS at {url} refuses the user \"{}\"", nats.user);
            let mend = "set nats.user and nats.password to the gateway's user; `iradialer-gateway \
                nats-config` makes one (docs/nats.md)";
            Finding::fault(CHECK, found, mend)
        }
        ConnectErrorKind::Tls => {
            let found = format!("TLS with NATS at {url} fails: {error}");
            let mend = "have its certificate signed by an authority this machine trusts, for the name in \
                nats.url";
            Finding::fault(CHECK, found, mend)
        }
        ConnectErrorKind::ServerParse => {
            let mend = "set nats.url to nats://HOST:PORT or tls://HOST:PORT";
            Finding::fault(CHECK, format!("nats.url is none: {url}"), mend)
        }
        _ => is_away(error.to_string()),
    })
}

/// What an event needs at the most.
fn max_payload(client: &Client) -> Option<Finding> {
    let limit = client.server_info().max_payload;
    (limit < wire::MAX_EVENT_BYTES).then(|| {
        let found = format!("NATS takes messages of up to {limit} bytes");
        let mend = format!("set max_payload to {} at the least", wire::MAX_EVENT_BYTES);
        Finding::fault(CHECK, found, mend)
    })
}

async fn event_stream(config: &Config, client: &Client) -> Finding {
    let context = jetstream::new(client.clone());
    let name = subject::event_stream(&config.cluster);
    let mut stream = match timeout(PATIENCE, context.get_stream(&name)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if is_missing(&error) => {
            let found = format!("there is no stream {name} yet");
            return Finding::warning(CHECK, found, "start a gateway with the role collector");
        }
        refused => {
            let why = match refused {
                Ok(Err(error)) => error.to_string(),
                _ => "no answer".to_owned(),
            };
            let found = format!("JetStream does not answer: {why}");
            let mend = "enable it in nats-server.conf (jetstream { store_dir: … }), and let the gateway's \
                user use it (docs/nats.md)";
            return Finding::fault(CHECK, found, mend);
        }
    };
    let kept = stream.info().await.map_or(0, |info| info.state.messages);
    let waiting = waiting(&stream).await;
    let found = format!("the stream {name} keeps {kept} events, {waiting} not collected yet");
    match waiting > MANY_EVENTS {
        true => {
            let mend = "see that a gateway with the role collector runs and that its TDB keeps up";
            Finding::warning(CHECK, found, mend)
        }
        false => Finding::ok(CHECK, found),
    }
}

fn is_missing(error: &jetstream::context::GetStreamError) -> bool {
    match error.kind() {
        GetStreamErrorKind::JetStream(error) => {
            error.error_code() == jetstream::ErrorCode::STREAM_NOT_FOUND
        }
        _ => false,
    }
}

/// How many events its consumer has not been given.
async fn waiting(stream: &jetstream::stream::Stream) -> u64 {
    let mut consumers = stream.consumers();
    let mut most = 0;
    while let Ok(Some(Ok(consumer))) = timeout(PATIENCE, consumers.next()).await {
        most = most.max(consumer.num_pending);
    }
    most
}

/// The last heartbeat of each switch.
async fn listen(config: &Config, client: &Client) -> Vec<Heard> {
    let subject = subject::all_switch_heartbeats(&config.cluster);
    let Ok(mut heartbeats) = client.subscribe(subject).await else {
        return Vec::new();
    };
    let deadline = Instant::now() + LISTEN;
    let mut heard: BTreeMap<NodeId, Heard> = BTreeMap::new();
    while let Ok(Some(message)) = timeout_at(deadline, heartbeats.next()).await {
        if let Ok(heartbeat) = serde_json::from_slice::<Heartbeat>(&message.payload) {
            let at_ms = Clock::system().now_ms();
            let node = heartbeat.node_id.clone();
            heard.insert(node, Heard { heartbeat, at_ms });
        }
    }
    heard.into_values().collect()
}
