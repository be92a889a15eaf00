//! A gateway that is killed with calls up takes them up again, and two switches with one node id are named.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use iradialer_rig::loopback::{BUSY, LONG, Loopback, RINGS, STAYS, TENANT};
use iradialer_rig::system::Switch;
use std::time::{Duration, Instant};

/// Waits until the command's answer on the switch `exec` fits.
async fn wait_until(
    site: &Loopback,
    what: &str,
    exec: impl Fn() -> Result<String>,
    fits: impl Fn(&str) -> bool,
) -> Result<()> {
    let deadline = Instant::now() + LONG;
    loop {
        let answer = exec()?;
        if fits(&answer) {
            return Ok(());
        }
        let logs = || site.system.logs();
        ensure!(Instant::now() < deadline, "{what}: {answer}\n{}", logs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_gateway_killed_with_calls_up() -> Result<()> {
    let mut site = Loopback::on_sandbox().await?;
    let (answered, ringing) = (site.call(STAYS).await?, site.call(RINGS).await?);
    site.wait_for(&answered, "answered").await?;
    site.wait_for(&ringing, "ringing").await?;
    site.system.gateway.crash_and_start(false).await?;
    site.api = site.system.gateway.api(TENANT)?;

    for (call, state) in [(&answered, "completed"), (&ringing, "canceled")] {
        let record = site.api.call(call).await?;
        ensure!(record.body["final"] == false, "{record:?}");
        let dropped = site.api.drop_call(call).await?;
        ensure!(dropped.status == 200, "{dropped:?}");
        let events = site.wait_for_end(call).await?;
        let starts = events
            .iter()
            .filter(|event| event.name == "started")
            .count();
        let last = events.last().context("no events")?;
        ensure!(starts == 1 && last.data["by"] == "request", "{events:?}");
        let record = site.api.call(call).await?;
        ensure!(record.text("/state") == state, "{record:?}");
    }
    // And it gives out calls.
    let next = site.call(BUSY).await?;
    site.wait_for(&next, "hangup").await?;
    Ok(())
}

/// More calls than the trunk takes at once: the wish comes before the assignment, while the switch takes
/// the call, and while it rings.
#[tokio::test(flavor = "multi_thread")]
async fn sandbox_calls_dropped_at_any_moment() -> Result<()> {
    let site = Loopback::on_sandbox().await?;
    let canceling = (0..60u64).map(async |n| {
        let call = site.call(RINGS).await?;
        tokio::time::sleep(Duration::from_millis(n % 4 * n * 3)).await;
        let dropped = site.api.drop_call(&call).await?;
        ensure!([200, 409].contains(&dropped.status), "{dropped:?}");
        Ok(call)
    });
    let calls: Vec<String> = futures::future::try_join_all(canceling).await?;
    let mut dialled = 0;
    for call in &calls {
        let events = site.wait_for_end(call).await?;
        let starts = events
            .iter()
            .filter(|event| event.name == "started")
            .count();
        ensure!(starts <= 1, "{events:?}");
        dialled += starts;
        let finals = events.iter().filter(|event| event.data["final"] == true);
        ensure!(finals.count() == 1, "{events:?}");
        let record = site.api.call(call).await?;
        ensure!(record.text("/state") == "canceled", "{record:?}");
    }
    println!("{dialled} of {} had been dialled", calls.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_two_switches_of_one_name() -> Result<()> {
    let site = Loopback::on_sandbox().await?;
    let second = site.system.start_namesake(&site.built, site.prompts.path());
    let second = second.await?;
    let Switch::Sandbox(first) = &site.system.switch else {
        unreachable!("a sandbox was asked for")
    };
    let status = "iradialer status";
    let later = "began later: no new call starts";
    let named = |text: &str| text.contains("SECOND SWITCH");
    let stopped = |text: &str| text.contains(later);
    let of_second = || second.exec(status);
    wait_until(&site, "the second", of_second, stopped).await?;
    let of_first = || first.exec(status);
    wait_until(&site, "the first", of_first, named).await?;
    ensure!(!first.exec(status)?.contains(later), "both stopped");
    ensure!(
        site.system
            .logs()
            .contains("two switches have this node-id"),
        "{}",
        site.system.logs()
    );

    let call = site.call(BUSY).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let record = site.api.call(&call).await?;
    ensure!(record.text("/state") == "queued", "{record:?}");
    second.stop().await?;
    site.wait_for(&call, "hangup").await?;
    let gone = |text: &str| !text.contains("SECOND SWITCH");
    wait_until(&site, "the first", of_first, gone).await
}
