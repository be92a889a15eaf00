//! How much memory the gateway holds, idle and with calls coming and going.

use super::Table;
use super::usage::Usage;
use super::webhooks::receiver::Receivers;
use crate::api::Api;
use crate::freeswitch::Engine;
use crate::gateway::{Campaign, Config, Gateway, Trunk, Webhooks};
use crate::nats::Nats;
use crate::prompts;
use crate::repository::Built;
use crate::sandbox::Sandbox;
use crate::system::NODE;
use anyhow::{Result, ensure};
use serde_json::json;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// How long an idle gateway is left alone first.
const IDLE: Duration = Duration::from_secs(10);
/// Calls a second.
const RATE: u32 = 300;
/// Clients that ask for them.
const CLIENTS: u32 = 6;
/// What fills pools and caches first is left out of the question whether memory is flat.
const WARM_UP: f64 = 0.4;
/// What it may hold, MiB: idle, and under load.
const IDLE_MIB: f64 = 80.0;
const LOADED_MIB: f64 = 250.0;
/// How much more it may be at the end than after the warm-up.
const FLAT: f64 = 1.05;
/// A callee who is busy.
const CALLEE: &str = "+15005557486";

/// Measures it idle, and for so long under 300 calls a second, each asked for over HTTPS, dialled by the sandbox and
/// told to a webhook.
pub async fn footprint(table: &mut Table, built: &Built, lasts: Duration) -> Result<()> {
    let nats = Nats::start(&built.gateway, &[NODE]).await?;
    let gateway = Gateway::start(&built.gateway, config(), Some(&nats)).await?;
    let usage = Usage::of(gateway.process().id());
    sleep(IDLE).await;
    let idle = mib(usage)?;
    table.alone(
        "gateway, all roles, idle, MiB",
        idle,
        "< 80",
        idle < IDLE_MIB,
    );

    let receivers = Receivers::start(&gateway.webhook_secret()?).await?;
    let prompts = prompts::in_temp_dir()?;
    let engine = Engine::new(&built.module)
        .node(NODE, gateway.switch_login())
        .prompts(prompts.path())
        .of_bench();
    let switch = Sandbox::start(&built.sandbox, &engine, 1).await?;
    let url = format!("http://127.0.0.1:{}/any", receivers.port);
    let mut clients = JoinSet::new();
    let end = Instant::now() + lasts;
    for _ in 0..CLIENTS {
        clients.spawn(ask(gateway.api("bench")?, url.clone(), end));
    }
    let mut seen = Vec::new();
    while Instant::now() < end {
        sleep(Duration::from_secs(1)).await;
        seen.push(mib(usage)?);
    }
    let mut asked = 0;
    while let Some(client) = clients.join_next().await {
        asked += client??;
    }
    let webhooks = receivers.any();
    drop(switch);
    let rate = f64::from(asked) / lasts.as_secs_f64();
    println!("{asked} calls asked for, {webhooks} webhooks; MiB by the second: {seen:.0?}");
    ensure!(
        webhooks > u64::from(asked),
        "hardly a call was told of\n{}",
        gateway.process().log_tail()
    );
    let what = format!("  with {rate:.0} calls/s for {} s, MiB", lasts.as_secs());
    let most = seen.iter().copied().fold(0.0, f64::max);
    table.alone(&what, most, "< 250", most < LOADED_MIB);
    let warm = (seen.len() as f64 * WARM_UP) as usize;
    let highest = |part: &[f64]| part.iter().copied().fold(0.0, f64::max);
    let (early, late) = seen[warm..].split_at((seen.len() - warm) / 2);
    let growth = highest(late) / highest(early);
    table.alone(
        "  its last third to the one before",
        growth,
        "<= 1.05",
        growth <= FLAT,
    );
    Ok(())
}

fn mib(usage: Usage) -> Result<f64> {
    Ok(usage.memory_kib()? as f64 / 1024.0)
}

/// Asks for one call after the other, at its part of the rate. Returns how many.
async fn ask(api: Api, url: String, end: Instant) -> Result<u32> {
    let mut pace = interval(Duration::from_secs(1) * CLIENTS / RATE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut asked = 0;
    while Instant::now() < end {
        pace.tick().await;
        let call = json!({
            "campaign_name": "bench", "to_number": CALLEE,
            "call_params": { "event_url": url, "order": asked },
        });
        api.make_call(&call).await?;
        asked += 1;
    }
    Ok(asked)
}

fn config() -> Config {
    Config {
        trunks: vec![Trunk {
            name: "bench".into(),
            max_cps: f64::from(RATE) * 1.2,
            max_calls: 5_000,
        }],
        campaigns: vec![Campaign {
            name: "bench".into(),
            tenant_id: "bench".into(),
            trunks: vec!["bench".into()],
            from_number: String::new(),
            event_url: String::new(),
            flow: String::new(),
            max_calls: 5_000,
        }],
        webhooks: Some(Webhooks {
            retry_after_s: Vec::new(),
            allow_addresses: vec!["127.0.0.0/8".into()],
        }),
        ..Config::default()
    }
}
