//! Campaigns: added, replaced, changed, deleted.

use super::{Desk, Draft, Refusal, text};
use crate::catalogue::{Campaign, CampaignDefinition, CampaignEntry, Catalogue, Kind, Source};
use crate::tdb::Change;
use iradialer_core::value::{CampaignName, FieldError, TenantId};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The most trunks of a campaign.
pub const MAX_TRUNKS: usize = 32;
/// The most calls at once.
pub const MAX_CALLS: u32 = 100_000;
/// How many calls are canceled in one transaction, so that others need not wait for long.
pub(super) const CANCEL_AT_ONCE: u32 = 200;

/// What is changed of a campaign.
#[derive(Debug, Clone, Copy, Default)]
pub struct CampaignPatch {
    pub active: Option<bool>,
    pub max_calls: Option<u32>,
    /// Whether `max_calls` may be more than the definition has: the operator's to say.
    pub may_raise: bool,
}

/// Which campaign.
pub type Of<'o> = (&'o TenantId, &'o CampaignName);

impl Desk<'_> {
    /// Adds a campaign, or replaces one that was added. Returns whether it is new.
    pub async fn put_campaign(
        &self,
        of: Of<'_>,
        definition: CampaignDefinition,
        is_new_only: bool,
    ) -> Result<bool, Refusal> {
        let (tenant, name) = of;
        let mut is_new = false;
        self.change(|catalogue| {
            let before = catalogue.campaign(tenant, name);
            if before.is_some_and(|campaign| campaign.source == Source::File) {
                return Err(in_file(
                    name,
                    "its active and max_calls can be changed here",
                ));
            }
            if before.is_some() && is_new_only {
                let message = format!("There is a campaign {name} already");
                return Err(Refusal::conflict("campaign_exists", "name", message));
            }
            check(catalogue, of, &definition)?;
            is_new = before.is_none();
            let entry = CampaignEntry {
                definition: Some(definition.clone()),
                changed_ms: self.now_ms,
                ..CampaignEntry::default()
            };
            let became = json!(definition);
            Ok(Some(self.campaign_draft(
                of,
                &entry,
                before,
                "campaign.put",
                Some(became),
            )))
        })
        .await?;
        Ok(is_new)
    }

    /// Changes a campaign, of the file or added.
    pub async fn patch_campaign(&self, of: Of<'_>, patch: CampaignPatch) -> Result<(), Refusal> {
        let (tenant, name) = of;
        self.change(|catalogue| {
            let before = known(catalogue, of)?;
            if let Some(max_calls) = patch.max_calls
                && max_calls > before.defined_max_calls
                && !patch.may_raise
            {
                let most = before.defined_max_calls;
                return Err(Refusal::Forbidden(format!(
                    "max_calls: expected up to {most}, as the operator has it, got {max_calls}"
                )));
            }
            let key = (tenant.clone(), name.clone());
            let mut entry = catalogue
                .entries
                .campaigns
                .get(&key)
                .cloned()
                .unwrap_or_default();
            entry.deleted_ms = None;
            entry.active = patch.active.or(entry.active);
            entry.max_calls = patch.max_calls.or(entry.max_calls);
            entry.changed_ms = self.now_ms;
            let became = json!({
                "active": entry.active.unwrap_or(before.active),
                "max_calls": entry.max_calls.unwrap_or(before.max_calls),
            });
            let mut draft =
                self.campaign_draft(of, &entry, Some(before), "campaign.patch", Some(became));
            let was = json!({"active": before.active, "max_calls": before.max_calls});
            if let Some(noted) = &mut draft.noted {
                noted.was = Some(was);
            }
            Ok(Some(draft))
        })
        .await
    }

    /// Deletes a campaign that was added. One with calls that are queued or open is deleted only where `cancel`
    /// says that the queued ones end as canceled; those that are open go on. Returns how many ended.
    pub async fn delete_campaign(&self, of: Of<'_>, cancel: bool) -> Result<u64, Refusal> {
        let (tenant, name) = of;
        self.change(|catalogue| {
            let before = known(catalogue, of)?;
            if before.source == Source::File {
                return Err(in_file(name, "it can be made inactive here"));
            }
            let entry = CampaignEntry {
                deleted_ms: Some(self.now_ms),
                changed_ms: self.now_ms,
                ..CampaignEntry::default()
            };
            let mut draft = self.campaign_draft(of, &entry, Some(before), "campaign.delete", None);
            draft.without_calls_of = (!cancel).then(|| (tenant.clone(), name.clone()));
            Ok(Some(draft))
        })
        .await?;
        match cancel {
            true => Ok(self.cancel_queued(tenant, Some(name)).await?.0),
            false => Ok(0),
        }
    }

    fn campaign_draft(
        &self,
        (tenant, name): Of<'_>,
        entry: &CampaignEntry,
        before: Option<&Campaign>,
        action: &'static str,
        became: Option<Value>,
    ) -> Draft {
        Draft {
            kind: Kind::Campaign,
            tenant_id: tenant.to_string(),
            name: name.to_string(),
            body: text(entry),
            without_calls_of: None,
            noted: Some(Change {
                tenant_id: tenant.clone(),
                action,
                subject: name.to_string(),
                was: before.map(|campaign| json!(definition_of(campaign))),
                became,
                at_ms: self.now_ms,
            }),
        }
    }
}

/// A campaign as it would be defined.
pub fn definition_of(campaign: &Campaign) -> CampaignDefinition {
    CampaignDefinition {
        region: campaign.region.clone(),
        trunks: campaign.trunks.clone(),
        from_number: campaign.from_number.clone(),
        caller_ranges: campaign.caller_ranges.clone(),
        event_url: campaign.event_url.clone(),
        flow: campaign.flow.clone(),
        active: campaign.active,
        max_calls: campaign.max_calls,
        hours: campaign.hours,
        timezone: campaign.timezone_name().to_owned(),
    }
}

fn known<'c>(catalogue: &'c Catalogue, (tenant, name): Of<'_>) -> Result<&'c Campaign, Refusal> {
    catalogue.campaign(tenant, name).ok_or_else(|| {
        let message = format!("There is no campaign \"{name}\"");
        Refusal::unknown("unknown_campaign", "name", message)
    })
}

fn in_file(name: &CampaignName, but: &str) -> Refusal {
    let message = format!("The campaign {name} is in the configuration file: {but}");
    Refusal::conflict("in_file", "name", message)
}

/// What can't be told from a definition alone.
fn check(
    catalogue: &Catalogue,
    (tenant, name): Of<'_>,
    definition: &CampaignDefinition,
) -> Result<(), Refusal> {
    let mut mistakes = Vec::new();
    let mut seen = BTreeSet::new();
    if definition.trunks.len() > MAX_TRUNKS {
        let got = definition.trunks.len().to_string();
        mistakes.push(FieldError::new(
            "trunks",
            format!("at most {MAX_TRUNKS}"),
            &got,
        ));
    }
    for (place, trunk) in definition.trunks.iter().enumerate() {
        let field = format!("trunks[{place}]");
        if !catalogue.trunks.contains_key(trunk) {
            mistakes.push(FieldError::new(
                field,
                "the name of a trunk",
                trunk.as_str(),
            ));
        } else if !seen.insert(trunk) {
            mistakes.push(FieldError::new(field, "each trunk once", trunk.as_str()));
        } else {
            let mut users = catalogue.users_of(trunk);
            let other = users.find(|user| {
                let is_itself = user.tenant_id == *tenant && user.name == *name;
                !is_itself && user.region != definition.region
            });
            if let Some(other) = other {
                let expected = format!(
                    "a trunk that campaigns of region {} alone use; one of region {} uses it",
                    definition.region, other.region
                );
                mistakes.push(FieldError::new(field, expected, trunk.as_str()));
            }
        }
    }
    match mistakes.is_empty() {
        true => Ok(()),
        false => Err(Refusal::Fields(mistakes)),
    }
}
