//! A text spoken by an engine of the host itself. The sandbox has one; a FreeSWITCH without a speech module has none.
#![forbid(unsafe_code)]

use anyhow::{Result, ensure};
use iradialer_rig::loopback::{CAMPAIGN, Loopback, STAYS};
use serde_json::{Value, json};

/// A character of it lasts 60 ms.
const CHARACTER_MS: u64 = 60;

async fn says(site: &Loopback, text: &str, voice: &str) -> Result<Value> {
    let flow = json!({"version": 1, "name": "speech", "start": "a", "no_agent": "a test", "nodes": {
        "a": {"play": [{"tts": {"text": text, "voice": voice, "engine": "sandbox"}}], "next": "@hangup"}}});
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
        let played = says(&site, "{Hello there.", "high").await?;
        let ms = played["played_ms"].as_u64().unwrap_or_default();
        // What could be taken for settings of the engine is not spoken.
        let expected = "Hello there.".len() as u64 * CHARACTER_MS;
        ensure!((expected..expected + 200).contains(&ms), "{played}");
    }
    let refused = says(&site, "Hello.", "squeaky").await?;
    let reason = refused["reason"].as_str().unwrap_or_default();
    ensure!(
        reason.contains("engine sandbox does not begin"),
        "{refused}"
    );
    let status = site.system.switch.exec("iradialer status").await?;
    ensure!(status.contains("1 on the disk"), "{status}");
    Ok(())
}
