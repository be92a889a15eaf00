//! The sign of life: each second, and at once when the state changes.

use crate::admission::Closed;
use crate::engine::Engine;
use crate::host::Level;
use async_nats::Client;
use iradialer_core::subject;
use iradialer_core::wire::{self, Heartbeat, SwitchState};
use std::time::Duration;
use tokio::sync::Notify;

const EVERY: Duration = Duration::from_secs(1);

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

fn heartbeat(engine: &Engine) -> Heartbeat {
    let load = engine.admission.load();
    Heartbeat {
        v: wire::VERSION,
        node_id: engine.identity.node_id.clone(),
        incarnation: engine.identity.incarnation,
        journal_id: engine.identity.journal_id,
        state: match load.closed {
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
