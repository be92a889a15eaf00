//! How long calls wait when the router that gives them out is killed.

use super::Table;
use crate::chaos::check::{Evidence, check};
use crate::chaos::chronicle::{Chronicle, now_ms};
use crate::chaos::facts::Reader;
use crate::chaos::load::{Load, Manner};
use crate::chaos::target::Target;
use crate::chaos::world::{CAMPAIGNS, Database, Switches, World, has_journal};
use crate::repository::Built;
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long calls go on between two kills.
const BETWEEN: Duration = Duration::from_secs(4);
/// How long one may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long all calls may take to end at last.
const SETTLE: Duration = Duration::from_secs(60);

/// Kills the leading router so many times under load, and enters how long it took until the other one's
/// first INVITE, and what was lost or dialled twice.
pub async fn takeover(table: &mut Table, built: &Built, times: usize) -> Result<()> {
    let chronicle = Chronicle::new(false);
    let world = World::start(built, Database::Sqlite, &Switches::Sandbox, chronicle).await?;
    let api = world.api().await?.with_timeout(Duration::from_secs(10));
    let load = Load::start(
        api,
        Manner {
            campaigns: &CAMPAIGNS,
            seed: 1,
            gap: Duration::from_millis(125),
            on_the_wire: false,
        },
    );
    let mut took = Vec::new();
    let mut leader = leader(&world).await?;
    for _ in 0..times {
        sleep(BETWEEN).await;
        took.push(kill(&world, leader).await?);
        leader = other(leader);
    }
    took.sort_by(f64::total_cmp);
    println!("seconds from kill -9 to the next INVITE: {took:.2?}");

    let asked = load.finish(PATIENCE).await;
    let mut reader = Reader::connect(world.url_of_tdb()).await?;
    let deadline = Instant::now() + SETTLE;
    while reader.left().await? != (0, 0) && Instant::now() < deadline {
        sleep(Duration::from_millis(250)).await;
    }
    world.stop().await;
    let evidence = Evidence {
        asked,
        facts: reader.facts(world.invites()?).await?,
        entries: world.chronicle.entries(),
        deliveries: world.webhooks.events(),
        refused: world.webhooks.refused(),
        durable_journal: has_journal()?,
        settled: true,
        not_struck: Vec::new(),
    };
    let findings = check(&evidence);
    if !findings.are_clean() {
        println!("{findings}");
    }
    let broken: usize = findings.verdicts.iter().map(|v| v.violations.len()).sum();

    let at = |index: usize| took.get(index).copied().unwrap_or(f64::NAN);
    let last = took.len().saturating_sub(1);
    let what = format!("takeover of a killed router, {times} times: shortest, s");
    table.alone(&what, at(0), "-", true);
    table.alone("  median, s", at(last / 2), "-", true);
    table.alone("  longest, s", at(last), "< 5", at(last) < 5.0);
    let calls = evidence.facts.calls.len();
    table.alone(
        &format!("  of {calls} calls lost, dialled twice, or else wrong"),
        broken as f64,
        "0",
        broken == 0,
    );
    Ok(())
}

/// Kills it and starts it again once the other one has dialled. Seconds until then.
async fn kill(world: &World, leader: Target) -> Result<f64> {
    let node = world.node(leader).context("no such router")?;
    let mut node = node.lock().await;
    let killed_ms = now_ms();
    node.kill(&world.chronicle).await?;
    let deadline = Instant::now() + PATIENCE;
    // What it had sent already goes out within a moment; the other one can't have the lease by then.
    let own_ms = killed_ms + 300;
    let dialled_ms = loop {
        let invites = world.invites()?;
        let next = invites.iter().map(|invite| invite.at_us / 1_000);
        if let Some(at_ms) = next.filter(|at_ms| *at_ms > own_ms).min() {
            break at_ms;
        }
        ensure!(Instant::now() < deadline, "no router has taken over");
        sleep(Duration::from_millis(50)).await;
    };
    node.start(&world.chronicle, None).await?;
    Ok((dialled_ms - killed_ms) as f64 / 1e3)
}

/// Which router gives out the calls, by their logs.
async fn leader(world: &World) -> Result<Target> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        for target in [Target::RouterA, Target::RouterB] {
            let node = world.node(target).context("no such router")?;
            let log = node
                .lock()
                .await
                .dir
                .join(format!("{}.1.log", target.name()));
            if std::fs::read_to_string(log)?.contains("this router gives out the calls") {
                return Ok(target);
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("no router gives out the calls")
}

fn other(router: Target) -> Target {
    match router {
        Target::RouterA => Target::RouterB,
        _ => Target::RouterA,
    }
}
