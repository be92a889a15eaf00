//! Regions: the switches that dial a campaign's calls, and the router that leads them.

use super::{Campaign, Catalogue, Trunk};
use iradialer_core::value::{CampaignName, NodeId, RegionName, TenantId, TrunkName};
use std::collections::{BTreeSet, HashMap};

/// The region of what the configuration gives none, and of switches that it does not list.
pub const DEFAULT: &str = "default";

/// Which region's campaigns use each trunk. The router of a region counts what a trunk is given, so a trunk
/// that two of them fed would be given twice its rate.
#[derive(Default)]
pub(crate) struct TrunksUsed {
    first: HashMap<TrunkName, User>,
}

/// The campaign that used a trunk first.
#[derive(Clone)]
pub(crate) struct User {
    /// As a mistake names it.
    name: String,
    region: RegionName,
}

impl TrunksUsed {
    /// Takes in that the campaign uses the trunk. Returns who has it for another region.
    pub(crate) fn by(
        &mut self,
        name: &str,
        campaign: &Campaign,
        trunk: &TrunkName,
    ) -> Option<User> {
        let own = || User {
            name: name.to_owned(),
            region: campaign.region.clone(),
        };
        let first = self.first.entry(trunk.clone()).or_insert_with(own);
        (first.region != campaign.region).then(|| first.clone())
    }
}

impl User {
    /// What was expected of a trunk that `name`, of `region`, is to use.
    pub(crate) fn expected(&self, name: &str, region: &RegionName) -> String {
        format!(
            "a trunk that campaigns of region {:?} alone use, as {name} does; {} of region {:?} uses this one",
            region.as_str(),
            self.name,
            self.region.as_str(),
        )
    }
}

impl Catalogue {
    /// The region of the switch, where it is listed.
    fn listed_region(&self, node: &NodeId) -> Option<&RegionName> {
        let node = self.nodes.iter().find(|listed| listed.node_id == *node);
        node.map(|node| &node.region)
    }

    /// The region whose calls the switch gets: the default one where it is not listed.
    pub fn switch_region(&self, node: &NodeId) -> &str {
        self.listed_region(node).map_or(DEFAULT, RegionName::as_str)
    }

    /// Whether this process's region settles what is open on the switch: each attempt has one region that
    /// does, also where a switch or a campaign is not listed any more. It is the switch's; where that is not
    /// listed, the campaign's; else the default one, or the first where no campaign is of that.
    pub fn settles(&self, node: &NodeId, campaign: Option<(&TenantId, &CampaignName)>) -> bool {
        let of_campaign = || {
            let (tenant, name) = campaign?;
            Some(&self.campaign(tenant, name)?.region)
        };
        let own = &self.region;
        if let Some(region) = self.listed_region(node).or_else(of_campaign) {
            return region == own;
        }
        let regions = self.campaign_regions();
        match regions.iter().find(|region| region.as_str() == DEFAULT) {
            Some(region) => *region == own,
            None => regions.first().is_none_or(|region| *region == own),
        }
    }

    /// The campaigns whose calls this process gives out.
    pub fn own_campaigns(&self) -> impl Iterator<Item = &Campaign> {
        let campaigns = self.campaigns.values();
        campaigns.filter(|campaign| campaign.region == self.region)
    }

    /// The trunks that these go through.
    pub fn own_trunks(&self) -> impl Iterator<Item = &Trunk> {
        let own: BTreeSet<_> = self.own_campaigns().flat_map(|of| &of.trunks).collect();
        let trunks = self.trunks.values();
        trunks.filter(move |trunk| own.contains(&trunk.name))
    }

    /// The region whose campaigns use the trunk.
    pub fn trunk_region(&self, trunk: &TrunkName) -> Option<&RegionName> {
        let mut campaigns = self.campaigns.values();
        let user = campaigns.find(|campaign| campaign.trunks.contains(trunk));
        user.map(|campaign| &campaign.region)
    }

    /// What is doubtful of the regions, a sentence each: it is no mistake, because a file may be ahead of the
    /// machines.
    pub fn region_doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        let of_campaigns = self.campaign_regions();
        for region in &of_campaigns {
            let has_switch = self.nodes.iter().any(|node| node.region == **region);
            if !has_switch && region.as_str() != DEFAULT {
                doubts.push(format!(
                    "region {:?} has campaigns and none of [[nodes]]: nothing dials their calls",
                    region.as_str()
                ));
            }
        }
        let own = &self.region;
        if !of_campaigns.is_empty() && !of_campaigns.contains(own) {
            doubts.push(format!(
                "router.region: no campaign is of region {:?}: a router of it gives out no calls",
                own.as_str()
            ));
        }
        doubts
    }

    fn campaign_regions(&self) -> BTreeSet<&RegionName> {
        let campaigns = self.campaigns.values();
        campaigns.map(|campaign| &campaign.region).collect()
    }
}

#[cfg(test)]
mod tests;
