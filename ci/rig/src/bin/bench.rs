//! `make bench`: prints what the switch costs and can do, each figure beside its peer's.
#![forbid(unsafe_code)]

use anyhow::Result;
use clap::Parser;
use iradialer_rig::bench::{
    AT_ONCE, Module, Offer, Originate, Outcome, RING, RINGS_8_S, Site, Table, accepts, admission,
    audio, dispatch, five_thousand, flow_check, footprint, ill_receivers, ivr, keys,
    load_and_unload, memory, post_to_invite, quantile, reads, speech, takeover, webhooks,
};
use iradialer_rig::freeswitch::Installation;
use iradialer_rig::repository::Built;
use std::time::Duration;

/// Measures the module against FreeSWITCH's own originate.
#[derive(Parser)]
struct Args {
    /// Rounds of each comparison: turns with the peer, summed up.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds of each saturation step.
    #[arg(long, default_value_t = 5.0)]
    step_s: f64,
    /// Calls a second to look for the most among.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "300,400,500,650,800,1000,1250"
    )]
    ladder: Vec<f64>,
    /// Loads and unloads with calls up.
    #[arg(long, default_value_t = 200)]
    cycles: usize,
    /// Calls in the long queue.
    #[arg(long, default_value_t = 10_000_000)]
    queued: u64,
    /// Times a router is killed.
    #[arg(long, default_value_t = 7)]
    kills: usize,
    /// Calls in the TDB that the API reads from.
    #[arg(long, default_value_t = 5_000_000)]
    calls: u64,
    /// Seconds for which the gateway's memory is watched under load; half an hour is 1800.
    #[arg(long, default_value_t = 60)]
    soak_s: u64,
    /// Only these: `accept`, `dispatch`, `admission`, `takeover`, `flow-check`, `five-thousand`, `webhooks`,
    /// `ill-receivers`, `reads`, `footprint`, which need no FreeSWITCH; `latency`, `at-once`, `ringing`, `saturation`,
    /// `cycles`, `ivr`, `memory`, `audio`, `keys`, `speech`.
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
    let found = Installation::find()?;
    let built = Built::now(true)?;
    let mut table = Table::default();
    if args.wants("accept") {
        tokio::task::block_in_place(|| accepts(&mut table))?;
    }
    if args.wants("dispatch") {
        dispatch(&mut table, &built, 10_000, args.queued).await?;
    }
    if args.wants("admission") {
        admission(&mut table, &built, found.as_ref()).await?;
    }
    if args.wants("takeover") {
        takeover(&mut table, &built, args.kills).await?;
    }
    if args.wants("flow-check") {
        tokio::task::block_in_place(|| flow_check(&mut table))?;
    }
    if args.wants("five-thousand") {
        five_thousand(&mut table, &built).await?;
    }
    if args.wants("webhooks") {
        webhooks(&mut table, &built).await?;
    }
    if args.wants("ill-receivers") {
        ill_receivers(&mut table, &built, args.rounds).await?;
    }
    if args.wants("reads") {
        reads(&mut table, &built, args.calls).await?;
    }
    if args.wants("footprint") {
        footprint(&mut table, &built, Duration::from_secs(args.soak_s)).await?;
    }
    match found {
        Some(installation) => of_the_switch(&args, &mut table, &built, installation).await?,
        None => println!(
            "SKIPPED: {}. The benchmarks of the switch need one.",
            Installation::NOT_FOUND
        ),
    }
    println!();
    table.print();
    Ok(())
}

/// What needs a real switch.
async fn of_the_switch(
    args: &Args,
    table: &mut Table,
    built: &Built,
    installation: Installation,
) -> Result<()> {
    if args.wants("latency") {
        latency(table, &installation, built).await?;
    }
    println!(
        "FreeSWITCH {}, sipp, nats-server, and both loads on this machine's cores",
        installation.version
    );
    let fresh = || Site::start(&installation, built);
    if args.wants("at-once") {
        let offer = Offer::lasting(200.0, 15.0);
        cpu_per_call(table, args, fresh, AT_ONCE, offer, Duration::ZERO).await?;
    }
    if args.wants("ringing") {
        let offer = Offer::lasting(80.0, 16.0);
        cpu_per_call(table, args, fresh, RINGS_8_S, offer, RING).await?;
    }
    if args.wants("saturation") {
        let site = fresh().await?;
        let module = Module::of(&site).await?;
        saturation(table, args, &site, &module).await?;
    }
    if args.wants("cycles") {
        cycles(table, args, &fresh().await?).await?;
    }
    if args.wants("ivr") {
        ivr(table, &installation, built, args.rounds).await?;
    }
    if args.wants("memory") {
        memory(table, &installation, built, args.rounds).await?;
    }
    if args.wants("audio") {
        audio(table, &installation, built, args.rounds).await?;
    }
    if args.wants("keys") {
        keys(table, &installation, built).await?;
    }
    if args.wants("speech") {
        speech(table, &installation, built).await?;
    }
    Ok(())
}

/// Both loads at the same time, each on a fresh switch of its own: a shared machine's speed drifts by a
/// third from one quarter of a minute to the next, and what a SIP stack still has to do for the calls of
/// half a minute ago would be charged to the other.
async fn cpu_per_call(
    table: &mut Table,
    args: &Args,
    fresh: impl AsyncFn() -> Result<Site>,
    trunk: &str,
    offer: Offer,
    ring: Duration,
) -> Result<()> {
    let most = if ring.is_zero() { 0.85 } else { 0.60 };
    let wanted = format!("<= {most}");
    let what = format!("switch CPU a call, {trunk}, ms");
    let both = beside(args, &fresh, Originate::HEARS_STEPS, trunk, offer, ring).await?;
    let [ours, peers] = both.each_ref().map(Outcome::cpu_ms_per_call);
    table.compare(&what, ours, peers, &wanted, |ratio| ratio <= most);
    let [our, _] = both;
    let both = beside(args, &fresh, Originate::HEARS_ENDS, trunk, offer, ring).await?;
    let [ours, peers] = both.map(|outcome| outcome.cpu_ms_per_call());
    let what = "  beside a peer that hears of ends alone";
    table.compare(what, ours, peers, "to know", |_| true);
    if !ring.is_zero() {
        let ringing = offer.per_second * ring.as_secs_f64();
        let a_call = f64::from(our.most_threads) / ringing;
        table.alone(
            "switch threads for each ringing call",
            a_call,
            "about 1",
            a_call < 1.2,
        );
    }
    Ok(())
}

/// What became of both loads, ours first.
async fn beside(
    args: &Args,
    fresh: &impl AsyncFn() -> Result<Site>,
    originate: Originate,
    trunk: &str,
    offer: Offer,
    ring: Duration,
) -> Result<[Outcome; 2]> {
    let (mut ours, mut peers) = (Outcome::default(), Outcome::default());
    for round in 1..=args.rounds {
        let (our_site, peers_site) = (fresh().await?, fresh().await?);
        let module = Module::of(&our_site).await?;
        let (our, peer) = tokio::try_join!(
            module.offer(our_site.usage(), trunk, offer, ring),
            originate.offer(&peers_site, trunk, offer, ring)
        )?;
        tell(&format!("{trunk} {round}, module"), &our);
        tell(&format!("{trunk} {round}, originate"), &peer);
        ours.add(&our);
        peers.add(&peer);
    }
    Ok([ours, peers])
}

/// How long a SIP stack remembers a transaction it has answered, 64 times T1 of RFC 3261, and a little
/// more: what a switch does before that many seconds of load have passed, it does not keep up.
const SIP_MEMORY_S: f64 = 35.0;
/// How many short turns make up a round of that comparison.
const TURNS: u32 = 4;

/// The most either completes is sought on a ladder of offered rates, each rung in turn with the peer's.
/// Then the load goes on until the switch holds all that such a load makes it hold, which tells the rate
/// it keeps up. What it completes when offered three times the most is compared with what it completes
/// when offered just what it keeps up, in many short turns, because the speed of a shared machine drifts
/// within half a minute by as much as a half.
async fn saturation(table: &mut Table, args: &Args, site: &Site, module: &Module) -> Result<()> {
    let (mut ours, mut peer) = ((0.0f64, 0.0), 0.0f64);
    for &per_second in &args.ladder {
        let offer = Offer::lasting(per_second, args.step_s);
        let our = module
            .offer(site.usage(), AT_ONCE, offer, Duration::ZERO)
            .await?;
        tell(&format!("offered {per_second}/s, module"), &our);
        if our.per_second() > ours.0 {
            ours = (our.per_second(), per_second);
        }
        let originate = Originate::HEARS_STEPS;
        let theirs = originate
            .offer(site, AT_ONCE, offer, Duration::ZERO)
            .await?;
        tell(&format!("offered {per_second}/s, originate"), &theirs);
        peer = peer.max(theirs.per_second());
    }
    table.compare("most calls a second", ours.0, peer, ">= 1.1", |ratio| {
        ratio >= 1.1
    });
    let threefold = Offer::lasting(ours.0 * 3.0, args.step_s / 2.0);
    let warm_up = Offer::lasting(ours.1, SIP_MEMORY_S);
    let warm = module
        .offer(site.usage(), AT_ONCE, warm_up, Duration::ZERO)
        .await?;
    tell("and on, module", &warm);
    let at_most = Offer::lasting(warm.per_second() * 1.1, args.step_s / 2.0);
    let (mut most, mut over) = (Outcome::default(), Outcome::default());
    for turn in 1..=args.rounds * TURNS {
        let once = module
            .offer(site.usage(), AT_ONCE, at_most, Duration::ZERO)
            .await?;
        tell(&format!("what it keeps up {turn}, module"), &once);
        let thrice = module
            .offer(site.usage(), AT_ONCE, threefold, Duration::ZERO)
            .await?;
        tell(&format!("three times that {turn}, module"), &thrice);
        most.add(&once);
        over.add(&thrice);
    }
    table.compare(
        "  of what it keeps up, done when offered three times that",
        over.per_second(),
        most.per_second(),
        ">= 0.9",
        |ratio| ratio >= 0.9,
    );
    let (bad, slowest) = (over.failed + over.lost, over.slowest_refusal);
    table.alone(
        "  calls that timed out or failed meanwhile",
        f64::from(bad),
        "0",
        bad == 0,
    );
    table.alone(
        "  slowest refusal, ms",
        slowest.as_secs_f64() * 1e3,
        "at once",
        slowest < Duration::from_millis(500),
    );
    Ok(())
}

async fn latency(table: &mut Table, installation: &Installation, built: &Built) -> Result<()> {
    let took = post_to_invite(installation, built, Offer::lasting(20.0, 15.0)).await?;
    let (p50, p99) = (quantile(&took, 0.50), quantile(&took, 0.99));
    table.alone(
        "POST to INVITE at 20 calls/s, p50, ms",
        p50,
        "< 15",
        p50 < 15.0,
    );
    table.alone(
        "POST to INVITE at 20 calls/s, p99, ms",
        p99,
        "< 60",
        p99 < 60.0,
    );
    Ok(())
}

async fn cycles(table: &mut Table, args: &Args, site: &Site) -> Result<()> {
    let held = load_and_unload(site, args.cycles).await?;
    // The first cycles fill the host's own pools and caches.
    let (Some(settled), Some(last)) = (held.get(held.len() / 2), held.last()) else {
        return Ok(());
    };
    println!(
        "after {} cycles: {settled:?}, after {}: {last:?}",
        held.len() / 2 + 1,
        held.len()
    );
    let growth = last.memory_kib as f64 / settled.memory_kib as f64;
    let what = format!(
        "memory after {} loads with calls up, to that after half",
        held.len()
    );
    table.alone(&what, growth, "<= 1.03", growth <= 1.03);
    let threads = f64::from(last.threads) - f64::from(settled.threads);
    table.alone("  threads more", threads, "<= 0", threads <= 0.0);
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
