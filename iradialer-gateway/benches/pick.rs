//! What a look at the queue costs the router, with 10,000 calls queued and with 10,000,000: the next calls
//! of a campaign, when the queue next changes, how many are live. Twice: all may be dialled now, and half
//! wait for the morning, older and of a higher priority than those that may.
//!
//! `cargo bench -p iradialer-gateway --bench pick`, with `ROWS=1000000` for fewer than 10,000,000.

use iradialer_core::value::{CampaignName, TenantId};
use iradialer_gateway::tdb::{DatabaseUrl, Tdb};
use postgres::{For, Postgres};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};
use std::error::Error;
use std::time::{Duration, Instant};

#[allow(dead_code)] // Tests use the rest.
#[path = "../tests/support/postgres.rs"]
mod postgres;

/// The queue that the other is compared with.
const FEW: u64 = 10_000;
/// How many calls a look takes.
const LIMIT: u32 = 64;
/// How often each thing is measured.
const TIMES: usize = 300;
/// When it is.
const NOW: u64 = 1_790_000_000_000;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let many = match std::env::var("ROWS") {
        Ok(rows) => rows.parse()?,
        Err(_) => 10_000_000,
    };
    println!("a pick of {LIMIT} calls, median (p99):");
    println!(
        "                                 queued        next calls    next change   live counts   made in"
    );
    for queue in [Queue::Due, Queue::HalfLater] {
        for rows in [FEW, many] {
            let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
            let path = dir.path().join("iradialer.db");
            let url = format!("sqlite://{}", path.display());
            measure("SQLite", &url, queue, rows).await?;
        }
        if let Some(server) = Postgres::start(For::Measuring) {
            for (name, rows) in [("few", FEW), ("many", many)] {
                measure("PostgreSQL", &server.create(name), queue, rows).await?;
            }
        }
    }
    Ok(())
}

/// What is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Queue {
    /// Calls that may be dialled now.
    Due,
    /// The same, and as many that wait for the morning, which come before them in the queue's order.
    HalfLater,
}

async fn measure(name: &str, url: &str, queue: Queue, rows: u64) -> Result<(), Failure> {
    let tdb = Tdb::open(&DatabaseUrl::parse(url)?).await?;
    let begun = Instant::now();
    fill(url, queue, rows).await?;

    let made = begun.elapsed();
    let tenant = TenantId::parse("tenant_id", "acme")?;
    let campaign = CampaignName::parse("campaign_name", "reminders")?;
    let next = timed(async || {
        let picked = tdb.pick(&tenant, &campaign, LIMIT, NOW).await?;
        assert_eq!(picked.len(), LIMIT as usize);
        Ok(())
    });
    let next = next.await?;
    let change = timed(async || {
        tdb.next_queue_change(NOW).await?;
        Ok(())
    })
    .await?;
    let live = timed(async || {
        tdb.live_counts().await?;
        Ok(())
    })
    .await?;
    let what = match queue {
        Queue::Due => "all due",
        Queue::HalfLater => "half later",
    };
    println!("{name:<12}{what:<12}{rows:>15}  {next:>16}{change:>15}{live:>14}   {made:.1?}");
    tdb.close().await;
    Ok(())
}

/// The median and the 99th percentile.
async fn timed(mut work: impl AsyncFnMut() -> Result<(), Failure>) -> Result<String, Failure> {
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let from = Instant::now();
        work().await?;
        took.push(from.elapsed());
        if took.iter().sum::<Duration>() > Duration::from_secs(20) {
            break;
        }
    }
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    let ms = |share| at(share).as_secs_f64() * 1_000.0;
    Ok(format!("{:.2} ({:.2}) ms", ms(0.5), ms(0.99)))
}

/// Ten campaigns of one tenant, priorities from 0 to 9.
async fn fill(url: &str, queue: Queue, rows: u64) -> Result<(), Failure> {
    let mut connection = AnyConnection::connect(url).await?;
    let not_before = match queue {
        Queue::Due => "n".to_owned(),
        // The younger half may be dialled, and has the lower priorities.
        Queue::HalfLater => {
            format!("CASE WHEN n * 2 < {rows} THEN {NOW} + 36000000 + n ELSE n END")
        }
    };
    let priority = match queue {
        Queue::Due => "n % 7".to_owned(),
        Queue::HalfLater => format!("CASE WHEN n * 2 < {rows} THEN 9 ELSE n % 7 END"),
    };
    let sql = format!(
        "INSERT INTO calls (call_uuid, tenant_id, campaign_name, origin, to_number, from_number,
             request, priority, created_ms, not_before_ms, expires_ms, body_hash, answer, state,
             attempt, last_seq)
         WITH RECURSIVE numbers (n) AS
             (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows})
         SELECT '0190a5b2-0000-7000-8000-' || SUBSTR(CAST(1000000000000 + n AS TEXT), 2), 'acme',
             CASE n % 10 WHEN 0 THEN 'reminders' ELSE 'other' || (n % 10) END, 'api',
             '+15005550006', '', '{{\"dial_timeout_s\":30,\"max_duration_s\":3600}}', {priority}, n,
             {not_before}, {NOW} + 86400000 + n, '', '', 'queued', 1, 0
         FROM numbers"
    );
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut connection)
        .await?;
    // As the server does by itself after a while.
    if url.starts_with("postgres") {
        sqlx::raw_sql("VACUUM ANALYZE calls")
            .execute(&mut connection)
            .await?;
    }
    connection.close().await?;
    Ok(())
}
