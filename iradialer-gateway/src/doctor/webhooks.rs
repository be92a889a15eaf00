//! Whether webhooks arrive.

use super::{Finding, Patient};

const CHECK: &str = "webhooks";
const DAY_MS: u64 = 86_400_000;

pub(super) async fn look(patient: &Patient) -> Vec<Finding> {
    let Some(tdb) = &patient.tdb else {
        return Vec::new();
    };
    let since_ms = patient.clock.now_ms().saturating_sub(DAY_MS);
    let finding = match tdb.given_up_since(since_ms).await {
        Ok(0) => Finding::ok(CHECK, "none was given up within a day"),
        Ok(dead) => {
            let found = format!("{dead} were given up within a day");
            let mend = "`iradialer-gateway webhook list --tenant NAME` says why; mend the receivers, then \
                `webhook replay`";
            Finding::warning(CHECK, found, mend)
        }
        Err(error) => Finding::skipped(CHECK, format!("they can't be counted: {error}")),
    };
    vec![finding]
}
