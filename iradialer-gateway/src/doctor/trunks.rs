//! Whether the trunks take calls, and the campaigns have some.

use super::{Finding, Patient};
use crate::trunk::Gate;

const CHECK: &str = "trunks";

pub(super) async fn look(patient: &Patient) -> Vec<Finding> {
    let catalogue = &patient.catalogue;
    let mut findings = Vec::new();
    if catalogue.trunks.is_empty() {
        let mend =
            "add a [[trunks]] with the name of FreeSWITCH's gateway, or PUT /api/trunks/NAME";
        return vec![Finding::warning(CHECK, "there is no trunk", mend)];
    }
    for campaign in catalogue.campaigns.values() {
        if campaign.trunks.is_empty() {
            let found = format!(
                "the campaign {} of {} has no trunk: its calls are refused with 409",
                campaign.name, campaign.tenant_id
            );
            findings.push(Finding::warning(CHECK, found, "name one in its trunks"));
        }
    }
    let Some(tdb) = &patient.tdb else {
        return findings;
    };
    let states = tdb.trunk_states().await.unwrap_or_default();
    let now_ms = patient.clock.now_ms();
    for trunk in catalogue.trunks.values() {
        if !trunk.enabled {
            let found = format!("the trunk {} is disabled", trunk.name);
            let mend = "PATCH /api/trunks/NAME with {\"enabled\": true} when it is to take calls";
            findings.push(Finding::warning(CHECK, found, mend));
            continue;
        }
        let state = states.get(&trunk.name).cloned().unwrap_or_default();
        let why = state.breaker_reason.as_deref().unwrap_or("no reason noted");
        findings.push(match state.gate(now_ms) {
            Gate::Open if state.learned_cps(now_ms).is_some_and(|cps| cps < trunk.max_cps) => {
                let cps = state.rate(trunk.max_cps, now_ms);
                let found = format!(
                    "the trunk {} is slowed down to {cps:.1} of {} calls a second: its carrier refused more",
                    trunk.name, trunk.max_cps
                );
                let mend = "set its max_cps to what the carrier allows, or ask the carrier for more";
                Finding::warning(CHECK, found, mend)
            }
            Gate::Open => {
                let found = format!("{} takes {} calls a second", trunk.name, trunk.max_cps);
                Finding::ok(CHECK, found)
            }
            Gate::Probe | Gate::Shut(..) => {
                let found = format!("the trunk {} gets no calls: {why}", trunk.name);
                let mend = format!(
                    "`sofia status gateway {}` in fs_cli; is the name that of FreeSWITCH's gateway, are its \
                     credentials right, does the carrier allow this machine's address? It is tried again by \
                     itself",
                    trunk.name
                );
                Finding::fault(CHECK, found, mend)
            }
        });
    }
    findings
}
