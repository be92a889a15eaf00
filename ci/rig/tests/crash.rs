//! A switch that is killed with calls up says of each how it ended once it is started again.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use iradialer_rig::gateway::{Campaign, Config, Trunk};
use iradialer_rig::repository::Built;
use iradialer_rig::system::{Bus, Host, Switch, System};
use serde_json::json;
use std::time::Duration;

const TENANT: &str = "acme";
const TRUNK: &str = "loopback";
/// Answers and stays, and rings until it is cancelled.
const CALLEES: [(&str, &str); 2] = [("+15005550002", "answered"), ("+15005550004", "ringing")];
/// Longer than anything here takes with every core busy.
const LONG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_killed_with_calls_up() -> Result<()> {
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
    let host = Host::Sandbox { clock_rate: 1 };
    let mut system = System::start(&built, host, Bus::Named, config, prompts.path()).await?;
    let api = system.gateway.api(TENANT)?;
    let mut calls = Vec::new();
    for (number, reached) in CALLEES {
        let request = json!({"campaign_name": "test", "to_number": number, "dial_timeout": 60});
        let call = api.make_call(&request).await?;
        let came = |events: &[iradialer_rig::webhook::Delivery]| {
            events.iter().any(|event| event.name == reached)
        };
        let heard = system.webhooks.wait_for(&call, reached, LONG, came).await;
        heard.with_context(|| system.logs())?;
        calls.push(call);
    }

    let Switch::Sandbox(sandbox) = &mut system.switch else {
        unreachable!("a sandbox was asked for")
    };
    sandbox.crash_and_start().await?;

    for call in calls {
        let events = system.webhooks.wait_for_end(&call, LONG).await;
        let events = events.with_context(|| system.logs())?;
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
        let record = api.call(&call).await?;
        ensure!(record.text("/state") == "unknown", "{record:?}");
    }
    Ok(())
}
