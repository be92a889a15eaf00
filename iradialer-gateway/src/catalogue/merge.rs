//! What the file says, with what is in the TDB.

use super::entry::{CampaignEntry, Entries};
use super::{Campaign, Catalogue, Source, Trunk, TrunksUsed};
use iradialer_core::value::{CampaignName, TenantId, TrunkName};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Catalogue {
    /// This, the file's, with the entries of that version. It never fails: what does not fit together any more,
    /// because the file was changed since, is left out, and told in a sentence each.
    pub fn with(&self, version: u64, entries: Entries) -> (Catalogue, Vec<String>) {
        let mut doubts = entries.unread.clone();
        let mut merged = Catalogue {
            version,
            ..self.clone()
        };
        let entries = Arc::new(entries);
        merged.entries = Arc::clone(&entries);
        for (name, entry) in &entries.trunks {
            if let Some(definition) = &entry.definition {
                let added = definition.trunk(name, Source::Added);
                add(
                    &mut merged.trunks,
                    name.clone(),
                    added,
                    "trunk",
                    &mut doubts,
                );
            }
            if let Some(trunk) = merged.trunks.get_mut(name) {
                trunk.enabled = entry.enabled.unwrap_or(trunk.enabled);
                trunk.max_calls = entry.max_calls.unwrap_or(trunk.max_calls);
                trunk.defined_cps = entry.max_cps.unwrap_or(trunk.defined_cps);
                trunk.changed_ms = Some(entry.changed_ms);
            }
        }
        for trunk in merged.trunks.values_mut() {
            trunk.max_cps = trunk.defined_cps * entries.queue.share_of_cps();
        }
        for ((tenant, name), entry) in &entries.campaigns {
            merged.merge_campaign(tenant, name, entry, &mut doubts);
        }
        merged.part_regions(&mut doubts);
        let hours = merged.entries.queue.working_hours;
        for campaign in merged.campaigns.values_mut() {
            campaign.hours = campaign.hours.or(hours);
        }
        if let Some(most) = merged.entries.queue.max_total_queue_size {
            merged.queue.refuse_above = u64::from(most);
            merged.queue.slow_down_above = merged.queue.slow_down_above.min(u64::from(most));
        }
        (merged, doubts)
    }

    fn merge_campaign(
        &mut self,
        tenant: &TenantId,
        name: &CampaignName,
        entry: &CampaignEntry,
        doubts: &mut Vec<String>,
    ) {
        let key = (tenant.clone(), name.clone());
        if let Some(definition) = &entry.definition {
            match definition.campaign(tenant, name, Source::Added) {
                Some(added) => add(&mut self.campaigns, key.clone(), added, "campaign", doubts),
                None => doubts.push(format!(
                    "campaign {tenant}/{name}: this machine has no time zone {}",
                    definition.timezone
                )),
            }
        }
        match (self.campaigns.get_mut(&key), entry.deleted_ms) {
            (Some(campaign), _) => {
                campaign.active = entry.active.unwrap_or(campaign.active);
                campaign.max_calls = entry.max_calls.unwrap_or(campaign.max_calls);
                campaign.changed_ms = Some(entry.changed_ms);
            }
            (None, Some(deleted_ms)) => drop(self.deleted.insert(key, deleted_ms)),
            (None, None) => {}
        }
    }

    /// A trunk that campaigns of two regions use is the first one's: the file's, else by name. Two routers that
    /// fed it would each give it all of its rate.
    fn part_regions(&mut self, doubts: &mut Vec<String>) {
        let mut used = TrunksUsed::default();
        let of_file = |campaign: &Campaign| campaign.source == Source::File;
        for from_file in [true, false] {
            let campaigns = self.campaigns.values_mut();
            for campaign in campaigns.filter(|campaign| of_file(campaign) == from_file) {
                let name = format!("campaign {}/{}", campaign.tenant_id, campaign.name);
                let mut trunks = std::mem::take(&mut campaign.trunks);
                trunks.retain(|trunk| match used.by(&name, campaign, trunk) {
                    None => true,
                    Some(other) => {
                        let expected = other.expected(&name, &campaign.region);
                        doubts.push(format!(
                            "{name} goes without its trunk {trunk}: expected {expected}"
                        ));
                        false
                    }
                });
                campaign.trunks = trunks;
                for trunk in &campaign.trunks {
                    if !self.trunks.contains_key(trunk) {
                        doubts.push(format!("{name}: there is no trunk {trunk} any more"));
                    }
                }
            }
        }
    }
}

/// What was added goes behind what the file has come to have under that name.
fn add<K: Ord, T>(to: &mut BTreeMap<K, T>, key: K, added: T, what: &str, doubts: &mut Vec<String>)
where
    T: Named,
{
    match to.get(&key) {
        None => drop(to.insert(key, added)),
        Some(_) => doubts.push(format!(
            "{what} {}: the configuration file has one of that name, which goes before the one that was added",
            added.shown()
        )),
    }
}

trait Named {
    fn shown(&self) -> String;
}

impl Named for Trunk {
    fn shown(&self) -> String {
        TrunkName::to_string(&self.name)
    }
}

impl Named for Campaign {
    fn shown(&self) -> String {
        format!("{}/{}", self.tenant_id, self.name)
    }
}
