//! What this router thinks of the switches, kept in the TDB for those that do not hear them: why a call
//! waits is asked of the API, which may run elsewhere.

use super::shared::Shared;
use crate::tdb::TdbError;
use serde_json::json;

/// It is kept anew when a verdict has changed, and so often even if none has.
const INTERVAL_MS: u64 = 5_000;
/// Not more often than this, however fast verdicts change.
const PAUSE_MS: u64 = 1_000;
/// How many switches it names at the most.
const MOST: usize = 256;

/// What was last kept.
#[derive(Default)]
pub(super) struct View {
    kept_ms: Option<u64>,
    verdicts: Vec<&'static str>,
}

impl View {
    /// Keeps what is thought of the switches, if it is time to.
    pub(super) async fn keep(&mut self, shared: &Shared, now_ms: u64) -> Result<(), TdbError> {
        // A clock that was set back is no reason to wait.
        let age_ms = self.kept_ms.map(|kept_ms| now_ms.abs_diff(kept_ms));
        if age_ms.is_some_and(|age_ms| age_ms < PAUSE_MS) {
            return Ok(());
        }
        let switches = shared.switches().considered(None, MOST, shared.steady_ms());
        let verdicts: Vec<_> = switches.iter().map(|switch| switch.verdict).collect();
        if age_ms.is_some_and(|age_ms| age_ms < INTERVAL_MS) && verdicts == self.verdicts {
            return Ok(());
        }
        let tdb = &shared.app.tdb;
        let region = &shared.app.config.router.region;
        let nodes = shared.switches().heard(MOST, shared.moment());
        tdb.keep_switch_view(region.as_str(), json!(switches), nodes, now_ms)
            .await?;
        self.kept_ms = Some(now_ms);
        self.verdicts = verdicts;
        Ok(())
    }
}
