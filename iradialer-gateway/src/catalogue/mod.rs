//! The catalogue: campaigns, trunks, switches and the parameters of the queue, as they are now.
//!
//! It is what the configuration file says with what was added or changed at run time, which is in the TDB. Every
//! process keeps a snapshot of it ([`Catalogues`]) and makes it anew when the version in the TDB has changed. A
//! change is made against a version, in the transaction that raises it: two that do not go together can't both be
//! made, whichever processes they come from.

mod campaign;
mod entry;
mod keeper;
mod merge;
mod number_range;
mod queue;
mod regions;
mod trunk;

pub use campaign::{Campaign, CampaignDefinition};
pub use entry::{CampaignEntry, Entries, Kind, NodeEntry, NodeWish, TrunkEntry};
pub use keeper::Catalogues;
pub use number_range::NumberRange;
pub use queue::QueueParameters;
pub use regions::DEFAULT as DEFAULT_REGION;
pub(crate) use regions::TrunksUsed;
pub use trunk::{
    Definition, MAX_VALUE, PARAMS, PASSWORD, Trunk, TrunkDefinition, USUAL_PROFILE, VARIABLES,
    is_profile, is_value,
};

use crate::config::{Node, QueueConfig};
use iradialer_core::value::{CallerNumber, CampaignName, RegionName, TenantId, TrunkName};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use utoipa::ToSchema;

/// The numbers that tenants may call from: by tenant, the digits of each.
pub(crate) type CallerNumbers = BTreeMap<TenantId, BTreeSet<String>>;

/// Campaigns, trunks, switches and the queue's parameters at one time.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// The version in the TDB that it was made of; 0: the file's alone.
    pub version: u64,
    /// The region whose calls this process gives out.
    pub region: RegionName,
    /// The switches, as far as they are written down.
    pub nodes: Vec<Node>,
    /// The trunks by name.
    pub trunks: BTreeMap<TrunkName, Trunk>,
    /// The campaigns by tenant and name.
    pub campaigns: BTreeMap<(TenantId, CampaignName), Campaign>,
    /// Campaigns that were deleted, and when, ms since the Unix epoch: calls that were accepted meanwhile end.
    pub deleted: BTreeMap<(TenantId, CampaignName), u64>,
    /// How long the queue may get.
    pub queue: QueueConfig,
    /// The entries of the TDB that it was made of.
    pub entries: Arc<Entries>,
    /// The numbers that tenants may call from, beside those of their campaigns.
    pub(crate) caller_numbers: CallerNumbers,
}

/// Where a campaign or a trunk is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The configuration file: it may be overridden, and can't be deleted.
    File,
    /// It was added at run time.
    Added,
}

impl Catalogue {
    /// The campaign of that name, if the tenant has one.
    pub fn campaign(&self, tenant: &TenantId, name: &CampaignName) -> Option<&Campaign> {
        self.campaigns.get(&(tenant.clone(), name.clone()))
    }

    /// What was set of the queue at run time.
    pub fn parameters(&self) -> &QueueParameters {
        &self.entries.queue
    }

    /// The tenant's campaigns, by name.
    pub fn campaigns_of<'c>(&'c self, tenant: &'c TenantId) -> impl Iterator<Item = &'c Campaign> {
        let campaigns = self.campaigns.values();
        campaigns.filter(move |campaign| campaign.tenant_id == *tenant)
    }

    /// The campaigns that the trunk is used by.
    pub fn users_of<'c>(&'c self, trunk: &'c TrunkName) -> impl Iterator<Item = &'c Campaign> {
        let campaigns = self.campaigns.values();
        campaigns.filter(|campaign| campaign.trunks.contains(trunk))
    }

    /// Whether calls of the campaign may show that number as the caller's: the campaign's, one that its tenant
    /// has, one of the ranges of the campaign or its trunks, or none.
    pub fn may_call_from(&self, campaign: &Campaign, number: &CallerNumber) -> bool {
        let number = digits(number.as_str());
        let of_tenant = self.caller_numbers.get(&campaign.tenant_id);
        let of_trunks = || {
            let trunks = campaign
                .trunks
                .iter()
                .filter_map(|name| self.trunks.get(name));
            trunks.flat_map(|trunk| &trunk.caller_ranges)
        };
        number.is_empty()
            || number == digits(campaign.from_number.as_str())
            || of_tenant.is_some_and(|own| own.contains(number))
            || campaign.caller_ranges.iter().any(|range| range.has(number))
            || of_trunks().any(|range| range.has(number))
    }
}

/// A number is the same with and without its `+`.
pub(crate) fn digits(number: &str) -> &str {
    number.trim_start_matches('+')
}

#[cfg(test)]
mod tests;
