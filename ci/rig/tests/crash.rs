//! A switch that is killed with calls up says of each how it ended once it is started again.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use iradialer_rig::loopback::{Loopback, RINGS, STAYS};
use iradialer_rig::system::Switch;

/// Whom to call, and what has to have happened when the switch is killed.
const CALLEES: [(&str, &str); 2] = [(STAYS, "answered"), (RINGS, "ringing")];

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_killed_with_calls_up() -> Result<()> {
    let mut site = Loopback::on_sandbox().await?;
    let mut calls = Vec::new();
    for (number, reached) in CALLEES {
        let call = site.call(number).await?;
        site.wait_for(&call, reached).await?;
        calls.push(call);
    }

    let Switch::Sandbox(sandbox) = &mut site.system.switch else {
        unreachable!("a sandbox was asked for")
    };
    sandbox.crash_and_start().await?;

    for call in calls {
        let events = site.wait_for_end(&call).await?;
        let last = events.last().context("no events")?;
        ensure!(
            last.name == "hangup" && last.data["by"] == "crash",
            "{last:?}"
        );
        let mut seqs: Vec<_> = events
            .iter()
            .filter_map(|e| e.data["seq"].as_u64())
            .collect();
        seqs.sort_unstable();
        seqs.dedup();
        ensure!(
            seqs.len() == usize::try_from(last.data["seq"].as_u64().unwrap_or(0))?
                && seqs.iter().copied().eq(1..=seqs.len() as u64),
            "gaps in {seqs:?}"
        );
        let record = site.api.call(&call).await?;
        ensure!(record.text("/state") == "unknown", "{record:?}");
    }
    Ok(())
}
