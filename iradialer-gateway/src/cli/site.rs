//! What commands about the catalogue work with.

use super::{Common, Failure, author};
use crate::catalogue::{Catalogue, Catalogues};
use crate::clock::Clock;
use crate::operations::Desk;
use crate::tdb::Tdb;
use std::sync::Arc;

/// The TDB and the catalogue in it.
pub(super) struct Site {
    pub tdb: Tdb,
    pub catalogue: Arc<Catalogue>,
    pub now_ms: u64,
    catalogues: Catalogues,
}

impl Site {
    /// Of the configuration.
    pub(super) async fn open(common: Common) -> Result<Self, Failure> {
        let (tdb, config) = common.open().await?;
        let catalogues = Catalogues::new(Arc::clone(&config.catalogue));
        Ok(Site {
            catalogue: catalogues.look(&tdb).await?,
            catalogues,
            tdb,
            now_ms: Clock::system().now_ms(),
        })
    }

    /// Where the one who typed the command has it changed.
    pub(super) fn desk(&self) -> Desk<'_> {
        Desk {
            tdb: &self.tdb,
            catalogues: &self.catalogues,
            author: author::of_command_line(),
            now_ms: self.now_ms,
        }
    }

    /// Writes what waits.
    pub(super) async fn close(self) {
        self.tdb.close().await;
    }
}
