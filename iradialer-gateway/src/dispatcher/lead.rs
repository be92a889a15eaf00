//! The right to send webhooks, which one dispatcher of a TDB has at a time: two would each send all of them, and a call's
//! events out of order.

use crate::app::App;
use crate::lease::{LEASE_MS, RENEW_INTERVAL, TRY_INTERVAL, Watch, stable_holder};
use crate::tdb::{Lease, TdbError};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The lease's name, which no region has.
const NAME: &str = ":webhooks";

/// Takes the lease and renews it.
pub(super) struct Claim {
    app: App,
    holder: String,
    held: Option<Lease>,
    other: Watch,
    ends_ms: watch::Sender<u64>,
}

/// Whether this process has the lease.
#[derive(Clone)]
pub(super) struct Lead {
    app: App,
    /// By the steady clock; 0 where it has none.
    ends_ms: watch::Receiver<u64>,
}

impl Lead {
    /// Whether it may send now.
    pub(super) fn is_ours(&self) -> bool {
        self.app.clock.steady_ms() < *self.ends_ms.borrow()
    }

    /// Until it was taken, renewed or lost.
    pub(super) async fn changed(&mut self) {
        if self.ends_ms.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

impl Claim {
    /// Nothing yet.
    pub(super) fn new(app: App) -> (Claim, Lead) {
        let (ends_ms, seen) = watch::channel(0);
        let lead = Lead {
            app: app.clone(),
            ends_ms: seen,
        };
        let claim = Claim {
            holder: stable_holder(&app.config.data_dir),
            app,
            held: None,
            other: Watch::default(),
            ends_ms,
        };
        (claim, lead)
    }

    /// Keeps the lease until `stop`, then gives it up.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.keep().await {
                tracing::debug!(%error, "the right to send webhooks can't be kept, trying again until it can");
            }
            let interval = match self.held {
                Some(_) => RENEW_INTERVAL,
                None => TRY_INTERVAL.min(self.other.due(self.app.clock.steady_ms())),
            };
            tokio::select! {
                () = sleep(interval) => {}
                () = stop.cancelled() => {}
            }
        }
        let Some(held) = self.held else {
            return;
        };
        self.ends_ms.send_replace(0);
        let dropped = self.app.tdb.drop_lease(NAME, &self.holder, held.epoch);
        if let Err(error) = dropped.await {
            tracing::debug!(%error, "the right to send webhooks could not be given up");
        }
    }

    async fn keep(&mut self) -> Result<(), TdbError> {
        let tdb = &self.app.tdb;
        let began = self.app.clock.moment();
        let wall_ms = began.wall_ms;
        self.held = match self.held {
            Some(held) => {
                let renewed = tdb.renew_lease(NAME, &self.holder, held.epoch, LEASE_MS, wall_ms);
                let renewed = renewed.await?;
                if renewed.is_none() {
                    tracing::warn!("another dispatcher sends the webhooks now");
                    // Whoever took it may have our name, if it runs on our data: from now on only a lease that is
                    // dead is taken.
                    self.holder = Uuid::new_v4().to_string();
                }
                renewed
            }
            None => {
                let stale = self.other.look(tdb.seen_lease(NAME).await?, began);
                let taken = tdb.take_lease(NAME, &self.holder, stale, LEASE_MS, wall_ms);
                let taken = taken.await?;
                if taken.is_some() {
                    tracing::info!("this dispatcher sends the webhooks");
                    self.other = Watch::default();
                }
                taken
            }
        };
        // From when it was asked for: whoever sees it stand still for as long has begun to later.
        let ends_ms = self.held.map_or(0, |_| began.steady_ms + LEASE_MS);
        self.ends_ms.send_replace(ends_ms);
        Ok(())
    }
}
