//! In whose name a router changes calls: one that has lost its lease must leave them alone.

use super::row::sql_ms;
use super::{Connection, TdbError};
use iradialer_core::value::RegionName;

/// A router's lead: the region, and the epoch of the lease it holds, or held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// The region whose calls it gives out.
    pub region: RegionName,
    /// Of its last lease.
    pub epoch: u64,
}

impl Lead {
    /// Whether nobody has taken the lease since. One that has expired and that nobody took is good enough:
    /// writes come one after another, and whoever takes it raises the epoch.
    pub(super) async fn holds(&self, connection: &mut Connection) -> Result<bool, TdbError> {
        let row = sqlx::query("SELECT epoch FROM router_leases WHERE region = $1 AND epoch = $2")
            .bind(self.region.as_str())
            .bind(sql_ms(self.epoch))
            .fetch_optional(connection)
            .await?;
        Ok(row.is_some())
    }
}
