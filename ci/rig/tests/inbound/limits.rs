//! What a call that comes in can't have: room, a prompt in time, a gateway.

use super::site::{Does, GONE, LONG, MENU, MOST_CALLS, NAMED, SLOW, SLOWER, STAYS, Site, names};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

/// One more than `max-calls` is refused, nobody hears of it, and the others don't notice.
pub async fn there_is_no_room(site: &Site) -> Result<()> {
    let since = Instant::now();
    let stays = || site.call(STAYS, Does::Stays);
    let asked = async {
        let calls = site.all_come(STAYS, since, "answered", MOST_CALLS).await?;
        let recorded = site.on_record().await?;
        site.call(STAYS, Does::IsRefused("503")).await?;
        let why = format!("it holds {MOST_CALLS} calls, max-calls");
        site.refused(&why, MOST_CALLS).await?;
        let answered = site.all_come(STAYS, since, "started", MOST_CALLS).await?;
        ensure!(answered.len() == MOST_CALLS, "{answered:?}");
        ensure!(site.on_record().await? == recorded, "it is on record");
        for call in &calls {
            let dropped = site.api.drop_call(call).await?;
            ensure!(dropped.status == 200, "{dropped:?}");
            site.system.webhooks.wait_for_end(call, LONG).await?;
        }
        Ok(())
    };
    tokio::try_join!(stays(), stays(), stays(), asked)?;
    let since = Instant::now();
    site.call(MENU, Does::Leaves).await?;
    site.ended(MENU, since).await?;
    Ok(())
}

/// A prompt that is not there is a refusal, and one that is slow, until it has come.
pub async fn prompts_are_late(site: &Site) -> Result<()> {
    let known = site.system.webhooks.events().len();
    let since = Instant::now();
    site.call(GONE, Does::IsRefused("503")).await?;
    site.refused("it can't be fetched", 0).await?;
    ensure!(
        since.elapsed() < Duration::from_secs(4),
        "it was waited for"
    );
    site.call(SLOWER, Does::GivesUp).await?;
    // Who has given up has no place any more, long before the prompt comes.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    site.has_room().await?;
    ensure!(
        since.elapsed() < Duration::from_secs(6),
        "it was waited for"
    );
    site.call(SLOW, Does::IsRefused("503")).await?;
    site.refused("what the call takes was not ready within 5000 ms", 0)
        .await?;
    ensure!(
        site.system.webhooks.events().len() == known,
        "a refused call was reported"
    );
    site.has_room().await?;
    // It goes on being fetched, and the next caller waits for the rest of it.
    let since = Instant::now();
    site.call(SLOW, Does::Stays).await?;
    let events = site.ended(SLOW, since).await?;
    let expected = ["started", "answered", "play_done", "hangup"];
    ensure!(names(&events) == expected, "{:?}", names(&events));
    Ok(())
}

/// With the gateway away the switch's own flow of that name is run, and nobody knows what a number stands for.
pub async fn the_gateway_is_away(site: &mut Site) -> Result<()> {
    let since = Instant::now();
    site.call(NAMED, Does::Stays).await?;
    let events = site.ended(NAMED, since).await?;
    ensure!(prompt_of(&events)? == "hello.wav", "{events:?}");
    ensure!(
        events[0].data["tenant_id"] == super::site::TENANT,
        "{events:?}"
    );

    site.system.gateway.crash().await?;
    site.call(MENU, Does::IsRefused("503")).await?;
    site.refused("does not say what the number stands for", 0)
        .await?;
    let held = async {
        for calls in ["1 total", "0 total"] {
            site.holds(calls).await?;
        }
        Ok(())
    };
    tokio::try_join!(site.call(NAMED, Does::Stays), held)?;

    // What came of it is told to the gateway that is back: under the tenant of the switch's own calls.
    site.system.gateway.start_again(false).await?;
    let api = site.system.gateway.api("operator")?;
    let until = Instant::now() + LONG;
    let call = loop {
        let listed = api.get("/api/calls").await?;
        let calls = listed.body["calls"].as_array().cloned().unwrap_or_default();
        if let [call] = &calls[..]
            && call["state"] == "completed"
        {
            break call.clone();
        }
        ensure!(Instant::now() < until, "{listed:?}\n{}", site.system.logs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    ensure!(
        call["direction"] == "inbound" && call["to_number"] == NAMED,
        "{call}"
    );
    let uuid = call["call_uuid"].as_str().context("its UUID")?;
    let told = api.get(&format!("/api/calls/{uuid}/events")).await?;
    let told = told.body.to_string();
    ensure!(
        told.contains("bye.wav") && !told.contains("hello.wav"),
        "{told}"
    );
    let since = Instant::now();
    site.call(MENU, Does::Leaves).await?;
    site.ended(MENU, since).await?;
    Ok(())
}

fn prompt_of(events: &[iradialer_rig::webhook::Delivery]) -> Result<&str> {
    let played = events.iter().find(|event| event.name == "play_done");
    let played = played.with_context(|| format!("{:?}", names(events)))?;
    played.data["prompt"].as_str().context("a prompt's name")
}
