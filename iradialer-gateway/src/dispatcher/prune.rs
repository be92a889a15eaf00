//! Deletes what was delivered or given up long ago, a little at a time, so that the writer is never kept from others.

use crate::clock::Clock;
use crate::tdb::Tdb;
use std::time::Duration;
use tokio::time::sleep;

/// How many deliveries are deleted in one transaction, which takes some ms.
const AT_ONCE: u32 = 200;
/// How long to wait after one, where more are to be deleted; where there are none; and after a fault.
const PAUSE: Duration = Duration::from_millis(50);
const REST: Duration = Duration::from_secs(60);

/// Deletes what was done longer ago than `keep`, until it is dropped.
pub(super) async fn run(tdb: Tdb, clock: Clock, keep: Duration) {
    let keep_ms = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
    loop {
        let before_ms = clock.now_ms().saturating_sub(keep_ms);
        let rest = match tdb.forget_deliveries(before_ms, AT_ONCE).await {
            Ok(deliveries) if deliveries >= u64::from(AT_ONCE) => PAUSE,
            Ok(_) => REST,
            Err(error) => {
                tracing::debug!(%error, "old webhooks could not be deleted, trying again");
                REST
            }
        };
        sleep(rest).await;
    }
}
