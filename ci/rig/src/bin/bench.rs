//! `make bench`: prints what the switch costs and can do, each figure beside its peer's.
#![forbid(unsafe_code)]

use anyhow::Result;
use clap::Parser;
use iradialer_rig::bench::{
    AT_ONCE, Module, Offer, Originate, Outcome, RING, RINGS_8_S, Site, Table, median,
};
use iradialer_rig::freeswitch::Installation;
use iradialer_rig::repository::Built;
use std::time::Duration;

/// Measures the module against FreeSWITCH's own originate.
#[derive(Parser)]
struct Args {
    /// Rounds of each comparison; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds of each saturation step.
    #[arg(long, default_value_t = 5.0)]
    step_s: f64,
    /// Only these: `at-once`, `ringing`, `saturation`.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

impl Args {
    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let Some(installation) = Installation::find()? else {
        println!(
            "SKIPPED: {}. The benchmarks of the switch need one.",
            Installation::NOT_FOUND
        );
        return Ok(());
    };
    let built = Built::now(true)?;
    let site = Site::start(&installation, &built).await?;
    println!(
        "FreeSWITCH {}, sipp, nats-server, and both loads on this machine's cores",
        site.switch.version()
    );
    let mut table = Table::default();
    let module = Module::of(&site).await?;
    if args.wants("at-once") {
        let offer = Offer::lasting(60.0, 10.0);
        cpu_per_call(
            &mut table,
            &args,
            &site,
            &module,
            AT_ONCE,
            offer,
            Duration::ZERO,
        )
        .await?;
    }
    if args.wants("ringing") {
        let offer = Offer::lasting(60.0, 16.0);
        cpu_per_call(&mut table, &args, &site, &module, RINGS_8_S, offer, RING).await?;
    }
    if args.wants("saturation") {
        saturation(&mut table, &args, &site, &module).await?;
    }
    println!();
    table.print();
    Ok(())
}

async fn cpu_per_call(
    table: &mut Table,
    args: &Args,
    site: &Site,
    module: &Module,
    trunk: &str,
    offer: Offer,
    ring: Duration,
) -> Result<()> {
    let (mut ours, mut peers, mut threads) = (Vec::new(), Vec::new(), 0);
    for round in 1..=args.rounds {
        let our = module.offer(site, trunk, offer, ring).await?;
        tell(&format!("{trunk} {round}, module"), &our);
        let peer = Originate::offer(site, trunk, offer, ring).await?;
        tell(&format!("{trunk} {round}, originate"), &peer);
        threads = threads.max(our.most_threads);
        ours.push(our.cpu_ms_per_call());
        peers.push(peer.cpu_ms_per_call());
    }
    let most = if ring.is_zero() { 0.85 } else { 0.60 };
    let what = format!("switch CPU a call, {trunk}, ms");
    table.compare(
        &what,
        median(ours),
        median(peers),
        &format!("<= {most}"),
        |ratio| ratio <= most,
    );
    if !ring.is_zero() {
        let ringing = offer.per_second * ring.as_secs_f64();
        let a_call = f64::from(threads) / ringing;
        table.alone(
            "switch threads for each ringing call",
            a_call,
            "about 1",
            a_call < 1.2,
        );
    }
    Ok(())
}

async fn saturation(table: &mut Table, args: &Args, site: &Site, module: &Module) -> Result<()> {
    let (mut ours, mut peer) = (0.0f64, 0.0f64);
    for per_second in [300.0, 400.0, 500.0, 650.0, 800.0, 1000.0, 1250.0] {
        let offer = Offer::lasting(per_second, args.step_s);
        let our = module.offer(site, AT_ONCE, offer, Duration::ZERO).await?;
        tell(&format!("offered {per_second}/s, module"), &our);
        ours = ours.max(our.per_second());
        let theirs = Originate::offer(site, AT_ONCE, offer, Duration::ZERO).await?;
        tell(&format!("offered {per_second}/s, originate"), &theirs);
        peer = peer.max(theirs.per_second());
    }
    table.compare("most calls a second", ours, peer, ">= 1.1", |ratio| {
        ratio >= 1.1
    });
    let threefold = module
        .offer(
            site,
            AT_ONCE,
            Offer::lasting(ours * 3.0, args.step_s),
            Duration::ZERO,
        )
        .await?;
    tell("offered three times the most, module", &threefold);
    let kept = threefold.per_second() / ours;
    table.alone(
        "  share of it kept when offered three times that",
        kept,
        ">= 0.9",
        kept >= 0.9,
    );
    let bad = threefold.failed + threefold.lost;
    table.alone(
        "  calls that timed out or failed meanwhile",
        f64::from(bad),
        "0",
        bad == 0,
    );
    let slowest_ms = threefold.slowest_refusal.as_secs_f64() * 1e3;
    table.alone(
        "  slowest refusal, ms",
        slowest_ms,
        "at once",
        slowest_ms < 500.0,
    );
    Ok(())
}

fn tell(what: &str, outcome: &Outcome) {
    println!(
        "{what:<40} {:>5} completed {:>5} refused {:>4} failed {:>4} lost {:>7.1}/s {:>6.2} ms CPU a call {:>5} threads",
        outcome.completed,
        outcome.refused,
        outcome.failed,
        outcome.lost,
        outcome.per_second(),
        outcome.cpu_ms_per_call(),
        outcome.most_threads,
    );
}
