//! Listens to the heartbeats of the switches.

use super::shared::Shared;
use super::switches::Heard;
use futures::StreamExt;
use iradialer_core::subject;
use iradialer_core::wire::{self, Heartbeat};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How long to wait before subscribing again.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Keeps the table of switches up to date until the router stops.
pub(super) async fn listen(shared: Arc<Shared>) {
    tokio::select! {
        () = listen_for_ever(&shared) => {}
        () = shared.stop.cancelled() => {}
    }
}

async fn listen_for_ever(shared: &Shared) {
    let subject = subject::all_switch_heartbeats(&shared.app.config.cluster);
    // Switches whose heartbeats can't be read: told once each, not every second.
    let mut unreadable = HashSet::new();
    loop {
        match shared.client.subscribe(subject.clone()).await {
            Ok(mut heartbeats) => {
                while let Some(message) = heartbeats.next().await {
                    match read(&message.payload)
                        .and_then(|heartbeat| check_sender(shared, &message.subject, heartbeat))
                    {
                        Ok(heartbeat) => hear(shared, heartbeat),
                        Err(error) if unreadable.insert(message.subject.to_string()) => {
                            tracing::error!(subject = %message.subject, error, "a heartbeat can't be read");
                        }
                        Err(_) => {}
                    }
                }
            }
            Err(error) => tracing::error!(%error, "heartbeats can't be listened to"),
        }
        sleep(RETRY_DELAY).await;
    }
}

fn hear(shared: &Shared, heartbeat: Heartbeat) {
    let (node, state) = (heartbeat.node_id.clone(), heartbeat.state);
    let heard = shared.switches().hear(heartbeat, shared.steady_ms());
    match heard {
        Heard::Nothing => return,
        // What it holds now comes and goes with the others' needs.
        Heard::Room => {}
        Heard::Change => {
            let catalogue = shared.app.catalogue();
            let region = catalogue.switch_region(&node);
            tracing::info!(%node, region, ?state, "heard from a switch");
            shared.reconcile_soon(node);
        }
        Heard::TwoOfOneName => tracing::error!(
            %node,
            "two switches have this node-id: give each its own in iradialer.conf.xml; until then \
             neither gets a call, and a request to drop one may reach the wrong switch"
        ),
    }
    shared.app.wake.router.notify_one();
}

/// NATS lets a switch publish on its own subject only: a heartbeat that names another is forged.
fn check_sender(shared: &Shared, subject: &str, heartbeat: Heartbeat) -> Result<Heartbeat, String> {
    let own = subject::switch_heartbeat(&shared.app.config.cluster, &heartbeat.node_id);
    match own == subject {
        true => Ok(heartbeat),
        false => Err(format!(
            "node_id: it is {}'s, who beats on {own}",
            heartbeat.node_id
        )),
    }
}

fn read(payload: &[u8]) -> Result<Heartbeat, String> {
    let heartbeat: Heartbeat =
        serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    if heartbeat.v != wire::VERSION {
        return Err(format!(
            "v: expected {}, got {}",
            wire::VERSION,
            heartbeat.v
        ));
    }
    Ok(heartbeat)
}
