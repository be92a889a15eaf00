//! The queue: how long it is, its parameters, calls taken out of it.

use super::campaigns::CANCEL_AT_ONCE;
use super::{Desk, Draft, Refusal, operator, text};
use crate::catalogue::{Catalogue, Kind, QueueParameters};
use crate::config::Hours;
use crate::tdb::{Change, Tdb, TdbError};
use iradialer_core::router_request::SetQueueParams;
use iradialer_core::value::{CampaignName, FieldError, TenantId};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use utoipa::ToSchema;

/// How long it is gone on with while somebody waits for the answer.
const LONGEST: Duration = Duration::from_secs(5);

/// How many calls wait.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct QueueSizes {
    /// By campaign, those without any left out.
    pub campaigns: Vec<CampaignQueue>,
    /// By region.
    pub regions: Vec<RegionQueue>,
    /// All of them.
    pub size: u64,
    /// By trunk: those that may go through it, so that one may count for several.
    pub trunks: Vec<TrunkQueue>,
}

/// How many calls of a campaign wait.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CampaignQueue {
    pub campaign_name: String,
    /// None where the campaign is gone.
    pub region: Option<String>,
    pub size: u64,
    pub tenant_id: String,
    /// The trunks that they may go through.
    pub trunks: Vec<String>,
}

/// How many calls wait for a region's switches.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RegionQueue {
    pub region: String,
    pub size: u64,
}

/// How many calls wait that may go through a trunk.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TrunkQueue {
    pub size: u64,
    pub trunk: String,
}

/// How many calls wait, of that tenant or all.
pub async fn sizes(
    tdb: &Tdb,
    catalogue: &Catalogue,
    tenant: Option<&TenantId>,
) -> Result<QueueSizes, TdbError> {
    let mut sizes = QueueSizes::default();
    let (mut regions, mut trunks) = (BTreeMap::new(), BTreeMap::new());
    for (tenant, name, size) in tdb.queue_counts(tenant).await? {
        let campaign = CampaignName::parse("campaign_name", &name).ok();
        let campaign = campaign.and_then(|name| catalogue.campaign(&tenant, &name));
        if let Some(campaign) = campaign {
            *regions.entry(campaign.region.to_string()).or_default() += size;
            for trunk in &campaign.trunks {
                *trunks.entry(trunk.to_string()).or_default() += size;
            }
        }
        let names = campaign.map_or_else(Vec::new, |campaign| {
            campaign.trunks.iter().map(ToString::to_string).collect()
        });
        sizes.size += size;
        sizes.campaigns.push(CampaignQueue {
            campaign_name: name,
            region: campaign.map(|campaign| campaign.region.to_string()),
            size,
            tenant_id: tenant.to_string(),
            trunks: names,
        });
    }
    let regions = regions.into_iter();
    sizes.regions = regions
        .map(|(region, size)| RegionQueue { region, size })
        .collect();
    let trunks = trunks.into_iter();
    sizes.trunks = trunks
        .map(|(trunk, size)| TrunkQueue { size, trunk })
        .collect();
    Ok(sizes)
}

impl Desk<'_> {
    /// Sets what `given` has of the queue's parameters; the others stay. Returns what they are then.
    pub async fn set_queue(&self, given: QueueParameters) -> Result<QueueParameters, Refusal> {
        let mut now = QueueParameters::default();
        self.change(|catalogue| {
            let before = catalogue.parameters();
            now = before.clone().with(given.clone());
            Ok(Some(Draft {
                kind: Kind::Queue,
                tenant_id: String::new(),
                name: String::new(),
                body: text(&now),
                without_calls_of: None,
                noted: Some(Change {
                    tenant_id: operator(),
                    action: "queue.set",
                    subject: "queue".to_owned(),
                    was: Some(json!(before)),
                    became: Some(json!(now)),
                    at_ms: self.now_ms,
                }),
            }))
        })
        .await?;
        Ok(now)
    }

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
            let author = Some(self.author.clone());
            let batch =
                self.tdb
                    .cancel_queued(tenant, campaign, CANCEL_AT_ONCE, author, self.now_ms);
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

/// The queue's parameters as they are in force.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ShownParameters {
    /// How much of each trunk's rate is used, 0.1 to 1.
    pub cps_percent: f64,
    /// How long a phone rings where a request does not say, s.
    pub dial_timeout: u32,
    /// Whether new calls are dialled.
    pub enable_firing_calls: bool,
    /// Kept, and without effect: the queue is looked at when something falls due.
    pub long_delay: Option<u32>,
    /// From this many queued calls on, new ones are refused.
    pub max_total_queue_size: u64,
    /// As `long_delay`.
    pub short_delay: Option<u32>,
    /// When campaigns may call that have no hours of their own.
    #[schema(value_type = Option<String>)]
    pub working_hours: Option<Hours>,
}

/// The queue's parameters as they are in force.
pub fn shown(catalogue: &Catalogue) -> ShownParameters {
    let set = catalogue.parameters();
    ShownParameters {
        cps_percent: set.share_of_cps(),
        dial_timeout: set.dial_timeout_s(),
        enable_firing_calls: set.fires(),
        long_delay: set.long_delay,
        max_total_queue_size: catalogue.queue.refuse_above,
        short_delay: set.short_delay,
        working_hours: set.working_hours,
    }
}

/// What is set of the queue's parameters.
pub fn parameters(set: SetQueueParams) -> Result<QueueParameters, FieldError> {
    let hours = |text: &String| {
        let expected = "HHMM-HHMM, such as 0900-1900, the two not the same";
        Hours::parse(text).ok_or_else(|| FieldError::new("working_hours", expected, text))
    };
    Ok(QueueParameters {
        max_total_queue_size: set.max_total_queue_size,
        short_delay: set.short_delay,
        long_delay: set.long_delay,
        cps_percent: set.cps_percent,
        enable_firing_calls: set.enable_firing_calls,
        dial_timeout: set.dial_timeout,
        working_hours: set.working_hours.as_ref().map(hours).transpose()?,
    })
}
