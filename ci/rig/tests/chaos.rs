//! The short chaos run: some faults of one seed, on SQLite and sandbox switches. `make chaos` has the long
//! ones.
#![forbid(unsafe_code)]

use anyhow::{Result, ensure};
use iradialer_rig::chaos::world::{Database, Switches};
use iradialer_rig::chaos::{Options, run};
use iradialer_rig::repository::Built;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_nobody_is_dialled_twice() -> Result<()> {
    let built = Built::now(false)?;
    let options = Options {
        faults: 40,
        seed: 7,
        database: Database::Sqlite,
        switches: Switches::Sandbox,
        gap: Duration::from_millis(250),
        settle: Duration::from_secs(60),
        aloud: false,
    };
    let outcome = run(&built, options).await?;
    let told = format!(
        "{}\n{}\n{:?}",
        outcome.findings, outcome.summary, outcome.logs
    );
    ensure!(outcome.findings.are_clean(), "not clean:\n{told}");
    println!("{told}");
    Ok(())
}
