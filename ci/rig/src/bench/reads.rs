//! How long the API takes to read from a TDB with millions of calls in it.

use super::{Table, quantile, tdb};
use crate::api::Api;
use crate::gateway::{Campaign, Config, Gateway, Trunk};
use crate::repository::Built;
use anyhow::{Context, Result, ensure};
use sqlx::{AssertSqlSafe, Connection};
use std::time::{Duration, Instant};

/// Rows written in one transaction.
const CHUNK: u64 = 200_000;
/// Of so many calls one has events and webhooks.
const TOLD: u64 = 50;
/// How long one path is asked for, and how often at the most.
const LASTS: Duration = Duration::from_secs(2);
const MOST: usize = 400;
/// The first ones, which fill caches, are left out.
const WARM_UP: usize = 20;
/// What each may take, ms.
const WANTED: f64 = 20.0;
const CAMPAIGNS: [&str; 3] = ["reminders", "surveys", "news"];
const TENANT: &str = "bench";

/// Fills a TDB with that many calls and asks for each list and each thing there is to read.
pub async fn reads(table: &mut Table, built: &Built, calls: u64) -> Result<()> {
    let gateway = Gateway::start(&built.gateway, config(), None).await?;
    let begun = Instant::now();
    fill(&gateway, calls).await?;
    println!(
        "{calls} calls in the TDB in {:.0} s",
        begun.elapsed().as_secs_f64()
    );
    let api = gateway.api(TENANT)?;
    let mut worst = (0.0, String::new());
    for path in paths(&api, calls).await? {
        let took = ask(&api, &path).await?;
        let (p50, p99) = (quantile(&took, 0.50), quantile(&took, 0.99));
        println!(
            "GET {path}: p50 {p50:.2} ms, p99 {p99:.2} ms of {}",
            took.len()
        );
        if p99 > worst.0 {
            worst = (p99, path);
        }
    }
    println!("the slowest is GET {}", worst.1);
    table.alone(
        &format!("the slowest of the read endpoints with {calls} calls, p99, ms"),
        worst.0,
        "< 20",
        worst.0 < WANTED,
    );
    Ok(())
}

fn config() -> Config {
    let campaign = |name: &str| Campaign {
        name: name.into(),
        tenant_id: TENANT.into(),
        trunks: vec!["bench".into()],
        from_number: String::new(),
        event_url: String::new(),
        flow: String::new(),
        max_calls: 100,
    };
    Config {
        trunks: vec![Trunk {
            name: "bench".into(),
            max_cps: 1.0,
            max_calls: 10,
        }],
        campaigns: CAMPAIGNS.map(campaign).into(),
        // One token asks for more than others may.
        env: vec![("IRADIALER_WEB_REQUESTS_PER_S".into(), "0".into())],
        ..Config::default()
    }
}

/// Every list by each filter, from its beginning and from its middle, and what there is of a call.
async fn paths(api: &Api, calls: u64) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    let middle = time::OffsetDateTime::from_unix_timestamp((tdb::now_ms() / 1_000) as i64)?
        - Duration::from_secs(calls / 200);
    let middle = middle.format(&time::format_description::well_known::Rfc3339)?;
    for filter in [
        String::new(),
        "&state=completed".into(),
        "&state=busy".into(),
        "&state=unknown".into(),
        "&state=queued".into(),
        "&campaign=surveys".into(),
        "&campaign=none".into(),
        "&campaign=news&state=busy".into(),
        "&campaign=news&state=unknown".into(),
        format!("&from={middle}"),
        format!("&from={middle}&campaign=surveys&state=completed"),
        "&from=2099-01-01T00:00:00Z&campaign=surveys".into(),
    ] {
        paths.push(format!("/api/calls?limit=100{filter}"));
    }
    for filter in [
        "",
        "&campaign=surveys",
        "&campaign=none",
        "&from=2099-01-01T00:00:00Z",
    ] {
        paths.push(format!("/api/webhooks/deadletters?limit=100{filter}"));
    }
    for list in [
        "/api/calls?limit=100",
        "/api/calls?limit=100&campaign=surveys",
        "/api/webhooks/deadletters?limit=100",
    ] {
        let page = api.get(list).await?;
        let cursor = page.text("/next_cursor");
        ensure!(!cursor.is_empty(), "{list} has no second page: {page:?}");
        let joint = if list.contains('?') { '&' } else { '?' };
        paths.push(format!("{list}{joint}cursor={cursor}"));
    }
    let call = call_uuid(calls / 2 / TOLD * TOLD);
    for part in ["", "/events", "/deliveries", "/explain"] {
        paths.push(format!("/api/calls/{call}{part}"));
    }
    paths.extend(
        [
            "/api/trunks",
            "/api/dnc",
            "/api/flows",
            "/api/tokens",
            "/readyz",
        ]
        .map(str::to_owned),
    );
    Ok(paths)
}

/// How long each answer took, ms, sorted.
async fn ask(api: &Api, path: &str) -> Result<Vec<f64>> {
    let begun = Instant::now();
    let mut took = Vec::new();
    while took.len() < MOST + WARM_UP && begun.elapsed() < LASTS {
        let asked = Instant::now();
        let answer = api.get(path).await?;
        took.push(asked.elapsed().as_secs_f64() * 1e3);
        ensure!(answer.status == 200, "GET {path}: {answer:?}");
    }
    let first = WARM_UP.min(took.len() / 2);
    let mut took = took.split_off(first);
    took.sort_by(f64::total_cmp);
    Ok(took)
}

fn call_uuid(number: u64) -> String {
    format!("0190c000-0000-7000-8000-{number:012x}")
}

/// Puts calls straight into the TDB as they would stand there a day later: one each 10 ms, most of them over, one in
/// 50 with its events and webhooks, some of which were given up.
async fn fill(gateway: &Gateway, calls: u64) -> Result<()> {
    let mut tdb = tdb::open(gateway).await?;
    sqlx::raw_sql("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000")
        .execute(&mut tdb)
        .await?;
    let from_ms = tdb::now_ms() - calls * 10;
    let events = format!("{EVENTS} WHERE n.i % {TOLD} = 0");
    let webhooks = format!("{WEBHOOKS} WHERE n.i % {TOLD} = 0");
    let tries = format!("{TRIES} WHERE n.i % {TOLD} = 0");
    for first in (0..calls).step_by(CHUNK as usize) {
        let next = (first + CHUNK).min(calls);
        let mut transaction = tdb.begin().await?;
        for sql in [CALLS, &events, &webhooks, &tries] {
            sqlx::query(AssertSqlSafe(format!("{NUMBERS} {sql}")))
                .bind(first as i64)
                .bind(next as i64)
                .bind(from_ms as i64)
                .execute(&mut *transaction)
                .await
                .with_context(|| sql.to_owned())?;
        }
        transaction.commit().await?;
    }
    tdb.close().await?;
    Ok(())
}

const NUMBERS: &str =
    "WITH RECURSIVE n(i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2)";

const CALLS: &str = r#"
    INSERT INTO calls (call_uuid, tenant_id, campaign_name, origin, to_number, from_number, request, event_url,
        priority, created_ms, not_before_ms, body_hash, answer, state, attempt, trunk, node_id, last_seq,
        started_ms, ended_ms, ended_by, hangup_cause, sip_status, duration_ms, billsec_ms)
    SELECT printf('0190c000-0000-7000-8000-%012x', i), 'bench',
        CASE WHEN i % 10 < 7 THEN 'reminders' WHEN i % 10 < 9 THEN 'surveys' ELSE 'news' END,
        'api', '+1500555' || (1000 + i % 9000), '',
        '{"call_params":{"order":1047},"channel_vars":{},"dial_timeout_s":30,"max_duration_s":60,"metadata":{}}',
        'https://crm.example/hook', 5, $3 + i * 10, $3 + i * 10, '', '{}',
        CASE WHEN i % 7 < 4 THEN 'completed' WHEN i % 7 < 6 THEN 'no_answer' ELSE 'busy' END,
        1, 'bench', 'switch-1', 5, $3 + i * 10, $3 + i * 10 + 9000, 'callee', 'NORMAL_CLEARING', 200, 9000, 6000
    FROM n"#;

const EVENTS: &str = "
    INSERT INTO call_events (call_uuid, seq, attempt, attempt_seq, name, at_ms, stored_ms, node_id, data, is_final)
    SELECT printf('0190c000-0000-7000-8000-%012x', i), k.seq, 1, k.seq, k.name, $3 + i * 10 + k.seq,
        $3 + i * 10 + k.seq, 'switch-1', '{\"after_ms\":900}', k.seq = 5
    FROM n CROSS JOIN (SELECT 1 AS seq, 'queued' AS name UNION ALL SELECT 2, 'started' UNION ALL
        SELECT 3, 'ringing' UNION ALL SELECT 4, 'answered' UNION ALL SELECT 5, 'hangup') AS k";

const WEBHOOKS: &str = "
    INSERT INTO webhooks (call_uuid, seq, tenant_id, campaign_name, url, origin, receiver, state, tries,
        created_ms, next_ms, done_ms, last_status)
    SELECT printf('0190c000-0000-7000-8000-%012x', i), k.seq, 'bench',
        CASE WHEN i % 10 < 7 THEN 'reminders' WHEN i % 10 < 9 THEN 'surveys' ELSE 'news' END,
        'https://crm.example/hook', 'https://crm.example', 'bench https://crm.example',
        CASE WHEN i % 500 = 0 THEN 'dead' ELSE 'delivered' END, 1, $3 + i * 10, $3 + i * 10,
        $3 + i * 10 + 100, 200
    FROM n CROSS JOIN (SELECT 1 AS seq UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4
        UNION ALL SELECT 5) AS k";

const TRIES: &str = "
    INSERT INTO webhook_tries (call_uuid, seq, try_no, begun_ms, took_ms, taken, status, error, answer)
    SELECT printf('0190c000-0000-7000-8000-%012x', i), k.seq, 1, $3 + i * 10, 41, 1, 200, NULL, 'thank you'
    FROM n CROSS JOIN (SELECT 1 AS seq UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4
        UNION ALL SELECT 5) AS k";
