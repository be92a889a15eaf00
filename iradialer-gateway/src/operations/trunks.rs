//! Trunks: added, replaced, changed, deleted. They are the operator's.

use super::{Desk, Draft, Refusal, operator, text};
use crate::catalogue::{Catalogue, Kind, Source, Trunk, TrunkDefinition, TrunkEntry};
use crate::tdb::Change;
use iradialer_core::value::TrunkName;
use serde_json::{Value, json};

/// The highest rate, calls a second.
pub const MAX_CPS: f64 = 1_000.0;

/// What is changed of a trunk.
#[derive(Debug, Clone, Copy, Default)]
pub struct TrunkPatch {
    pub enabled: Option<bool>,
    pub max_cps: Option<f64>,
    pub max_calls: Option<u32>,
}

impl Desk<'_> {
    /// Adds a trunk, or replaces one that was added. Returns whether it is new.
    pub async fn put_trunk(
        &self,
        name: &TrunkName,
        definition: TrunkDefinition,
        is_new_only: bool,
    ) -> Result<bool, Refusal> {
        let mut is_new = false;
        self.change(|catalogue| {
            let before = catalogue.trunks.get(name);
            if before.is_some_and(|trunk| trunk.source == Source::File) {
                return Err(in_file(
                    name,
                    "its enabled, max_cps and max_calls can be changed here",
                ));
            }
            if before.is_some() && is_new_only {
                let message = format!("There is a trunk {name} already");
                return Err(Refusal::conflict("trunk_exists", "name", message));
            }
            is_new = before.is_none();
            let entry = TrunkEntry {
                definition: Some(definition.clone()),
                changed_ms: self.now_ms,
                ..TrunkEntry::default()
            };
            let became = shown(&definition.trunk(name, Source::Added));
            Ok(Some(self.trunk_draft(
                name,
                Some(&entry),
                before,
                "trunk.put",
                Some(became),
            )))
        })
        .await?;
        Ok(is_new)
    }

    /// Changes a trunk, of the file or added.
    pub async fn patch_trunk(&self, name: &TrunkName, patch: TrunkPatch) -> Result<(), Refusal> {
        self.change(|catalogue| {
            let before = known(catalogue, name)?;
            let mut entry = catalogue
                .entries
                .trunks
                .get(name)
                .cloned()
                .unwrap_or_default();
            entry.enabled = patch.enabled.or(entry.enabled);
            entry.max_cps = patch.max_cps.or(entry.max_cps);
            entry.max_calls = patch.max_calls.or(entry.max_calls);
            entry.changed_ms = self.now_ms;
            let mut after = before.clone();
            after.enabled = patch.enabled.unwrap_or(before.enabled);
            after.defined_cps = patch.max_cps.unwrap_or(before.defined_cps);
            after.max_calls = patch.max_calls.unwrap_or(before.max_calls);
            let became = Some(shown(&after));
            Ok(Some(self.trunk_draft(
                name,
                Some(&entry),
                Some(before),
                "trunk.patch",
                became,
            )))
        })
        .await
    }

    /// Deletes a trunk that was added, unless campaigns use it.
    pub async fn delete_trunk(&self, name: &TrunkName) -> Result<(), Refusal> {
        self.change(|catalogue| {
            let before = known(catalogue, name)?;
            if before.source == Source::File {
                return Err(in_file(name, "it can be disabled here"));
            }
            let users = catalogue.users_of(name);
            let users: Vec<_> = users
                .map(|campaign| format!("{}/{}", campaign.tenant_id, campaign.name))
                .collect();
            if !users.is_empty() {
                let message = format!("The trunk {name} is used by {}", users.join(", "));
                return Err(Refusal::conflict("trunk_in_use", "name", message));
            }
            Ok(Some(self.trunk_draft(
                name,
                None,
                Some(before),
                "trunk.delete",
                None,
            )))
        })
        .await
    }

    /// Forgets what the trunk has shown of itself: its breaker, its learned rate, its waits.
    pub async fn clear_trunk(&self, name: &TrunkName) -> Result<(), Refusal> {
        let catalogue = self.look().await?;
        known(&catalogue, name)?;
        let noted = Change {
            tenant_id: operator(),
            action: "trunk.clear",
            subject: name.to_string(),
            was: None,
            became: None,
            at_ms: self.now_ms,
        };
        let cleared = self.tdb.clear_trunk(name, noted, self.author.clone());
        Ok(cleared.await?)
    }

    fn trunk_draft(
        &self,
        name: &TrunkName,
        entry: Option<&TrunkEntry>,
        before: Option<&Trunk>,
        action: &'static str,
        became: Option<Value>,
    ) -> Draft {
        Draft {
            kind: Kind::Trunk,
            tenant_id: String::new(),
            name: name.to_string(),
            body: entry.and_then(text),
            without_calls_of: None,
            noted: Some(Change {
                tenant_id: operator(),
                action,
                subject: name.to_string(),
                was: before.map(shown),
                became,
                at_ms: self.now_ms,
            }),
        }
    }
}

/// Without its password.
fn shown(trunk: &Trunk) -> Value {
    let definition = trunk.definition.as_ref();
    json!({
        "enabled": trunk.enabled,
        "max_cps": trunk.defined_cps,
        "max_calls": trunk.max_calls,
        "dtmf": trunk.dtmf,
        "caller_ranges": trunk.caller_ranges,
        "nodes": trunk.nodes,
        "sip_profile": definition.map(|of| &of.sip_profile),
        "params": definition.map(|of| of.shown_params()),
        "variables": definition.map(|of| &of.variables),
    })
}

fn known<'c>(catalogue: &'c Catalogue, name: &TrunkName) -> Result<&'c Trunk, Refusal> {
    catalogue.trunks.get(name).ok_or_else(|| {
        let message = format!("There is no trunk {name}");
        Refusal::unknown("unknown_trunk", "name", message)
    })
}

fn in_file(name: &TrunkName, but: &str) -> Refusal {
    let message = format!("The trunk {name} is in the configuration file: {but}");
    Refusal::conflict("in_file", "name", message)
}
