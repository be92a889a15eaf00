//! One run: the system, the load, the faults of the plan, the settling, the checks.

use super::check::{Evidence, Findings, check};
use super::chronicle::Chronicle;
use super::facts::Reader;
use super::load::{Load, Manner};
use super::plan::{Terms, plan};
use super::strike::strike;
use super::tally::Tally;
use super::world::{CAMPAIGNS, Database, Switches, World, has_journal};
use crate::repository::Built;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How many faults are under way at once.
const AT_ONCE: usize = 4;
/// The patience of a client with one request.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(4);
/// How many calls a second come to their end while nothing strikes, at the least: half of what the trunks
/// take. What has piled up when the faults cease has so much more time.
const DRAINED_PER_S: u32 = 5;
/// How long clients may still repeat their requests when the faults have ceased.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// What to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many faults.
    pub faults: usize,
    /// The seed of plan and load.
    pub seed: u64,
    /// Where the TDB is.
    pub database: Database,
    /// What dials.
    pub switches: Switches,
    /// The time between two requests for a call.
    pub gap: Duration,
    /// How long after the last fault everything must have come to its end, beside what the calls that were
    /// still queued then take by their trunks' rates.
    pub settle: Duration,
    /// Shows faults as they strike.
    pub aloud: bool,
}

/// What came of it.
pub struct Outcome {
    /// The verdicts, as a table.
    pub findings: Findings,
    /// What struck, as a table.
    pub tally: Tally,
    /// What a person wants to know besides.
    pub summary: String,
    /// Where the logs are, kept only where something is wrong.
    pub logs: Option<PathBuf>,
}

/// Runs it. An error is a fault of the rig or the machine; what is wrong with the system is in the outcome.
pub async fn run(built: &Built, options: Options) -> Result<Outcome> {
    let begun = Instant::now();
    let chronicle = Chronicle::new(options.aloud);
    // What is built anew meanwhile must not come into a run that has begun.
    let copies = tempfile::Builder::new().prefix("ira-built-").tempdir()?;
    let built = &copied(built, copies.path())?;
    let world = World::start(built, options.database, &options.switches, chronicle)
        .await
        .context("starting the system")?;
    let world = Arc::new(world);
    let api = world.api().await?.with_timeout(CLIENT_TIMEOUT);
    let manner = Manner {
        campaigns: &CAMPAIGNS,
        seed: options.seed,
        gap: options.gap,
        on_the_wire: world.wire.is_some(),
    };
    let load = Load::start(api, manner);
    let terms = Terms {
        seed: options.seed,
        faults: options.faults,
        postgres: options.database == Database::Postgres,
        disks: world.has_disks,
    };
    let struck = strike_all(&world, terms).await;
    let ceased = Instant::now();
    let asked = load.finish(ANSWERED_WITHIN).await;
    let settled = settle(&world, options.settle).await?;
    let settling = ceased.elapsed();
    // A router that was stopped for good must not take the last word from a switch.
    world.stop().await;
    let reader = Reader::connect(world.url_of_tdb()).await?;
    let facts = reader.facts(world.invites()?).await?;
    let reached = world.failpoints_struck().await;
    let tally = Tally::new(terms, &world.chronicle.entries(), &reached);
    let mut evidence = Evidence {
        asked,
        facts,
        entries: world.chronicle.entries(),
        deliveries: world.webhooks.events(),
        refused: world.webhooks.refused(),
        durable_journal: has_journal()?,
        settled,
        not_struck: tally.missing(),
    };
    evidence.entries.sort_by_key(|entry| entry.at_ms);
    evidence.name_what_came_by_wire();
    let findings = check(&evidence);
    let summary = format!(
        "seed {}, {} faults, {:?}, full disks {}: {} calls accepted, {} INVITEs, {:.0} s in all, of which {:.0} s to settle",
        options.seed,
        options.faults,
        options.database,
        match world.has_disks {
            true => "are real",
            false => "are failpoints, for want of the right to mount",
        },
        evidence
            .asked
            .iter()
            .filter(|asked| asked.call.is_some())
            .count(),
        evidence.facts.invites.len(),
        begun.elapsed().as_secs_f64(),
        settling.as_secs_f64(),
    );
    struck?;
    let world = Arc::into_inner(world).context("a fault is still under way")?;
    let logs = (!findings.are_clean()).then(|| world.keep());
    Ok(Outcome {
        findings,
        tally,
        summary,
        logs,
    })
}

fn copied(built: &Built, to: &Path) -> Result<Built> {
    let copy = |from: &Path| -> Result<PathBuf> {
        let copy = to.join(from.file_name().context("a program without a name")?);
        std::fs::copy(from, &copy).with_context(|| from.display().to_string())?;
        Ok(copy)
    };
    Ok(Built {
        module: copy(&built.module)?,
        gateway: copy(&built.gateway)?,
        sandbox: copy(&built.sandbox)?,
    })
}

/// Strikes every fault of the plan, in its order, few at a time.
async fn strike_all(world: &Arc<World>, terms: Terms) -> Result<()> {
    let hands = Arc::new(Semaphore::new(AT_ONCE));
    let mut striking = JoinSet::new();
    for fault in plan(terms) {
        sleep(fault.after).await;
        world.look_after().await?;
        let hand = hands.clone().acquire_owned().await?;
        let world = world.clone();
        striking.spawn(async move {
            let struck = strike(&world, &fault).await;
            drop(hand);
            struck
        });
        while let Some(done) = striking.try_join_next() {
            done??;
        }
    }
    while let Some(done) = striking.join_next().await {
        done??;
    }
    Ok(())
}

/// Waits until every call has ended and every webhook is delivered. Whether that came in time.
async fn settle(world: &World, within: Duration) -> Result<bool> {
    let mut reader = Reader::connect(world.url_of_tdb()).await?;
    let (open, _) = reader.left().await?;
    let backlog = Duration::from_secs(u64::try_from(open)?) / DRAINED_PER_S;
    let deadline = Instant::now() + within + backlog;
    while Instant::now() < deadline {
        world.look_after().await?;
        if reader.left().await? == (0, 0) {
            return Ok(true);
        }
        sleep(Duration::from_millis(250)).await;
    }
    Ok(false)
}
