//! The limit of a licence, held by the real module: on the sandbox and on FreeSWITCH.
#![forbid(unsafe_code)]

use anyhow::{Result, ensure};
use iradialer_rig::licence::Licence;
use iradialer_rig::loopback::{LONG, Loopback, STAYS, TRUNK};
use iradialer_rig::skip;
use iradialer_rig::system::Host;
use std::time::{Duration, Instant};

const TWO: Licence = Licence {
    channels: 2,
    cps: 100,
    switches: 1,
};

/// How many calls the switch has.
async fn calls(site: &Loopback) -> Result<usize> {
    let listed = site.system.switch.exec("iradialer calls").await?;
    let total = listed.lines().find_map(|line| line.strip_suffix(" total."));
    Ok(total.unwrap_or("").trim().parse()?)
}

/// Waits until these calls are up, and of all of them as many as the licence allows.
async fn wait_for_answered(site: &Loopback, calls: &[String], count: usize) -> Result<Vec<String>> {
    let deadline = Instant::now() + LONG;
    loop {
        let mut answered = Vec::new();
        for call in calls {
            if site.api.call(call).await?.text("/state") == "answered" {
                answered.push(call.clone());
            }
        }
        if answered.len() == count {
            return Ok(answered);
        }
        ensure!(
            answered.len() < count && Instant::now() < deadline,
            "{} are answered, not {count}\n{}",
            answered.len(),
            site.system.logs()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Five calls under a licence of two: two are up, the others wait and are not lost, and each that ends lets the next in.
async fn no_more_than_two(host: Host) -> Result<()> {
    let site = Loopback::start_under(host, TWO).await?;
    let mut waiting = Vec::new();
    for _ in 0..5 {
        waiting.push(site.call(STAYS).await?);
    }
    for up in [2, 2, 2, 2, 1] {
        let answered = wait_for_answered(&site, &waiting, up).await?;
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            ensure!(calls(&site).await? == up, "{}", site.system.logs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if waiting.len() == 5 {
            let status = site.system.switch.exec("iradialer status").await?;
            ensure!(status.contains("2 calls at once"), "{status}");
        }
        let first = &answered[0];
        ensure!(site.api.drop_call(first).await?.status == 200, "{first}");
        site.wait_for_end(first).await?;
        waiting.retain(|call| call != first);
    }
    ensure!(waiting.is_empty(), "{waiting:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_no_more_than_two() -> Result<()> {
    no_more_than_two(Host::Sandbox { clock_rate: 1 }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_no_more_than_two() -> Result<()> {
    match skip::without_freeswitch("freeswitch_no_more_than_two")? {
        Some(found) => no_more_than_two(Host::freeswitch_with_callees(found, TRUNK)?).await,
        None => Ok(()),
    }
}
