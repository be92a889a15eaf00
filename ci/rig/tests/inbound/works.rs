//! What a call that came in can do as one that was placed does: record, be asked live, be connected.

use super::site::{AGENTS, CALLER, CAMPAIGN, Does, MESSAGE, RECORDED, STAYS, Site, names};
use anyhow::{Context, Result, bail, ensure};
use iradialer_rig::scenario::{Recording, faults_of_recordings};
use iradialer_rig::webhook::Delivery;
use serde_json::{Value, json};
use std::time::Instant;

/// The number of the agent, in the flow `transfer`.
const AGENT: &str = "+15005550032";

/// A message is recorded by a step, and a whole call with each side in a channel of its own.
pub async fn records(site: &Site) -> Result<()> {
    let message = Recording {
        node: Some("leave".into()),
        ended_by: "silence".into(),
        channels: 1,
        ms: [5_500, 8_500],
        voice_ms: vec![[2_700, 3_200]],
    };
    let whole = Recording {
        node: None,
        ended_by: "hangup".into(),
        channels: 2,
        ms: [5_500, 8_500],
        voice_ms: vec![[2_700, 3_200], [940, 1_100]],
    };
    for (number, expected) in [(MESSAGE, message), (RECORDED, whole)] {
        let since = Instant::now();
        site.call(number, Does::Speaks).await?;
        let events = site.ended(number, since).await?;
        let dir = site.system.switch.recordings_dir();
        let faults = faults_of_recordings(&[expected], &events, &dir)?;
        ensure!(faults.is_empty(), "{number}: {faults:?}");
        let hangup = &events.last().context("no event")?.data;
        ensure!(hangup["by"] == "flow", "{number}: {hangup}");
    }
    Ok(())
}

/// What may be asked of a call that runs a flow is done, the rest is refused by name, and it is dropped.
pub async fn does_as_asked(site: &Site) -> Result<()> {
    let since = Instant::now();
    let asked = async {
        let call = site.come(STAYS, since, "answered").await?;
        let ask = async |path: &str, more: Value| -> Result<Value> {
            let mut body = more;
            body["call_uuid"] = json!(call);
            Ok(site.api.post(&format!("/api/{path}"), &body).await?.body)
        };
        for (path, more) in [
            ("playfile", json!({"filename": "hello.wav"})),
            ("stopplay", json!({})),
            ("getsimpledtmf", json!({"var_name": "pin"})),
            ("transfercall", json!({"destination": AGENT})),
        ] {
            let answer = ask(path, more).await?;
            ensure!(
                answer["error"]["name"] == "flow_running",
                "{path}: {answer}"
            );
        }
        let done = async |path: &str, more: Value| -> Result<()> {
            let answer = ask(path, more).await?;
            ensure!(answer["status"] == "OK", "{path}: {answer}");
            Ok(())
        };
        let details = async |muted: bool, held: bool| -> Result<()> {
            let shown = site.api.get(&format!("/api/calls/{call}/details")).await?;
            let shown = &shown.body["call_details"];
            ensure!(
                shown["muted"] == muted && shown["held"] == held && shown["flow"] == "stays",
                "{shown}"
            );
            Ok(())
        };
        done("mutecall", json!({})).await?;
        done("holdcall", json!({})).await?;
        details(true, true).await?;
        done("unmutecall", json!({})).await?;
        done("unholdcall", json!({})).await?;
        details(false, false).await?;
        done("senddtmf", json!({"digits": "12#"})).await?;
        done("startrecord", json!({"channels": 1})).await?;
        done("stoprecord", json!({})).await?;
        site.come(STAYS, since, "recording_ready").await?;
        done("dropcall", json!({})).await
    };
    tokio::try_join!(site.call(STAYS, Does::Stays), asked)?;
    let events = site.ended(STAYS, since).await?;
    let expected = ["started", "answered", "recording_ready", "hangup"];
    ensure!(names(&events) == expected, "{:?}", names(&events));
    let hangup = &events.last().context("no event")?.data;
    ensure!(hangup["by"] == "request", "{hangup}");
    let shown = site.api.call(events[0].call()).await?;
    ensure!(shown.text("/state") == "completed", "{shown:?}");
    Ok(())
}

/// The flow's first step connects the caller with an agent, through a trunk of the campaign.
pub async fn is_connected(site: &Site) -> Result<()> {
    let since = Instant::now();
    site.call(AGENTS, Does::Stays).await?;
    let events = site.ended(AGENTS, since).await?;
    let expected = [
        "started",
        "answered",
        "bridged",
        "unbridged",
        "transferred",
        "play_done",
        "hangup",
    ];
    ensure!(names(&events) == expected, "{events:#?}");
    let caller = events[0].call();
    let agent = agent_of(site, caller).await?;
    let of_agent = site
        .system
        .webhooks
        .wait_for_end(&agent, super::site::LONG)
        .await?;
    let expected = [
        "queued",
        "started",
        "ringing",
        "answered",
        "bridged",
        "dtmf",
        "unbridged",
        "hangup",
    ];
    ensure!(names(&of_agent) == expected, "{of_agent:#?}");
    for (own, other, events) in [(caller, &*agent, &events), (&agent, caller, &of_agent)] {
        let bridged = of_name(events, "bridged")?;
        ensure!(
            bridged.data["peer_call_uuid"] == *other,
            "{own}: {bridged:?}"
        );
        let shown = site.api.call(own).await?;
        ensure!(shown.text("/state") == "completed", "{shown:?}");
    }
    let transferred = of_name(&events, "transferred")?;
    ensure!(
        transferred.data["result"] == "done" && transferred.data["destination"] == AGENT,
        "{transferred:?}"
    );
    for event in &of_agent {
        let data = &event.data;
        ensure!(
            data["direction"] == "outbound"
                && data["to_number"] == AGENT
                && data["from_number"] == CALLER
                && data["parent_uuid"] == *caller,
            "{data}"
        );
    }
    let shown = site.api.call(caller).await?;
    ensure!(
        shown.text("/direction") == "inbound" && shown.text("/result/variables/way") == "done",
        "{shown:?}"
    );
    Ok(())
}

fn of_name<'e>(events: &'e [Delivery], name: &str) -> Result<&'e Delivery> {
    let found = events.iter().find(|event| event.name == name);
    found.with_context(|| format!("no {name}: {:?}", names(events)))
}

/// The call that was dialled for this one.
async fn agent_of(site: &Site, call: &str) -> Result<String> {
    let listed = site
        .api
        .get(&format!("/api/calls?campaign={CAMPAIGN}"))
        .await?;
    let calls = listed.body["calls"].as_array().context("a list")?;
    let dialled: Vec<_> = calls
        .iter()
        .filter(|other| other["parent_uuid"] == *call)
        .collect();
    match dialled[..] {
        [one] => Ok(one["call_uuid"].as_str().context("its UUID")?.to_owned()),
        _ => bail!("one call for {call}: {listed:?}"),
    }
}
