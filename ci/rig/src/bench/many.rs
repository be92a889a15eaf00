//! Five thousand calls in a flow at once, on the sandbox switch.

use super::usage::Usage;
use super::{Module, Offer, Table, quantile};
use crate::freeswitch::Engine;
use crate::nats::Nats;
use crate::prompts;
use crate::repository::Built;
use crate::sandbox::Sandbox;
use crate::scenario::flow_named;
use crate::system::NODE;
use anyhow::Result;
use serde_json::json;
use std::time::{Duration, Instant};

const CALLS: u32 = 5_000;
/// How many begin in a second: all are up before the first one ends.
const PER_SECOND: f64 = 150.0;
/// Rings 2 s, answers, presses 1, then 4321#.
const CALLEE: &str = "+15005550006";
/// What is played to each in the end, and how long that is.
const LONG: [&str; 2] = ["one.wav", "other.wav"];
const LONG_MS: f64 = 40_000.0;
/// About how long such a call lasts.
const LASTS: Duration = Duration::from_secs(60);

/// Has all of them be asked, type and be played to.
pub async fn five_thousand(table: &mut Table, built: &Built) -> Result<()> {
    let nats = Nats::start(&built.gateway, &[NODE]).await?;
    let dir = tempfile::Builder::new().prefix("ira-bench-").tempdir()?;
    prompts::of_bench(dir.path())?;
    let engine = Engine::new(&built.module)
        .node(NODE, &nats.switch_login(NODE)?)
        .prompts(dir.path())
        .of_bench();
    let switch = Sandbox::start(&built.sandbox, &engine, 1).await?;
    let login = nats.gateway_login();
    let options = async_nats::ConnectOptions::with_user_and_password(login.user, login.password);
    let mut flow = flow_named("press_one_then_code")?;
    flow["nodes"]["bye"]["play"] = json!([{"file": LONG[0]}, {"file": LONG[1]}]);
    let module = Module::on(options.connect(&login.url).await?)
        .await?
        .playing(&flow)?
        .calling(CALLEE)?
        .patient();
    let usage = Usage::of(switch.process().id());
    let offer = Offer {
        calls: CALLS,
        per_second: PER_SECOND,
    };
    let begun = Instant::now();
    let outcome = module.offer(usage, "trunk", offer, LASTS).await?;
    let cores = outcome.cpu.as_secs_f64() / begun.elapsed().as_secs_f64();
    let mut late: Vec<f64> = outcome
        .played_ms
        .iter()
        .map(|ms| *ms as f64 - LONG_MS)
        .filter(|late| *late > -LONG_MS / 2.0)
        .collect();
    late.sort_by(f64::total_cmp);
    println!(
        "5000 calls on the sandbox: {} completed, {} typed, {} refused for good, at first {:?}, {} failed, {} lost, {} long prompts heard out",
        outcome.completed,
        outcome.typed,
        outcome.refused,
        outcome.refused_for,
        outcome.failed,
        outcome.lost,
        late.len()
    );
    let all = |figure: u32| figure == CALLS;
    table.alone(
        "calls in a flow at once on the sandbox: most threads",
        f64::from(outcome.most_threads),
        ">= 5000",
        outcome.most_threads >= CALLS,
    );
    for (what, figure) in [
        (
            "  completed, without a fault",
            outcome.completed - outcome.faulted,
        ),
        ("  that typed what they were asked for", outcome.typed),
        ("  that heard the last prompt out", late.len() as u32),
    ] {
        table.alone(what, f64::from(figure), "5000", all(figure));
    }
    for (name, part) in [("p50", 0.50), ("p99", 0.99)] {
        let what = format!("  prompts of 40 s, how much longer, {name}, ms");
        let figure = quantile(&late, part);
        table.alone(&what, figure, "< 100", figure < 100.0);
    }
    table.alone(
        "  processors used, of the whole run",
        cores,
        "to know",
        true,
    );
    Ok(())
}
