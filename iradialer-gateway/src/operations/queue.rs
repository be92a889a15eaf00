//! The queue: calls taken out of it.

use super::campaigns::CANCEL_AT_ONCE;
use super::{Desk, Refusal};
use iradialer_core::value::{CampaignName, TenantId};
use std::time::{Duration, Instant};

/// How long it is gone on with while somebody waits for the answer.
const LONGEST: Duration = Duration::from_secs(5);

impl Desk<'_> {
    /// Ends what is queued of the tenant, or of one of its campaigns, as canceled. Returns how many calls it ended,
    /// and whether there are more.
    pub async fn cancel_queued(
        &self,
        tenant: &TenantId,
        campaign: Option<&CampaignName>,
    ) -> Result<(u64, bool), Refusal> {
        let began = Instant::now();
        let mut canceled = 0;
        loop {
            let batch = self
                .tdb
                .cancel_queued(tenant, campaign, CANCEL_AT_ONCE, self.now_ms);
            let batch = batch.await?;
            canceled += batch;
            if batch < u64::from(CANCEL_AT_ONCE) {
                return Ok((canceled, false));
            }
            if began.elapsed() > LONGEST {
                return Ok((canceled, true));
            }
        }
    }
}
