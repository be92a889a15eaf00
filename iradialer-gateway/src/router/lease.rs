//! Keeps the right to give out a region's calls.

use super::shared::Shared;
use crate::lease::{LEASE_MS, RENEW_INTERVAL, TRY_INTERVAL, Watch, stable_holder};
use crate::tdb::{Lease, TdbError};
use iradialer_core::value::RegionName;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;

/// How soon a lease is taken anew when a switch calls our epoch old.
const RETAKE_DELAY: Duration = Duration::from_millis(100);

/// Takes the lease, renews it, and tells the router whether it has it.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    region: RegionName,
    holder: String,
    lease: watch::Sender<Option<Lease>>,
    other: Watch,
}

impl Keeper {
    /// A keeper for the router's region, and where to see the lease.
    pub(super) fn new(shared: Arc<Shared>) -> (Keeper, watch::Receiver<Option<Lease>>) {
        let (lease, seen) = watch::channel(None);
        let keeper = Keeper {
            holder: stable_holder(&shared.app.config.data_dir),
            region: shared.app.config.router.region.clone(),
            shared,
            lease,
            other: Watch::default(),
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
                false => TRY_INTERVAL.min(self.other.due(shared.steady_ms())),
            };
            tokio::select! {
                () = sleep(interval) => {}
                () = shared.stale_epoch.notified() => {
                    // The switch has seen a higher epoch than the TDB ever gave out (the TDB is new,
                    // the switch is not), or we have lost the lease and taking it fails.
                    self.set(None, 0);
                    sleep(RETAKE_DELAY).await;
                }
                () = shared.stop.cancelled() => {}
            }
        }
        self.give_up().await;
    }

    async fn keep(&mut self) -> Result<(), TdbError> {
        let tdb = &self.shared.app.tdb;
        let held = *self.lease.borrow();
        let Some(held) = held else {
            let seen = tdb.seen_lease(self.region.as_str()).await?;
            let began = self.shared.moment();
            let stale = self.other.look(seen, began);
            let taken = tdb
                .take_lease(
                    self.region.as_str(),
                    &self.holder,
                    stale,
                    LEASE_MS,
                    began.wall_ms,
                )
                .await?;
            if let Some(lease) = taken {
                tracing::info!(
                    region = self.region.as_str(),
                    epoch = lease.epoch,
                    "this router gives out the calls"
                );
                let ahead_ms = std::mem::take(&mut self.other).ahead_ms();
                if ahead_ms != 0 {
                    tracing::warn!(
                        ahead_ms,
                        "the clock of the router that led before is not ours"
                    );
                }
                self.shared
                    .before_ahead_ms
                    .store(ahead_ms, Ordering::Relaxed);
                self.shared.epoch.store(lease.epoch, Ordering::Relaxed);
                self.set(Some(lease), began.steady_ms);
            }
            return Ok(());
        };
        let began = self.shared.moment();
        let renewed = tdb
            .renew_lease(
                self.region.as_str(),
                &self.holder,
                held.epoch,
                LEASE_MS,
                began.wall_ms,
            )
            .await?;
        if renewed.is_none() {
            tracing::warn!(
                region = self.region.as_str(),
                "another router gives out the calls now"
            );
            // Whoever took it may have our name, if it runs on our data: from now on only a lease that is
            // dead is taken, so that the two don't take it from each other in turns.
            self.holder = Uuid::new_v4().to_string();
        }
        self.set(renewed, began.steady_ms);
        Ok(())
    }

    /// The lease is used for so long from when its taking or renewal began: whoever sees it stand still for
    /// as long has begun to later.
    fn set(&self, lease: Option<Lease>, began_ms: u64) -> Option<Lease> {
        let ends_ms = lease.map_or(0, |_| began_ms + LEASE_MS);
        self.shared.lease_ends_ms.store(ends_ms, Ordering::Relaxed);
        self.lease.send_replace(lease)
    }

    async fn give_up(&self) {
        let Some(held) = self.set(None, 0) else {
            return;
        };
        let dropped = self
            .shared
            .app
            .tdb
            .drop_lease(self.region.as_str(), &self.holder, held.epoch)
            .await;
        if let Err(error) = dropped {
            tracing::debug!(%error, "the router's lease could not be given up and will expire");
        }
    }
}
