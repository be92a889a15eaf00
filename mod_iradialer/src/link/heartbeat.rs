//! The sign of life: each second, and at once when the state changes.

use crate::admission::Closed;
use crate::engine::Engine;
use crate::host::Level;
use crate::link::{LinkStatus, lease};
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
        if heartbeat.state == SwitchState::Leaving && heartbeat.calls == 0 {
            lease::give_back(engine, client).await;
        }
        if heartbeat.state == SwitchState::Leaving && client.flush().await.is_ok() {
            last.notify_one();
        }
    }
}

/// Listens to this switch's own heartbeats until the link ends. Those of another life between ours mean that
/// a second switch has the same node id; one alone may be a late one of a life before this. The one that
/// began later takes no more calls.
pub async fn watch_for_twin(engine: &Engine, client: &Client, status: &LinkStatus, now: &Notify) {
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
    let mut heard_before = false;
    loop {
        let heard = tokio::time::timeout(TWIN_GONE, next_of_another(engine, &mut beats)).await;
        let other = match heard {
            Ok(None) => return,
            Ok(Some(beat)) => Some(beat.incarnation),
            Err(_) => None,
        };
        let twin = other.is_some() && heard_before;
        heard_before = other.is_some();
        if other.is_some() && !twin {
            continue;
        }
        let was_second = engine.admission.load().second;
        let is_later = other.is_some_and(|other| other < engine.identity.incarnation);
        let second = twin && (was_second || is_later);
        if status.set_twin(twin) || second != was_second {
            engine.admission.set_second(second);
            tell_of_twin(engine, twin, second);
            now.notify_one();
        }
    }
}

fn tell_of_twin(engine: &Engine, twin: bool, second: bool) {
    let node = &engine.identity.node_id;
    if !twin {
        let line = format!("no other switch beats as {node} any more");
        return engine.host.log(Level::Info, &line);
    }
    let what = match second {
        true => "and began before this one, which takes no more calls",
        false => "and began after this one",
    };
    let line = format!(
        "another switch beats as {node}, {what}: give each its own node-id in iradialer.conf.xml"
    );
    engine.host.log(Level::Error, &line);
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
    let allowed = engine.admission.allowed(engine.host.steady_us());
    // Nobody counts what a switch evaluates by itself, so no router is to give it calls.
    let (channels, why_none) = match engine.admission.has_lease() {
        true => (allowed.channels, allowed.why_none),
        false => {
            let why = "licence: no gateway has given this switch a lease yet";
            (0, Some(why.to_owned()))
        }
    };
    Heartbeat {
        v: wire::VERSION,
        node_id: engine.identity.node_id.clone(),
        incarnation: engine.identity.incarnation,
        journal_id: engine.identity.journal_id,
        state: match load.closed {
            Closed::No | Closed::Draining if engine.outbox.journal().is_faulty() => {
                SwitchState::Faulty
            }
            Closed::No if load.second => SwitchState::Draining,
            Closed::No => SwitchState::Active,
            Closed::Draining => SwitchState::Draining,
            Closed::Leaving => SwitchState::Leaving,
        },
        calls: load.calls,
        setups: load.setups,
        max_calls: load.max_calls.min(channels),
        max_cps: load.max_cps.min(allowed.cps),
        license: why_none,
        events_waiting: engine.outbox.waiting(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: engine.host.version(),
        uptime_s: engine.uptime().as_secs(),
        at_ms: engine.host.now_us() / 1000,
    }
}
