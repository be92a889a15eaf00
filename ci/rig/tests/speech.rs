//! A text spoken by an engine of the host itself. The sandbox has one; FreeSWITCH has those of its speech modules.
#![forbid(unsafe_code)]

use anyhow::{Result, ensure};
use iradialer_rig::loopback::{CAMPAIGN, Loopback, STAYS, TRUNK};
use iradialer_rig::skip;
use iradialer_rig::system::Host;
use serde_json::{Value, json};

/// A character of it lasts 60 ms.
const CHARACTER_MS: u64 = 60;

async fn says(site: &Loopback, engine: &str, voice: &str, text: &str) -> Result<Value> {
    let flow = json!({"version": 1, "name": "speech", "start": "a", "no_agent": "a test", "nodes": {
        "a": {"play": [{"tts": {"text": text, "voice": voice, "engine": engine}}], "next": "@hangup"}}});
    let request = json!({"campaign_name": CAMPAIGN, "to_number": STAYS, "ivr": flow});
    let call = site.api.make_call(&request).await?;
    let events = site.wait_for_end(&call).await?;
    let played = events.iter().find(|event| event.name == "play_done");
    Ok(played
        .or(events.last())
        .map(|event| event.data.clone())
        .unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_own_engine_speaks() -> Result<()> {
    let site = Loopback::on_sandbox().await?;
    for _ in 0..2 {
        let played = says(&site, "sandbox", "high", "{Hello there.").await?;
        let ms = played["played_ms"].as_u64().unwrap_or_default();
        // What could be taken for settings of the engine is not spoken.
        let expected = "Hello there.".len() as u64 * CHARACTER_MS;
        ensure!((expected..expected + 200).contains(&ms), "{played}");
    }
    let refused = says(&site, "sandbox", "squeaky", "Hello.").await?;
    let reason = refused["reason"].as_str().unwrap_or_default();
    ensure!(
        reason.contains("engine sandbox does not begin"),
        "{refused}"
    );
    let status = site.system.switch.exec("iradialer status").await?;
    ensure!(status.contains("1 on the disk"), "{status}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn freeswitchs_own_engine_speaks() -> Result<()> {
    let test = "a text spoken by FreeSWITCH's own engine";
    let Some(installation) = skip::without_freeswitch(test)? else {
        return Ok(());
    };
    let site = Loopback::start(Host::freeswitch_with_callees(installation, TRUNK)?).await?;
    let loaded = site.system.switch.exec("load mod_tts_commandline").await?;
    // It says "+OK Reloading XML" first, whatever comes of it.
    if loaded.contains("-ERR") {
        return skip::say(test, "this FreeSWITCH has no mod_tts_commandline");
    }
    let spoken = says(&site, "tts_commandline", "en", "Good morning to you.").await?;
    let ms = spoken["played_ms"].as_u64().unwrap_or_default();
    ensure!((700..4_000).contains(&ms), "{spoken}");
    // An engine that is not there is told of before anybody's phone rings.
    let refused = says(&site, "nobodys", "en", "Good morning.").await?;
    let reason = refused["reason"].as_str().unwrap_or_default();
    ensure!(reason.contains("no speech engine"), "{refused}");
    Ok(())
}
