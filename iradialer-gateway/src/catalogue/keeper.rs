//! The snapshot that a process has of the catalogue.

use super::Catalogue;
use crate::tdb::{Tdb, TdbError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often the version in the TDB is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The catalogue as it is now. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Catalogues {
    written: Arc<Catalogue>,
    now: Arc<watch::Sender<Arc<Catalogue>>>,
}

impl Catalogues {
    /// What the file says, until [`Catalogues::look`] has brought the rest.
    pub fn new(written: Arc<Catalogue>) -> Self {
        let (now, _) = watch::channel(Arc::clone(&written));
        Catalogues {
            written,
            now: Arc::new(now),
        }
    }

    /// As it is now.
    pub fn now(&self) -> Arc<Catalogue> {
        Arc::clone(&self.now.borrow())
    }

    /// As the file has it.
    pub fn written(&self) -> &Catalogue {
        &self.written
    }

    /// To be told of changes.
    pub fn watch(&self) -> watch::Receiver<Arc<Catalogue>> {
        self.now.subscribe()
    }

    /// Brings the snapshot up to what is in the TDB. Returns it.
    pub async fn look(&self, tdb: &Tdb) -> Result<Arc<Catalogue>, TdbError> {
        let version = tdb.catalogue_version().await?;
        if self.now.borrow().version >= version {
            return Ok(self.now());
        }
        // Entries of a later version may be among them: then the next look finds that version.
        let entries = tdb.catalogue_entries().await?;
        let (catalogue, doubts) = self.written.with(version, entries);
        let catalogue = Arc::new(catalogue);
        let is_newer = self.now.send_if_modified(|now| {
            let is_newer = now.version < version;
            if is_newer {
                *now = Arc::clone(&catalogue);
            }
            is_newer
        });
        if is_newer {
            tracing::debug!(version, "the catalogue has changed");
            for doubt in doubts {
                tracing::warn!("{doubt}");
            }
        }
        Ok(self.now())
    }

    /// Looks at the TDB until `stop`, and calls `changed` after each change.
    pub async fn follow(self, tdb: Tdb, changed: impl Fn(), stop: CancellationToken) {
        let mut told = false;
        let mut seen = self.now().version;
        loop {
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => return,
            }
            match self.look(&tdb).await {
                Ok(now) => {
                    told = false;
                    if std::mem::replace(&mut seen, now.version) != now.version {
                        changed();
                    }
                }
                // What is known goes on.
                Err(error) if !std::mem::replace(&mut told, true) => {
                    tracing::error!(%error, "the catalogue can't be read, trying until it can");
                }
                Err(_) => {}
            }
        }
    }
}
