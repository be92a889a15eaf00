//! Whether the licence holds, and for how long.

use super::{Finding, Patient};
use crate::license::{Licensing, ShownStanding, State};

const CHECK: &str = "license";

pub(super) async fn look(patient: &Patient) -> Vec<Finding> {
    let Some(tdb) = &patient.tdb else {
        return vec![Finding::skipped(CHECK, "the TDB can't be read")];
    };
    let licensing = Licensing::new(&patient.config, patient.clock.clone(), tdb.clone());
    if let Err(error) = licensing.refresh().await {
        return vec![Finding::skipped(
            CHECK,
            format!("it can't be read: {error}"),
        )];
    }
    let standing = licensing.standing();
    let shown = ShownStanding::of(&standing, &[]);
    let mut findings: Vec<Finding> = Vec::new();
    for warning in &shown.warnings {
        let told = warning.message.as_str();
        findings.push(match warning.name {
            "clock_set_back" => {
                let mend = "have this machine's clock set by NTP; until then time goes on from the latest that was \
                    seen";
                Finding::fault(CHECK, told, mend)
            }
            "expires_soon" => {
                let mend = "get the next licence and install it: `iradialer-gateway license install FILE`";
                Finding::warning(CHECK, told, mend)
            }
            "expired" | "not_yet_valid" => {
                let mend = "no new call is taken: `iradialer-gateway license install FILE` with one that holds now";
                Finding::fault(CHECK, told, mend)
            }
            _ => {
                let mend = "`iradialer-gateway license verify FILE` says why; license.public_keys has to list the \
                    key it is signed with";
                Finding::warning(CHECK, told, mend)
            }
        });
    }
    let limits = standing.limits;
    let held = format!(
        "{} calls at once, {} a second, {} switches",
        limits.max_channels, limits.max_cps, limits.max_switches
    );
    match standing.state {
        State::Evaluation => {
            let found = format!("there is no licence: for evaluation {held}");
            let mend = "`iradialer-gateway license install FILE`, once you have one";
            findings.push(Finding::warning(CHECK, found, mend));
        }
        State::Active if findings.is_empty() => {
            findings.push(Finding::ok(CHECK, format!("it holds: {held}")));
        }
        _ => {}
    }
    findings
}
