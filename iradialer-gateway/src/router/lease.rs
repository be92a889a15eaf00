//! Keeps the right to give out a region's calls.

use super::shared::Shared;
use crate::tdb::{Lease, TdbError};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;

/// How long a lease is good for. With [`TRY_INTERVAL`] it bounds how long a router that was killed keeps
/// the others waiting.
const LEASE_MS: u64 = 3_000;
/// How often it is renewed: two renewals in a row may fail.
const RENEW_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is tried for by a router that does not have it.
const TRY_INTERVAL: Duration = Duration::from_millis(500);
/// How soon a lease is taken anew when a switch calls our epoch old.
const RETAKE_DELAY: Duration = Duration::from_millis(100);

/// Takes the lease, renews it, and tells the router whether it has it.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    region: &'static str,
    holder: String,
    lease: watch::Sender<Option<Lease>>,
}

impl Keeper {
    /// A keeper for `region`, and where to see the lease.
    pub(super) fn new(
        shared: Arc<Shared>,
        region: &'static str,
    ) -> (Keeper, watch::Receiver<Option<Lease>>) {
        let (lease, seen) = watch::channel(None);
        let keeper = Keeper {
            holder: stable_holder(&shared),
            shared,
            region,
            lease,
        };
        (keeper, seen)
    }

    /// Keeps the lease until the router stops, then gives it up.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut told = false;
        while !shared.stop.is_cancelled() {
            match self.keep().await {
                Ok(()) => told = false,
                Err(error) if !std::mem::replace(&mut told, true) => {
                    tracing::error!(%error, "the router's lease can't be kept, trying again until it can");
                }
                Err(_) => {}
            }
            let interval = match self.lease.borrow().is_some() {
                true => RENEW_INTERVAL,
                false => TRY_INTERVAL,
            };
            tokio::select! {
                () = sleep(interval) => {}
                () = shared.stale_epoch.notified() => {
                    // The switch has seen a higher epoch than the TDB ever gave out (the TDB is new,
                    // the switch is not), or we have lost the lease and taking it fails.
                    self.set(None);
                    sleep(RETAKE_DELAY).await;
                }
                () = shared.stop.cancelled() => {}
            }
        }
        self.give_up().await;
    }

    async fn keep(&mut self) -> Result<(), TdbError> {
        let tdb = &self.shared.app.tdb;
        let now_ms = self.shared.now_ms();
        let held = *self.lease.borrow();
        let Some(held) = held else {
            let taken = tdb
                .take_lease(self.region, &self.holder, LEASE_MS, now_ms)
                .await?;
            if let Some(lease) = taken {
                tracing::info!(
                    region = self.region,
                    epoch = lease.epoch,
                    "this router gives out the calls"
                );
                self.shared.epoch.store(lease.epoch, Ordering::Relaxed);
                self.set(Some(lease));
            }
            return Ok(());
        };
        let renewed = tdb
            .renew_lease(self.region, &self.holder, held.epoch, LEASE_MS, now_ms)
            .await?;
        if renewed.is_none() {
            tracing::warn!(
                region = self.region,
                "another router gives out the calls now"
            );
            // Whoever took it may have our name, if it runs on our data: from now on only an expired
            // lease is taken, so that the two don't take it from each other in turns.
            self.holder = Uuid::new_v4().to_string();
        }
        self.set(renewed);
        Ok(())
    }

    fn set(&self, lease: Option<Lease>) -> Option<Lease> {
        let ends_ms = lease.map_or(0, |lease| lease.expires_ms);
        self.shared.lease_ends_ms.store(ends_ms, Ordering::Relaxed);
        self.lease.send_replace(lease)
    }

    async fn give_up(&self) {
        let Some(held) = self.set(None) else {
            return;
        };
        let dropped = self
            .shared
            .app
            .tdb
            .drop_lease(self.region, &self.holder, held.epoch)
            .await;
        if let Err(error) = dropped {
            tracing::debug!(%error, "the router's lease could not be given up and will expire");
        }
    }
}

/// The same after a restart of the same gateway, so that it need not wait for its own lease to expire.
fn stable_holder(shared: &Shared) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", host.trim(), shared.app.config.data_dir.display())
}
