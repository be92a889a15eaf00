//! Loading and unloading with calls up, and the bus going away, on each host.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use iradialer_rig::api::Api;
use iradialer_rig::gateway::{Campaign, Config, Trunk};
use iradialer_rig::repository::Built;
use iradialer_rig::scenario::flow_named;
use iradialer_rig::skip;
use iradialer_rig::system::{Bus, Host, System};
use iradialer_rig::webhook::Delivery;
use serde_json::json;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const TENANT: &str = "acme";
const TRUNK: &str = "loopback";
/// Answers and stays: the call is held in silence until somebody ends it.
const STAYS: &str = "+15005550002";
/// Rings until it is cancelled.
const RINGS: &str = "+15005550004";
/// Longer than anything here takes with every core busy.
const LONG: Duration = Duration::from_secs(60);

struct Site {
    system: System,
    api: Api,
    _prompts: TempDir,
}

impl Site {
    async fn start(host: Host) -> Result<Self> {
        let built = Built::now(false)?;
        let prompts = iradialer_rig::prompts::in_temp_dir()?;
        let config = Config {
            trunks: vec![Trunk {
                name: TRUNK.into(),
                max_cps: 100.0,
                max_calls: 1_000,
            }],
            campaigns: vec![Campaign {
                name: "test".into(),
                tenant_id: TENANT.into(),
                trunks: vec![TRUNK.into()],
                from_number: "+15005550100".into(),
                event_url: String::new(),
                flow: String::new(),
                max_calls: 1_000,
            }],
            ..Config::default()
        };
        let system = System::start(&built, host, Bus::Named, config, prompts.path()).await?;
        let api = system.gateway.api(TENANT)?;
        Ok(Site {
            system,
            api,
            _prompts: prompts,
        })
    }

    async fn call(&self, number: &str) -> Result<String> {
        let request = json!({"campaign_name": "test", "to_number": number, "dial_timeout": 60});
        self.api.make_call(&request).await
    }

    async fn wait_for(&self, call: &str, name: &str) -> Result<Vec<Delivery>> {
        let came = |events: &[Delivery]| events.iter().any(|event| event.name == name);
        let events = self.system.webhooks.wait_for(call, name, LONG, came).await;
        events.with_context(|| self.system.logs())
    }

    /// The names of the switch's threads.
    fn threads(&self) -> Result<Vec<String>> {
        let tasks = format!("/proc/{}/task", self.system.switch.process().id());
        let names = std::fs::read_dir(tasks)?
            .flatten()
            .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        Ok(names.map(|name| name.trim().to_owned()).collect())
    }

    /// The threads that are the module's for sure. A session's thread keeps the name of the thread that
    /// launched it, so names of the dialer's threads say nothing while the host keeps spare threads.
    fn module_threads(&self) -> Result<Vec<String>> {
        let is_ours = |name: &String| name == "iradialer-nats" || name == "iradialer-timer";
        Ok(self.threads()?.into_iter().filter(is_ours).collect())
    }

    async fn command(&self, command: &str) -> Result<()> {
        let reply = self.system.switch.exec(command).await?;
        ensure!(
            reply.contains("+OK"),
            "{command}: {reply}\n{}",
            self.system.logs()
        );
        Ok(())
    }

    /// A load is done when the module is on the bus again.
    async fn wait_until_connected(&self) -> Result<()> {
        let deadline = Instant::now() + LONG;
        while !self
            .system
            .switch
            .exec("iradialer status")
            .await?
            .contains(" connected,")
        {
            ensure!(
                Instant::now() < deadline,
                "not connected\n{}",
                self.system.logs()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// Unloads and loads with calls up in both states: each call gets its last event, no thread is left, and
/// the next life of the module takes calls.
async fn unload_with_calls_up(host: Host) -> Result<()> {
    const CYCLES: usize = 5;
    let site = Site::start(host).await?;
    ensure!(
        !site.module_threads()?.is_empty(),
        "the module's threads have other names"
    );
    site.command("unload mod_iradialer").await?;
    let bare = site.threads()?.len();
    for cycle in 1..=CYCLES {
        site.command("load mod_iradialer").await?;
        site.wait_until_connected().await?;
        let (answered, ringing) = (site.call(STAYS).await?, site.call(RINGS).await?);
        site.wait_for(&answered, "answered").await?;
        site.wait_for(&ringing, "ringing").await?;

        site.command("unload mod_iradialer").await?;
        let left = site.module_threads()?;
        ensure!(left.is_empty(), "cycle {cycle}: threads are left: {left:?}");

        for (call, state) in [(&answered, "completed"), (&ringing, "failed")] {
            let events = site.system.webhooks.wait_for_end(call, LONG).await?;
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
    while site.threads()?.len() > bare {
        ensure!(
            Instant::now() < deadline,
            "{bare} threads before the calls, and now: {:?}",
            site.threads()?
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// The bus is killed under a call and comes back: the call goes on, and all of its events arrive.
async fn bus_lost_during_a_call(host: Host) -> Result<()> {
    let mut site = Site::start(host).await?;
    let mut request = json!({"campaign_name": "test", "to_number": "+15005550006"});
    request["ivr"] = flow_named("press_one_then_code")?;
    let call = site.api.make_call(&request).await?;
    site.wait_for(&call, "answered").await?;
    let nats = site.system.nats.as_mut().context("a bus of our own")?;
    nats.kill_and_restart().await?;

    let events = site.system.webhooks.wait_for_end(&call, LONG).await;
    let events = events.with_context(|| site.system.logs())?;
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
    let next = site.call("+15005550003").await?;
    site.wait_for(&next, "hangup").await?;
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
