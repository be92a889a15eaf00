//! Types random sequences of keys at a FreeSWITCH and compares them with what its flows collect. By default
//! 10,000 of them, which takes some ten minutes.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use clap::Parser;
use iradialer_rig::digits;
use iradialer_rig::freeswitch::Installation;
use iradialer_rig::repository::Built;
use iradialer_rig::sipp::Ports;

/// Loses no key and doubles none.
#[derive(Parser)]
struct Args {
    /// Sequences.
    #[arg(long, default_value_t = 10_000)]
    sequences: usize,
    /// Callers at once.
    #[arg(long, default_value_t = 25)]
    callers: usize,
    /// Sequences of each call.
    #[arg(long, default_value_t = 25)]
    each: usize,
    /// Where the random keys begin.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let installation = Installation::find()?.context(Installation::NOT_FOUND)?;
    let built = Built::now(false)?;
    let places: Vec<Ports> = (0..args.callers)
        .map(|_| Ports::free())
        .collect::<Result<_>>()?;
    let (mut sequences, mut keys, mut faults) = (0, 0, 0);
    for round in 0.. {
        if sequences >= args.sequences {
            break;
        }
        let seed = args.seed + round;
        let tally = digits::on_freeswitch(&built, &installation, &places, args.each, seed).await?;
        sequences += tally.sequences;
        keys += tally.keys;
        faults += tally.faults.len();
        println!(
            "round {round} (seed {seed}): {sequences} sequences, {keys} keys, {faults} calls with a fault"
        );
        tally.faults.iter().for_each(|fault| println!("  {fault}"));
    }
    ensure!(faults == 0, "keys were lost or doubled in {faults} calls");
    println!(
        "FreeSWITCH {}: {sequences} sequences of {keys} keys, none lost, none doubled",
        installation.version
    );
    Ok(())
}
