//! No key is lost or comes twice, however fast and however far ahead it is typed: some hundred random sequences on
//! each host. `cargo run -p iradialer-rig --bin digits` types 10,000.
#![forbid(unsafe_code)]

use anyhow::{Result, ensure};
use iradialer_rig::digits;
use iradialer_rig::repository::Built;
use iradialer_rig::sipp::Ports;
use iradialer_rig::skip;

#[tokio::test(flavor = "multi_thread")]
async fn none_is_lost_or_doubled_on_the_sandbox() -> Result<()> {
    let tally = digits::on_sandbox(&Built::now(false)?, 100, 7).await?;
    ensure!(tally.sequences >= 100, "{tally:?}");
    ensure!(tally.faults.is_empty(), "{:#?}", tally.faults);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn none_is_lost_or_doubled_on_freeswitch() -> Result<()> {
    let Some(installation) = skip::without_freeswitch("random keys on FreeSWITCH")? else {
        return Ok(());
    };
    let places: Vec<Ports> = (0..12).map(|_| Ports::free()).collect::<Result<_>>()?;
    let built = Built::now(false)?;
    let tally = digits::on_freeswitch(&built, &installation, &places, 25, 7).await?;
    ensure!(tally.sequences == 300, "{tally:?}");
    ensure!(tally.faults.is_empty(), "{:#?}", tally.faults);
    Ok(())
}
