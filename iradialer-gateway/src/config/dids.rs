//! `[[dids]]`: the numbers that are called, and what a call to each does.

use super::file;
use super::mistake::Mistakes;
use crate::catalogue::Campaign;
use iradialer_core::value::{CampaignName, DialNumber, FlowName, TenantId};
use std::collections::BTreeMap;

/// A number that is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Did {
    /// Whose it is.
    pub tenant_id: TenantId,
    /// The campaign its calls count as.
    pub campaign_name: CampaignName,
    /// What a call to it does: one of the tenant's stored flows, or of `flows.dir`.
    pub flow: FlowName,
}

/// By the numbers' digits.
pub(super) fn check(
    dids: &[file::Did],
    campaigns: &BTreeMap<(TenantId, CampaignName), Campaign>,
    mistakes: &mut Mistakes,
) -> BTreeMap<String, Did> {
    let mut checked = BTreeMap::new();
    for (index, did) in dids.iter().enumerate() {
        let key = |name: &str| format!("dids[{index}].{name}");
        let number = mistakes.take(DialNumber::parse(&key("number"), &did.number));
        let tenant_id = mistakes.take(TenantId::parse(&key("tenant_id"), &did.tenant_id));
        let name = mistakes.take(CampaignName::parse(&key("campaign"), &did.campaign));
        let (Some(number), Some(tenant_id), Some(campaign_name)) = (number, tenant_id, name) else {
            continue;
        };
        let owner = (tenant_id, campaign_name);
        let Some(campaign) = campaigns.get(&owner) else {
            let expected = "the name of one of the tenant's [[campaigns]]";
            mistakes.refuse(&key("campaign"), expected, &did.campaign);
            continue;
        };
        let flow = match (did.flow.as_str(), &campaign.flow) {
            ("", Some(flow)) => Some(flow.clone()),
            ("", None) => {
                let expected = "the name of a flow, as the campaign has none";
                mistakes.refuse(&key("flow"), expected, "");
                None
            }
            (name, _) => mistakes.take(FlowName::parse(&key("flow"), name)),
        };
        let Some(flow) = flow else { continue };
        let (tenant_id, campaign_name) = owner;
        let did = Did {
            tenant_id,
            campaign_name,
            flow,
        };
        let digits = number.as_str().trim_start_matches('+').to_owned();
        if checked.insert(digits, did).is_some() {
            mistakes.refuse(&key("number"), "a number of its own", number.as_str());
        }
    }
    checked
}
