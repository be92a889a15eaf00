//! Calls that come in: the same events and records as of calls that are placed, on a real switch with sipp as
//! the caller and on the sandbox; what can't be taken is refused before it is answered.
#![forbid(unsafe_code)]

mod basics;
mod limits;
mod site;
mod works;

use anyhow::{Result, ensure};
use iradialer_rig::skip;
use iradialer_rig::system::Switch;
use site::{CALLER, LONG, MENU, Site, names};
use std::time::Instant;

async fn all(site: &mut Site) -> Result<()> {
    basics::take_calls(site).await?;
    works::records(site).await?;
    works::does_as_asked(site).await?;
    works::is_connected(site).await?;
    limits::there_is_no_room(site).await?;
    limits::prompts_are_late(site).await?;
    limits::the_gateway_is_away(site).await
}

#[tokio::test(flavor = "multi_thread")]
async fn freeswitch_takes_calls_that_come_in() -> Result<()> {
    let test = "freeswitch_takes_calls_that_come_in";
    let Some(installation) = skip::without_freeswitch(test)? else {
        return Ok(());
    };
    all(&mut Site::start(Some(installation)).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_takes_calls_that_come_in() -> Result<()> {
    all(&mut Site::start(None).await?).await
}

/// The switch is killed with a call that came in: its one last event comes all the same.
#[tokio::test(flavor = "multi_thread")]
async fn calls_that_come_in_outlive_their_switch() -> Result<()> {
    let mut site = Site::start(None).await?;
    let since = Instant::now();
    let answer = site
        .system
        .switch
        .exec(&format!("inbound {CALLER} {MENU} -"))
        .await?;
    ensure!(answer.starts_with("+OK"), "{answer}");
    let call = site.come(MENU, since, "answered").await?;
    let Switch::Sandbox(sandbox) = &mut site.system.switch else {
        unreachable!("a sandbox was asked for")
    };
    sandbox.crash_and_start().await?;
    let events = site.system.webhooks.wait_for_end(&call, LONG).await?;
    let finals: Vec<_> = events.iter().filter(|event| event.is_final()).collect();
    ensure!(finals.len() == 1, "{:?}", names(&events));
    ensure!(finals[0].data["by"] == "crash", "{:?}", finals[0].data);
    Ok(())
}
