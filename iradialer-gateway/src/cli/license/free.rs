//! `license free`

use super::{CLUSTER, Common, Failure, author, open, print_json};
use crate::clock::Clock;
use crate::tdb::{HeldLease, Tdb};
use iradialer_core::value::{NodeId, TenantId};
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

/// Frees what the switch held, if nothing of it is renewed while it is watched.
pub(super) async fn free(
    common: Common,
    node: &str,
    watch_s: u64,
    as_json: bool,
) -> Result<(), Failure> {
    let node = NodeId::parse("NODE", node)?;
    let (_, tdb) = open(common).await?;
    let freed = free_in(&tdb, &node, watch_s, as_json).await;
    tdb.close().await;
    let freed = freed?;
    let channels: u32 = freed.iter().map(|lease| lease.channels.height).sum();
    match as_json {
        true => print_json(&json!({ "node_id": node.as_str(), "channels": channels })),
        false => {
            println!("{channels} channels are free again; other switches get them within seconds")
        }
    }
    Ok(())
}

async fn free_in(
    tdb: &Tdb,
    node: &NodeId,
    watch_s: u64,
    as_json: bool,
) -> Result<Vec<HeldLease>, Failure> {
    let watched = held_by(tdb, node).await?;
    if watched.is_empty() {
        return Err(
            format!("{node} holds nothing of the licence; license show has who does").into(),
        );
    }
    if !as_json {
        eprintln!("watching for {watch_s} s whether {node} asks for more");
    }
    sleep(Duration::from_secs(watch_s)).await;
    let (tenant, now_ms) = (
        TenantId::parse("tenant_id", CLUSTER)?,
        Clock::system().now_ms(),
    );
    let freed = tdb.free_license_leases(watched, tenant, author::of_command_line(), now_ms);
    let freed = freed.await?;
    match freed.is_empty() {
        true => Err(format!("{node} has asked meanwhile: it is alive, and keeps its share").into()),
        false => Ok(freed),
    }
}

async fn held_by(tdb: &Tdb, node: &NodeId) -> Result<Vec<HeldLease>, Failure> {
    let mut held = tdb.license_leases().await?;
    held.retain(|lease| lease.node_id == *node);
    Ok(held)
}
