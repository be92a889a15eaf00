//! `make chaos`: the whole system under load and faults, and what must stay true.
#![forbid(unsafe_code)]

use anyhow::{Context, Result};
use clap::Parser;
use iradialer_rig::chaos::world::{Database, Switches};
use iradialer_rig::chaos::{Options, run};
use iradialer_rig::freeswitch::Installation;
use iradialer_rig::repository::Built;
use std::process::ExitCode;
use std::time::Duration;

/// Runs the system as real processes, breaks it as a seed says, and checks that nothing was lost and
/// nobody was dialled twice.
#[derive(Parser)]
struct Arguments {
    /// How many faults.
    #[arg(long, env = "FAULTS", default_value_t = 100)]
    faults: usize,
    /// The seed of the faults and the load; the same seed gives the same plan. A random one if not given.
    #[arg(long, env = "SEED")]
    seed: Option<u64>,
    /// Where the TDB is.
    #[arg(long, env = "DB", value_enum, default_value = "sqlite")]
    db: Database,
    /// What dials: the sandbox, or FreeSWITCH with a sipp behind each trunk.
    #[arg(long, env = "SWITCH", value_enum, default_value = "sandbox")]
    switch: Switch,
    /// Calls asked for in a second.
    #[arg(long, default_value_t = 4.0)]
    rate: f64,
    /// Seconds after the last fault in which everything must have come to its end, beside what the calls
    /// that are still queued then take by their trunks' rates.
    #[arg(long, default_value_t = 120)]
    settle: u64,
    /// Shows no faults as they strike.
    #[arg(long)]
    quiet: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Switch {
    Sandbox,
    Freeswitch,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let built = tokio::task::spawn_blocking(|| Built::now(true)).await??;
    let options = Options {
        faults: arguments.faults,
        seed: arguments.seed.unwrap_or_else(rand::random),
        database: arguments.db,
        switches: match arguments.switch {
            Switch::Sandbox => Switches::Sandbox,
            Switch::Freeswitch => {
                let found = Installation::find()?;
                Switches::FreeSwitch(found.context(Installation::NOT_FOUND)?)
            }
        },
        gap: Duration::from_secs_f64(1.0 / arguments.rate.clamp(0.1, 100.0)),
        settle: Duration::from_secs(arguments.settle),
        aloud: !arguments.quiet,
    };
    println!("seed {}", options.seed);
    let outcome = run(&built, options).await?;
    println!(
        "\n{}\n{}\n{}",
        outcome.tally, outcome.findings, outcome.summary
    );
    match outcome.logs {
        None => Ok(ExitCode::SUCCESS),
        Some(logs) => {
            println!("NOT CLEAN; the logs are in {}", logs.display());
            Ok(ExitCode::FAILURE)
        }
    }
}
