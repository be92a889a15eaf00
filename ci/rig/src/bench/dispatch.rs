//! From the router's look at the queue to the dial command, with a short queue and with a long one.

use super::{Table, quantile, tdb};
use crate::freeswitch::Engine;
use crate::gateway::{self, Campaign, Gateway};
use crate::nats::Nats;
use crate::prompts;
use crate::repository::Built;
use crate::sandbox::Sandbox;
use crate::system::NODE;
use anyhow::{Context, Result, ensure};
use sqlx::Connection;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Calls a second, which is what the trunk takes.
const RATE: f64 = 300.0;
/// How long each part lasts.
const LASTS: Duration = Duration::from_secs(20);
/// What the router does first, after the switch came, is left out.
const WARM_UP: Duration = Duration::from_secs(3);
/// Rows written in one transaction.
const CHUNK: u64 = 200_000;
/// Only the line that says how long a call took.
const LOG: &str = "warn,iradialer_gateway::router::dispatch=trace";
const TENANT: &str = "bench";

/// What one queue length costs, ms.
struct Figures {
    p50: f64,
    p99: f64,
}

/// Measures with `few` calls queued and with `many`.
pub async fn dispatch(table: &mut Table, built: &Built, few: u64, many: u64) -> Result<()> {
    let short = drain(built, few).await?;
    table.alone(
        &format!("pick to dispatch at 300 calls/s, {few} queued, p50, ms"),
        short.p50,
        "-",
        true,
    );
    table.alone("  p99, ms", short.p99, "< 10", short.p99 < 10.0);
    let long = drain(built, many).await?;
    table.compare(
        &format!("  with {many} queued, beside {few}: p50, ms"),
        long.p50,
        short.p50,
        "< 2",
        |ratio| ratio < 2.0,
    );
    table.compare("  p99, ms", long.p99, short.p99, "< 2", |ratio| ratio < 2.0);
    Ok(())
}

/// Has a router empty a queue of `queued` calls at the trunk's rate for a while.
async fn drain(built: &Built, queued: u64) -> Result<Figures> {
    let nats = Nats::start(&built.gateway, &[NODE]).await?;
    let gateway = Gateway::start(&built.gateway, config(), Some(&nats)).await?;
    let began = Instant::now();
    fill(&gateway, queued).await?;
    println!(
        "{queued} calls queued in {:.0} s",
        began.elapsed().as_secs_f64()
    );

    let prompts = prompts::in_temp_dir()?;
    let engine = Engine::new(&built.module)
        .node(NODE, gateway.switch_login())
        .prompts(prompts.path())
        .of_bench();
    let switch = Sandbox::start(&built.sandbox, &engine, 1).await?;
    let deadline = Instant::now() + Duration::from_secs(60);
    while took(&gateway)?.is_empty() {
        ensure!(
            Instant::now() < deadline,
            "nothing was dispatched\n{}",
            gateway.process().log_tail()
        );
        sleep(Duration::from_millis(100)).await;
    }
    sleep(WARM_UP).await;
    let before = took(&gateway)?.len();
    sleep(LASTS).await;
    let mut took = took(&gateway)?.split_off(before);
    drop(switch);
    let rate = took.len() as f64 / LASTS.as_secs_f64();
    took.sort_by(f64::total_cmp);
    println!("{queued} queued: {rate:.0} calls/s dispatched");
    ensure!(
        rate > RATE * 0.95,
        "{rate:.0} calls/s were dispatched and not {RATE}\n{}",
        gateway.process().log_tail()
    );
    Ok(Figures {
        p50: quantile(&took, 0.50),
        p99: quantile(&took, 0.99),
    })
}

fn config() -> gateway::Config {
    gateway::Config {
        trunks: vec![gateway::Trunk {
            name: "bench".into(),
            max_cps: RATE,
            max_calls: 5_000,
        }],
        campaigns: vec![Campaign {
            name: "bench".into(),
            tenant_id: TENANT.into(),
            trunks: vec!["bench".into()],
            from_number: String::new(),
            event_url: String::new(),
            flow: String::new(),
            max_calls: 5_000,
        }],
        env: vec![("RUST_LOG".into(), LOG.into())],
        ..gateway::Config::default()
    }
}

/// Puts calls straight into the TDB, as they would stand there once accepted. The callee is always busy.
async fn fill(gateway: &Gateway, queued: u64) -> Result<()> {
    let mut tdb = tdb::open(gateway).await?;
    let now_ms = tdb::now_ms() as i64;
    for first in (0..queued).step_by(CHUNK as usize) {
        let next = (first + CHUNK).min(queued);
        sqlx::query(FILL)
            .bind(first as i64)
            .bind(next as i64)
            .bind(now_ms)
            .execute(&mut tdb)
            .await?;
    }
    tdb.close().await?;
    Ok(())
}

const FILL: &str = r#"
    WITH RECURSIVE n(i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2)
    INSERT INTO calls (call_uuid, tenant_id, campaign_name, origin, to_number, from_number, request,
        priority, created_ms, not_before_ms, body_hash, answer, state, attempt, last_seq)
    SELECT printf('0190a000-0000-7000-8000-%012x', i), 'bench', 'bench', 'api', '+15005557486', '',
        '{"call_params":{},"channel_vars":{},"dial_timeout_s":30,"max_duration_s":60,"flow":null,"timezone":null,"metadata":{}}',
        5, $3, $3, '', '{}', 'queued', 1, 0
    FROM n"#;

/// What the router has said so far of its dispatches, ms each.
fn took(gateway: &Gateway) -> Result<Vec<f64>> {
    let text = std::fs::read_to_string(gateway.process().log())?;
    let of_dispatch = text
        .lines()
        .filter_map(|line| line.split_once("picked_us="));
    of_dispatch
        .map(|(_, rest)| {
            let number = rest.split(' ').next().unwrap_or_default();
            let us: f64 = number.parse().with_context(|| rest.to_owned())?;
            Ok(us / 1e3)
        })
        .collect()
}
