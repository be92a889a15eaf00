//! Whether the machines agree on the time.

use super::{Finding, Patient};

const CHECK: &str = "clock";
/// Clocks that differ by more than this are a fault, ms: dial commands are good for a few seconds.
const MOST_APART_MS: u64 = 1_500;

pub(super) async fn look(patient: &Patient) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut compared = 0;
    if let Some(tdb) = &patient.tdb
        && let Ok(Some(theirs_ms)) = tdb.clock_ms().await
    {
        compared += 1;
        let ours_ms = patient.clock.now_ms();
        findings.extend(apart("the database server", theirs_ms, ours_ms));
    }
    for heard in patient.heard.iter().flatten() {
        compared += 1;
        let who = format!("the switch {}", heard.heartbeat.node_id);
        findings.extend(apart(&who, heard.heartbeat.at_ms, heard.at_ms));
    }
    findings.extend(set_back(patient).await);
    if findings.is_empty() {
        findings.push(match compared {
            0 => Finding::skipped(CHECK, "there is no other machine's clock to compare with"),
            _ => Finding::ok(
                CHECK,
                format!("{compared} clocks agree with this machine's"),
            ),
        });
    }
    findings
}

fn apart(who: &str, theirs_ms: u64, ours_ms: u64) -> Option<Finding> {
    let by_ms = theirs_ms.abs_diff(ours_ms);
    (by_ms > MOST_APART_MS).then(|| {
        let (seconds, way) = match theirs_ms > ours_ms {
            true => (by_ms as f64 / 1_000.0, "ahead of"),
            false => (by_ms as f64 / 1_000.0, "behind"),
        };
        let found = format!("the clock of {who} is {seconds:.1} s {way} this machine's");
        let mend = "have both set by NTP (Debian: apt-get install chrony): a switch refuses dial commands \
            that its clock says are too old";
        Finding::fault(CHECK, found, mend)
    })
}

/// What was written in the future was written before this clock was set back, or by one that is ahead.
async fn set_back(patient: &Patient) -> Option<Finding> {
    let tdb = patient.tdb.as_ref()?;
    let region = patient.config.router.region.as_str();
    let noted_ms = tdb.switch_view(region).await.ok()??.at_ms;
    let ahead_ms = noted_ms.checked_sub(patient.clock.now_ms())?;
    (ahead_ms > MOST_APART_MS).then(|| {
        let found = format!(
            "a router has noted something {:.1} s from now",
            ahead_ms as f64 / 1_000.0
        );
        let mend = "see which machine's clock is wrong, and have it set by NTP";
        Finding::fault(CHECK, found, mend)
    })
}
