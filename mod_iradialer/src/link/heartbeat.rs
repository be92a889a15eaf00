//! The sign of life: each second, and at once when the state changes.

use crate::admission::Closed;
use crate::engine::Engine;
use crate::host::Level;
use crate::link::LinkStatus;
use async_nats::{Client, Subscriber};
use futures::StreamExt;
use iradialer_core::subject;
use iradialer_core::wire::{self, Heartbeat, SwitchState};
use std::time::Duration;
use tokio::sync::Notify;

const EVERY: Duration = Duration::from_secs(1);
/// A second switch of this name that was silent for so long is gone.
const TWIN_GONE: Duration = Duration::from_secs(5);

/// Beats until the link ends. `now` asks for one at once; `last` is told when the one that says
/// "leaving" has been handed to the server.
pub async fn beat(engine: &Engine, client: &Client, now: &Notify, last: &Notify) {
    let config = engine.config();
    let subject = subject::switch_heartbeat(&config.cluster, &config.node_id);
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = now.notified() => {}
        }
        let heartbeat = heartbeat(engine);
        let payload = serde_json::to_vec(&heartbeat).unwrap_or_default();
        if let Err(error) = client.publish(subject.clone(), payload.into()).await {
            engine.host.log(
                Level::Warning,
                &format!("NATS: a heartbeat was not sent: {error}"),
            );
        }
        if heartbeat.state == SwitchState::Leaving && client.flush().await.is_ok() {
            last.notify_one();
        }
    }
}

/// Listens to this switch's own heartbeats until the link ends: those of another life mean that a second
/// switch has the same node id.
pub async fn watch_for_twin(engine: &Engine, client: &Client, status: &LinkStatus) {
    let config = engine.config();
    let subject = subject::switch_heartbeat(&config.cluster, &config.node_id);
    let mut beats = match client.subscribe(subject.clone()).await {
        Ok(beats) => beats,
        Err(error) => {
            let line = format!("NATS: subscription to {subject}: {error}");
            engine.host.log(Level::Error, &line);
            return;
        }
    };
    loop {
        let heard = tokio::time::timeout(TWIN_GONE, next_of_another(engine, &mut beats)).await;
        let twin = match heard {
            Ok(None) => return,
            Ok(Some(_)) => true,
            Err(_) => false,
        };
        if status.set_twin(twin) {
            let line = match twin {
                true => format!(
                    "another switch beats as {}: give each its own node-id in iradialer.conf.xml",
                    config.node_id
                ),
                false => format!("no other switch beats as {} any more", config.node_id),
            };
            engine
                .host
                .log(if twin { Level::Error } else { Level::Info }, &line);
        }
    }
}

/// The next heartbeat that is not our own, nor the last of one that leaves.
async fn next_of_another(engine: &Engine, beats: &mut Subscriber) -> Option<Heartbeat> {
    loop {
        let message = beats.next().await?;
        if let Ok(beat) = serde_json::from_slice::<Heartbeat>(&message.payload)
            && beat.incarnation != engine.identity.incarnation
            && beat.state != SwitchState::Leaving
        {
            return Some(beat);
        }
    }
}

fn heartbeat(engine: &Engine) -> Heartbeat {
    let load = engine.admission.load();
    Heartbeat {
        v: wire::VERSION,
        node_id: engine.identity.node_id.clone(),
        incarnation: engine.identity.incarnation,
        journal_id: engine.identity.journal_id,
        state: match load.closed {
            Closed::No | Closed::Draining if engine.outbox.journal().is_faulty() => {
                SwitchState::Faulty
            }
            Closed::No => SwitchState::Active,
            Closed::Draining => SwitchState::Draining,
            Closed::Leaving => SwitchState::Leaving,
        },
        calls: load.calls,
        setups: load.setups,
        max_calls: load.max_calls,
        max_cps: load.max_cps,
        events_waiting: engine.outbox.waiting(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: engine.host.version(),
        uptime_s: engine.uptime().as_secs(),
        at_ms: engine.host.now_us() / 1000,
    }
}
