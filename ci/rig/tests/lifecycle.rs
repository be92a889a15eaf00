//! Loading and unloading with calls up, and the bus going away, on each host.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use iradialer_rig::loopback::{BUSY, CAMPAIGN, LONG, Loopback, RINGS, STAYS, TRUNK};
use iradialer_rig::scenario::flow_named;
use iradialer_rig::skip;
use iradialer_rig::system::Host;
use serde_json::json;
use std::time::{Duration, Instant};

/// The names of the switch's threads.
fn threads(site: &Loopback) -> Result<Vec<String>> {
    let tasks = format!("/proc/{}/task", site.system.switch.process().id());
    let names = std::fs::read_dir(tasks)?
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    Ok(names.map(|name| name.trim().to_owned()).collect())
}

/// The threads that are the module's for sure. A session's thread keeps the name of the thread that
/// launched it, so names of the dialer's threads say nothing while the host keeps spare threads.
fn module_threads(site: &Loopback) -> Result<Vec<String>> {
    let is_ours = |name: &String| name == "iradialer-nats" || name == "iradialer-timer";
    Ok(threads(site)?.into_iter().filter(is_ours).collect())
}

async fn command(site: &Loopback, command: &str) -> Result<()> {
    let reply = site.system.switch.exec(command).await?;
    let logs = || site.system.logs();
    let is_done = reply.contains("+OK") && !reply.contains("-ERR");
    ensure!(is_done, "{command}: {reply}\n{}", logs());
    Ok(())
}

/// A load is done when the module is on the bus again.
async fn wait_until_connected(site: &Loopback) -> Result<()> {
    let deadline = Instant::now() + LONG;
    loop {
        let status = site.system.switch.exec("iradialer status").await?;
        if status.contains(" connected,") {
            return Ok(());
        }
        let logs = || site.system.logs();
        ensure!(Instant::now() < deadline, "not connected\n{}", logs());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Unloads and loads with calls up in both states: each call gets its last event, no thread is left, and
/// the next life of the module takes calls.
async fn unload_with_calls_up(host: Host) -> Result<()> {
    const CYCLES: usize = 5;
    let site = Loopback::start(host).await?;
    ensure!(
        !module_threads(&site)?.is_empty(),
        "the module's threads have other names"
    );
    command(&site, "unload mod_iradialer").await?;
    let bare = threads(&site)?.len();
    for cycle in 1..=CYCLES {
        command(&site, "load mod_iradialer").await?;
        wait_until_connected(&site).await?;
        let (answered, ringing) = (site.call(STAYS).await?, site.call(RINGS).await?);
        site.wait_for(&answered, "answered").await?;
        site.wait_for(&ringing, "ringing").await?;

        command(&site, "unload mod_iradialer").await?;
        let left = module_threads(&site)?;
        ensure!(left.is_empty(), "cycle {cycle}: threads are left: {left:?}");

        for (call, state) in [(&answered, "completed"), (&ringing, "failed")] {
            let events = site.wait_for_end(call).await?;
            let last = events.last().context("no events")?;
            ensure!(
                last.name == "hangup" && last.data["by"] == "switch",
                "cycle {cycle}: {last:?}"
            );
            let record = site.api.call(call).await?;
            ensure!(record.text("/state") == state, "cycle {cycle}: {record:?}");
        }
    }
    // The host ends its spare threads when they have been idle for some seconds.
    let deadline = Instant::now() + LONG;
    while threads(&site)?.len() > bare {
        ensure!(
            Instant::now() < deadline,
            "{bare} threads before the calls, and now: {:?}",
            threads(&site)?
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// The bus is killed under a call and comes back: the call goes on, and all of its events arrive.
async fn bus_lost_during_a_call(host: Host) -> Result<()> {
    let mut site = Loopback::start(host).await?;
    let mut request = json!({"campaign_name": CAMPAIGN, "to_number": "+15005550006"});
    request["ivr"] = flow_named("press_one_then_code")?;
    let call = site.api.make_call(&request).await?;
    site.wait_for(&call, "answered").await?;
    let nats = site.system.nats.as_mut().context("a bus of our own")?;
    nats.kill_and_restart().await?;

    let events = site.wait_for_end(&call).await?;
    let seqs: Vec<_> = events
        .iter()
        .filter_map(|event| event.data["seq"].as_u64())
        .collect();
    let expected: Vec<_> = (1..=seqs.len() as u64).collect();
    ensure!(
        seqs == expected,
        "events are missing or out of order: {seqs:?}"
    );
    let code = events.iter().rfind(|event| event.name == "dtmf_collected");
    let code = code.map(|event| event.data["digits"].clone());
    ensure!(code == Some("4321".into()), "collected {code:?}");
    let record = site.api.call(&call).await?;
    ensure!(record.text("/state") == "completed", "{record:?}");

    // And the next call finds its way.
    let next = site.call(BUSY).await?;
    site.wait_for(&next, "hangup").await?;
    Ok(())
}

/// An operator hangs every channel up again and again while calls are placed, also those that are just being
/// made: the switch lives, and each call has its end once he lets them be.
async fn hung_up_at_any_moment(host: Host) -> Result<()> {
    const CALLS: usize = 300;
    const HANGING_UP: Duration = Duration::from_secs(5);
    let site = Loopback::start(host).await?;
    let placing = async {
        let calls = (0..CALLS).map(|_| site.call(BUSY));
        futures::future::try_join_all(calls).await
    };
    let hanging_up = async {
        let until = Instant::now() + HANGING_UP;
        let mut times = 0;
        while Instant::now() < until {
            site.system.switch.exec("hupall").await?;
            times += 1;
        }
        Ok(times)
    };
    let (calls, times) = tokio::try_join!(placing, hanging_up)?;
    println!("hung up {times} times");
    for call in calls {
        let events = site.wait_for_end(&call).await?;
        let finals = events.iter().filter(|event| event.data["final"] == true);
        ensure!(finals.count() == 1, "{events:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_unload_with_calls_up() -> Result<()> {
    unload_with_calls_up(Host::Sandbox { clock_rate: 1 }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_bus_lost_during_a_call() -> Result<()> {
    bus_lost_during_a_call(Host::Sandbox { clock_rate: 1 }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_unload_with_calls_up() -> Result<()> {
    match skip::without_freeswitch("freeswitch_unload_with_calls_up")? {
        Some(found) => unload_with_calls_up(Host::freeswitch_with_callees(found, TRUNK)?).await,
        None => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_bus_lost_during_a_call() -> Result<()> {
    match skip::without_freeswitch("freeswitch_bus_lost_during_a_call")? {
        Some(found) => bus_lost_during_a_call(Host::freeswitch_with_callees(found, TRUNK)?).await,
        None => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_hung_up_at_any_moment() -> Result<()> {
    hung_up_at_any_moment(Host::Sandbox { clock_rate: 1 }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_hung_up_at_any_moment() -> Result<()> {
    match skip::without_freeswitch("freeswitch_hung_up_at_any_moment")? {
        Some(found) => hung_up_at_any_moment(Host::freeswitch_with_callees(found, TRUNK)?).await,
        None => Ok(()),
    }
}
