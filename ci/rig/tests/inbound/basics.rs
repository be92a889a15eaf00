//! What every call that comes in has: its events and its record, and nothing of one that can't be taken.

use super::site::{CALLER, CAMPAIGN, Does, MENU, NO_MORE, NOBODYS, Site, TENANT, names};
use anyhow::{Context, Result, ensure};
use std::time::Instant;

/// One who is served, one who leaves, one who wants no more calls, and those who can't be taken.
pub async fn take_calls(site: &Site) -> Result<()> {
    // One who presses a key and is hung up on by the flow.
    let since = Instant::now();
    site.call(MENU, Does::Presses("1")).await?;
    let events = site.ended(MENU, since).await?;
    let expected = [
        "started",
        "answered",
        "dtmf",
        "play_done",
        "dtmf_collected",
        "play_done",
        "hangup",
    ];
    ensure!(names(&events) == expected, "{:?}", names(&events));
    for (event, seq) in events.iter().zip(1..) {
        let data = &event.data;
        ensure!(
            data["call_type"] == "inbound" && data["direction"] == "inbound" && data["seq"] == seq,
            "{data}"
        );
        ensure!(
            data["tenant_id"] == TENANT
                && data["campaign_name"] == CAMPAIGN
                && data["from_number"] == CALLER
                && data["to_number"] == MENU
                && data["gateway"] == "external",
            "{data}"
        );
    }
    let hangup = &events.last().context("no event")?.data;
    ensure!(
        hangup["by"] == "flow" && hangup["answered"] == true,
        "{hangup}"
    );
    ensure!(
        events[1].data["network_ip"] == "127.0.0.1",
        "{:?}",
        events[1]
    );
    let shown = site.api.call(events[0].call()).await?;
    for (pointer, value) in [
        ("/direction", "inbound"),
        ("/state", "completed"),
        ("/result/ended_by", "flow"),
        ("/campaign_name", CAMPAIGN),
    ] {
        ensure!(shown.text(pointer) == value, "{pointer}: {shown:?}");
    }

    // One who hangs up in the menu.
    let since = Instant::now();
    site.call(MENU, Does::Leaves).await?;
    let events = site.ended(MENU, since).await?;
    let hangup = &events.last().context("no event")?.data;
    ensure!(
        hangup["by"] == "caller" && hangup["answered"] == true,
        "{hangup}"
    );

    // One who wants no more calls: it is the caller's number that is listed.
    let since = Instant::now();
    site.call(NO_MORE, Does::Leaves).await?;
    let events = site.ended(NO_MORE, since).await?;
    let out = events.iter().find(|event| event.name == "opted_out");
    let out = out.with_context(|| format!("{:?}", names(&events)))?;
    ensure!(out.data["number"] == CALLER, "{:?}", out.data);

    // What can't be taken leaves nothing behind.
    let known = site.system.webhooks.events().len();
    site.call(NOBODYS, Does::IsRefused("404")).await?;
    site.refused("is not among the [[dids]]", 0).await?;
    let said = site.system.switch.exec("iradialer drain").await?;
    ensure!(said.starts_with("+OK"), "{said}");
    site.call(MENU, Does::IsRefused("503")).await?;
    site.refused("it is drained", 0).await?;
    site.system.switch.exec("iradialer resume").await?;
    let since = Instant::now();
    site.call(MENU, Does::Leaves).await?;
    let events = site.ended(MENU, since).await?;
    ensure!(
        site.system.webhooks.events().len() == known + events.len(),
        "a refused call was reported"
    );
    Ok(())
}
