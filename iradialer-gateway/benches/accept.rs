//! What a durable accept costs: accepts a second with as many at once as they come, and how long one
//! takes at 1,000 a second. On SQLite and on PostgreSQL (on this machine, its commits on the disk), below
//! the HTTPS API, load generator in the same process.
//!
//! `cargo bench -p iradialer-gateway --bench accept`

use iradialer_core::value::{
    CallUuid, CallerNumber, CampaignName, ChannelVars, DialNumber, TenantId,
};
use iradialer_gateway::tdb::{Accepted, CallRequest, DatabaseUrl, NewCall, OnUnknown, Tdb};
use postgres::{For, Postgres};
use serde_json::Map;
use std::error::Error;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

#[allow(dead_code)] // Tests use the rest.
#[path = "../tests/support/postgres.rs"]
mod postgres;

/// How many clients wait for an answer at once, at full speed.
const CLIENTS: usize = 512;
/// How long each part lasts.
const LASTS: Duration = Duration::from_secs(5);
/// The steady rate, accepts a second.
const RATE: u32 = 1_000;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    println!(
        "                        at full speed, {CLIENTS} clients                    {RATE}/s offered"
    );
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let file = DatabaseUrl::file(dir.path().join("iradialer.db"));
    measure("SQLite", &file).await?;
    if let Some(server) = Postgres::start(For::Measuring) {
        let url = DatabaseUrl::parse(&server.create("tdb"))?;
        measure("PostgreSQL", &url).await?;
    }
    Ok(())
}

async fn measure(name: &str, url: &DatabaseUrl) -> Result<(), Failure> {
    let tdb = Tdb::open(url).await?;
    let mut full = at_full_speed(&tdb).await?;
    let rate = full.len() as f64 / LASTS.as_secs_f64();
    let mut steady = at_a_steady_rate(&tdb).await?;
    let (full, steady) = (spread(&mut full), spread(&mut steady));
    println!("{name:<12}{rate:>6.0} accepts/s, {full:<45}{steady}");
    tdb.close().await;
    Ok(())
}

async fn at_full_speed(tdb: &Tdb) -> Result<Vec<Duration>, Failure> {
    let end = Instant::now() + LASTS;
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let tdb = tdb.clone();
        clients.spawn(async move {
            let mut took = Vec::new();
            while Instant::now() < end {
                let from = Instant::now();
                accept(&tdb).await?;
                took.push(from.elapsed());
            }
            Ok::<_, Failure>(took)
        });
    }
    let mut all = Vec::new();
    while let Some(client) = clients.join_next().await {
        all.extend(client??);
    }
    Ok(all)
}

/// Each accept counts from when it was due, so that one that holds up the next is not overlooked.
async fn at_a_steady_rate(tdb: &Tdb) -> Result<Vec<Duration>, Failure> {
    let begin = Instant::now();
    let count = RATE * LASTS.as_secs() as u32;
    let mut accepts = JoinSet::new();
    for number in 0..count {
        let due = begin + Duration::from_secs(1) * number / RATE;
        tokio::time::sleep_until(due).await;
        let tdb = tdb.clone();
        accepts.spawn(async move {
            accept(&tdb).await?;
            Ok::<_, Failure>(due.elapsed())
        });
    }
    let mut all = Vec::new();
    while let Some(accept) = accepts.join_next().await {
        all.push(accept??);
    }
    Ok(all)
}

async fn accept(tdb: &Tdb) -> Result<(), Failure> {
    match tdb.accept(new_call()?).await? {
        Accepted::New => Ok(()),
        other => Err(format!("a fresh call was not new: {other:?}").into()),
    }
}

fn new_call() -> Result<NewCall, Failure> {
    let call_uuid = CallUuid::fresh();
    let now_ms = 1_790_000_000_000;
    Ok(NewCall {
        call_uuid,
        tenant_id: TenantId::parse("tenant_id", "acme")?,
        campaign_name: CampaignName::parse("campaign_name", "reminders")?,
        to_number: DialNumber::parse("to_number", "+15005550006")?,
        from_number: CallerNumber::default(),
        request: CallRequest {
            call_params: Map::new(),
            channel_vars: ChannelVars::default(),
            dial_timeout_s: 30,
            max_duration_s: 3_600,
            ivr: None,
            flow: None,
            vars: Default::default(),
            timezone: None,
            on_unknown: OnUnknown::End,
            metadata: Map::new(),
            trunk: None,
            license: None,
            whisper: Vec::new(),
        },
        documents: Vec::new(),
        event_url: Some("https://hooks.example/x".to_owned()),
        priority: 5,
        created_ms: now_ms,
        not_before_ms: now_ms,
        expires_ms: None,
        idempotency_key: Some(call_uuid.to_string()),
        request_id: None,
        token_id: None,
        body_hash: "a hash".to_owned(),
        answer: format!(r#"{{"call_uuid":"{call_uuid}"}}"#),
    })
}

fn spread(took: &mut [Duration]) -> String {
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    format!(
        "p50 {:.1?}, p99 {:.1?}, max {:.1?}",
        at(0.5),
        at(0.99),
        at(1.0)
    )
}
