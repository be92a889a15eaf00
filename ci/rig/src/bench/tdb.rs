//! A gateway's TDB, opened past the gateway, to put there at once what would take hours to come about.

use crate::gateway::Gateway;
use anyhow::Result;
use sqlx::{AnyConnection, Connection};
use std::time::{SystemTime, UNIX_EPOCH};

/// Opens it: the file of SQLite beside the gateway, whose own writer is waited for.
pub async fn open(gateway: &Gateway) -> Result<AnyConnection> {
    sqlx::any::install_default_drivers();
    let file = gateway.data_dir().join("iradialer.db");
    let mut tdb = AnyConnection::connect(&format!("sqlite://{}", file.display())).await?;
    sqlx::query("PRAGMA busy_timeout = 60000")
        .execute(&mut tdb)
        .await?;
    Ok(tdb)
}

/// The time, ms since the Unix epoch.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
