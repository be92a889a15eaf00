//! How many webhooks a second go out, what one costs, and what ill receivers do to the others.

mod load;
pub(super) mod receiver;

use super::tdb::now_ms;
use super::usage::Usage;
use super::{Table, quantile};
use crate::api::use_ring;
use crate::gateway::{Config, Gateway};
use crate::repository::Built;
use anyhow::{Result, ensure};
use load::{ALL, Load, delivered};
use receiver::{BlackHole, Receivers, closed_port};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Deliveries a second that have to be reached.
const WANTED: f64 = 3_000.0;
/// Calls of the backlog that is emptied, five events each.
const BACKLOG: u64 = 9_000;
/// How long before they are due events are written: the dispatcher looks that often by itself.
const AHEAD_MS: u64 = 7_000;
/// How many requests the bare client has under way, as many as one receiver gets.
const AT_ONCE: usize = 16;
/// How long the bare client goes on.
const PEER_LASTS: Duration = Duration::from_secs(4);
/// How long all deliveries may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// Healthy receivers beside the ill ones, what they are sent a second, and for how long.
const HEALTHY: u64 = 10;
const HEALTHY_PER_S: u64 = 500;
const BESIDE_S: u64 = 12;
/// Deliveries a second for each ill receiver.
const ILL_PER_S: u64 = 5;

/// A gateway and its receivers.
struct Scene {
    gateway: Gateway,
    receivers: Receivers,
}

impl Scene {
    async fn start(built: &Built) -> Result<Self> {
        let gateway = Gateway::start(&built.gateway, Config::default(), None).await?;
        let receivers = Receivers::start(&gateway.webhook_secret()?).await?;
        Ok(Scene { gateway, receivers })
    }

    /// A load for the receivers on `hosts` addresses.
    fn load(&self, first: u64, calls: u64, each: u64, hosts: u64) -> Load {
        Load {
            first,
            calls,
            each,
            before: "http://127.0.0.".into(),
            hosts: (1, hosts),
            after: format!(":{}/hook", self.receivers.port),
            from_ms: 0,
            gap_us: 0,
        }
    }

    /// Waits until so many have come. How long it took since `since_ms`.
    async fn until(&self, events: u64) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while (self.receivers.count() as u64) < events {
            ensure!(
                Instant::now() < deadline,
                "{} of {events} webhooks came\n{}",
                self.receivers.count(),
                self.gateway.process().log_tail()
            );
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

/// How many webhooks one receiver gets a second, and how late they are.
pub async fn webhooks(table: &mut Table, built: &Built) -> Result<()> {
    let scene = Scene::start(built).await?;
    let (gateway, own) = (
        Usage::of(scene.gateway.process().id()),
        Usage::of(std::process::id()),
    );
    let mut load = scene.load(0, BACKLOG, ALL, 1);
    load.from_ms = now_ms() + AHEAD_MS + 4_000;
    load.put(&scene.gateway).await?;
    ensure!(
        now_ms() + 5_500 < load.from_ms,
        "writing the backlog took too long"
    );
    sleep(Duration::from_millis(load.from_ms - now_ms())).await;
    let before = (gateway.cpu()?, own.cpu()?);
    scene.until(load.events()).await?;
    let used = [gateway.cpu()? - before.0, own.cpu()? - before.1];
    let inbox = scene.receivers.take();
    let last_us = inbox.came.iter().map(|(_, _, at_us)| *at_us).max();
    let took_s = last_us.unwrap_or(0) as f64 / 1e6 - load.from_ms as f64 / 1e3;
    let ours = load.events() as f64 / took_s;
    let peer = bare_client(&scene.receivers).await?;
    table.beside(
        "webhooks to one receiver, a second, beside a bare client's",
        ours,
        Some(peer),
        ">= 3000",
        ours >= WANTED,
    );
    for (what, used) in ["  CPU of the gateway for each, ms", "  of the receiver, ms"]
        .into_iter()
        .zip(used)
    {
        let each = used.as_secs_f64() * 1e3 / load.events() as f64;
        table.alone(what, each, "to know", true);
    }
    let wrong = inbox.astray + inbox.forged;
    let what = format!(
        "  of {} out of order or come twice, of {} wrongly signed",
        load.events(),
        inbox.checked
    );
    table.alone(&what, wrong as f64, "0", wrong == 0);
    let deadline = Instant::now() + PATIENCE;
    while delivered(&scene.gateway).await? < load.events() {
        ensure!(Instant::now() < deadline, "deliveries are not in the TDB");
        sleep(Duration::from_millis(100)).await;
    }

    let seconds = 10;
    let calls = WANTED as u64 * seconds;
    let mut steady = scene.load(BACKLOG, calls, 1, 1);
    steady.gap_us = seconds * 1_000_000 / calls;
    steady.from_ms = now_ms() + AHEAD_MS + 2_000;
    steady.put(&scene.gateway).await?;
    scene.until(steady.events()).await?;
    let delays = delays(&scene.receivers, &steady);
    let (p50, p99) = (quantile(&delays, 0.50), quantile(&delays, 0.99));
    table.alone(
        "  at 3000/s, from due to received, p50, ms",
        p50,
        "to know",
        true,
    );
    table.alone("  p99, ms", p99, "< 250", p99 < 250.0);
    Ok(())
}

/// How long after they were due they came, ms, sorted.
fn delays(receivers: &Receivers, load: &Load) -> Vec<f64> {
    let inbox = receivers.take();
    let mut delays: Vec<f64> = inbox
        .came
        .iter()
        .map(|(call, _, at_us)| *at_us as f64 / 1e3 - load.due_ms(*call) as f64)
        .collect();
    delays.sort_by(f64::total_cmp);
    delays
}

/// What a client without any state sends a second to the same receiver.
async fn bare_client(receivers: &Receivers) -> Result<f64> {
    use_ring();
    let http = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("http://127.0.0.1:{}/hook", receivers.port);
    let sent = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let (http, url, sent) = (http.clone(), url.clone(), Arc::clone(&sent));
        clients.spawn(async move {
            while begun.elapsed() < PEER_LASTS {
                let number = sent.fetch_add(1, Ordering::Relaxed);
                let request = http
                    .post(&url)
                    .header("content-type", "application/json")
                    .header(
                        "webhook-id",
                        format!("0190b000-0000-7000-8000-{number:012x}_1"),
                    )
                    .body("x".repeat(900));
                let answer = request.send().await?;
                answer.bytes().await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    receivers.take();
    Ok(sent.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
}

/// Healthy receivers alone, and beside 50 that are dead, 10 that are slow and 5 that redirect, in turn.
pub async fn ill_receivers(table: &mut Table, built: &Built, rounds: u32) -> Result<()> {
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        for (with_ill, delays) in [(false, &mut alone), (true, &mut beside)] {
            let more = round_of(built, with_ill).await?;
            println!(
                "webhooks {round}, {}: p50 {:.1} ms, p99 {:.1} ms",
                if with_ill {
                    "beside ill receivers"
                } else {
                    "alone"
                },
                quantile(&more, 0.50),
                quantile(&more, 0.99)
            );
            delays.extend(more);
        }
    }
    for delays in [&mut alone, &mut beside] {
        delays.sort_by(f64::total_cmp);
    }
    for (name, part, bound) in [("p50", 0.50, f64::INFINITY), ("p99", 0.99, 1.5)] {
        let what = format!("delay beside 65 ill receivers, to that without them: {name}, ms");
        let wanted = if bound.is_finite() {
            "<= 1.5"
        } else {
            "to know"
        };
        let [ours, peer] = [&beside, &alone].map(|delays| quantile(delays, part));
        table.compare(&what, ours, peer, wanted, |ratio| ratio <= bound);
    }
    Ok(())
}

async fn round_of(built: &Built, with_ill: bool) -> Result<Vec<f64>> {
    let scene = Scene::start(built).await?;
    let calls = HEALTHY_PER_S * BESIDE_S;
    let mut healthy = scene.load(0, calls, 1, HEALTHY);
    healthy.gap_us = BESIDE_S * 1_000_000 / calls;
    healthy.from_ms = now_ms() + AHEAD_MS + 2_000;
    let hole = BlackHole::open()?;
    if with_ill {
        let of = |number: u64, hosts, before: &str, after: String| Load {
            first: 1_000_000 * number,
            calls: hosts * ILL_PER_S * BESIDE_S,
            each: 1,
            before: before.into(),
            hosts: (1, hosts),
            after,
            // They are ill when the others begin.
            from_ms: healthy.from_ms - 1_000,
            gap_us: 1_000_000 / (hosts * ILL_PER_S),
        };
        for ill in [
            of(1, 25, "http://127.0.1.", format!(":{}/", closed_port()?)),
            of(2, 25, "http://127.0.2.", format!(":{}/", hole.port)),
            of(
                3,
                10,
                "http://127.0.3.",
                format!(":{}/slow", scene.receivers.port),
            ),
            of(
                4,
                5,
                "http://127.0.4.",
                format!(":{}/moved", scene.receivers.port),
            ),
        ] {
            ill.put(&scene.gateway).await?;
        }
    }
    healthy.put(&scene.gateway).await?;
    scene.until(healthy.events()).await?;
    Ok(delays(&scene.receivers, &healthy))
}
