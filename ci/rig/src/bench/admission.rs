//! From a dial command to its answer: what the module's journal and its disk take.

use super::{AT_ONCE, Module, Offer, Site, Table, quantile};
use crate::freeswitch::{Engine, Installation};
use crate::nats::Nats;
use crate::prompts;
use crate::repository::Built;
use crate::sandbox::Sandbox;
use crate::system::NODE;
use anyhow::Result;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Calls a second.
const RATE: f64 = 300.0;
/// How long each part lasts, s.
const LASTS_S: f64 = 15.0;
/// A callee that is busy at once.
const BUSY: &str = "+15005557486";
/// About what a call's first record takes in the journal, bytes.
const RECORD: usize = 600;

/// Measures on a sandbox switch, and on FreeSWITCH where there is one, beside the bare disk.
pub async fn admission(
    table: &mut Table,
    built: &Built,
    installation: Option<&Installation>,
) -> Result<()> {
    let mut measured = vec![("sandbox", on_sandbox(built).await?)];
    if let Some(installation) = installation {
        let site = Site::start(installation, built).await?;
        let module = Module::of(&site).await?;
        let took = module.admit(AT_ONCE, Offer::lasting(RATE, LASTS_S)).await?;
        measured.push(("FreeSWITCH", took));
    }
    let disk = bare_disk(&std::env::temp_dir()).await?;
    for (switch, took) in measured {
        for (name, part, most) in [("p50", 0.50, f64::INFINITY), ("p99", 0.99, 5.0)] {
            let ours = quantile(&took, part);
            table.beside(
                &format!("dial command to answer at 300 calls/s, {switch}, and a bare fdatasync, {name}, ms"),
                ours,
                Some(quantile(&disk, part)),
                if most.is_finite() { "< 5" } else { "-" },
                ours < most,
            );
        }
    }
    Ok(())
}

async fn on_sandbox(built: &Built) -> Result<Vec<f64>> {
    let nats = Nats::start(&built.gateway, &[NODE]).await?;
    let prompts = prompts::in_temp_dir()?;
    let engine = Engine::new(&built.module)
        .node(NODE, &nats.switch_login(NODE)?)
        .prompts(prompts.path())
        .of_bench();
    let _switch = Sandbox::start(&built.sandbox, &engine, 1).await?;
    let login = nats.gateway_login();
    let options = async_nats::ConnectOptions::with_user_and_password(login.user, login.password);
    let module = Module::on(options.connect(&login.url).await?).await?;
    let offer = Offer::lasting(RATE, LASTS_S);
    module.calling(BUSY)?.admit("trunk", offer).await
}

/// How long a write of a record and its fdatasync take at the same rate with nothing else on the disk, ms,
/// shortest first.
async fn bare_disk(dir: &Path) -> Result<Vec<f64>> {
    let mut file = tempfile::tempfile_in(dir)?;
    let offer = Offer::lasting(RATE, LASTS_S / 3.0);
    tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        let mut took = Vec::new();
        for index in 0..offer.calls {
            std::thread::sleep(offer.due(index).saturating_sub(began.elapsed()));
            took.push(write(&mut file)?.as_secs_f64() * 1e3);
        }
        took.sort_by(f64::total_cmp);
        Ok(took)
    })
    .await?
}

fn write(file: &mut File) -> Result<Duration> {
    let began = Instant::now();
    file.write_all(&[7; RECORD])?;
    file.sync_data()?;
    Ok(began.elapsed())
}
