//! Loading and unloading the module again and again, with calls up each time.

use super::site::RINGS_8_S;
use super::{Module, Offer, Site};
use anyhow::{Result, ensure};
use std::time::Duration;

/// Calls that are up at each unload.
const CALLS: u32 = 20;

/// What the switch held after a cycle, with the module unloaded.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Resident memory, KiB.
    pub memory_kib: u64,
    /// Threads.
    pub threads: u32,
}

/// Loads, dials, and unloads in the midst of it, so many times. Begins and ends with the module loaded.
pub async fn load_and_unload(site: &Site, cycles: usize) -> Result<Vec<Held>> {
    let mut socket = site.switch.event_socket().await?;
    let mut held = Vec::new();
    for cycle in 1..=cycles {
        let module = Module::of(site).await?;
        let offer = Offer {
            calls: CALLS,
            per_second: 400.0,
        };
        let accepted = module.ring(RINGS_8_S, offer).await?;
        ensure!(
            accepted.len() == CALLS as usize,
            "cycle {cycle}: {} of {CALLS} calls were accepted",
            accepted.len()
        );
        let reply = socket.api("unload mod_iradialer").await?;
        ensure!(reply.contains("+OK"), "cycle {cycle}: {reply}");
        // The host keeps a session's thread a little longer than the session.
        tokio::time::sleep(Duration::from_millis(100)).await;
        held.push(Held {
            memory_kib: site.usage().memory_kib()?,
            threads: site.usage().threads()?,
        });
        let reply = socket.api("load mod_iradialer").await?;
        ensure!(reply.contains("+OK"), "cycle {cycle}: {reply}");
    }
    Ok(held)
}
