//! A call that is asked of a switch by message, with no gateway in between, and followed by the copies of its
//! events.

use super::Site;
use crate::system::NODE;
use anyhow::{Context, Result, ensure};
use async_nats::Subscriber;
use futures::StreamExt;
use serde_json::{Value, json};
use std::time::Duration;

/// Where the copies go.
const SUBJECT: &str = "ira.client.rig";
/// How long anything may take that has to happen, with every core busy.
const PATIENCE: Duration = Duration::from_secs(40);

/// Dials `number`, which answers, through `trunk`, plays a file, and hangs up; the same call is not dialled twice.
pub async fn direct_call(site: Site<'_>, trunk: &str, number: &str) -> Result<()> {
    let mut copies = site.bus.subscribe(SUBJECT).await?;
    site.bus.flush().await?;
    let call = uuid::Uuid::new_v4().to_string();
    let make = json!({
        "call_uuid": call, "gateway": trunk, "to_number": number, "from_number": "", "tenant_id": "acme",
        "event_subject": SUBJECT, "call_params": {"order": 7},
    });
    let made = ask(site, "request_make_call", &make).await?;
    ensure!(made["status"] == "OK", "request_make_call: {made}");
    let answered = until(&mut copies, &call, "answered").await?;
    ensure!(
        answered["call_params"]["order"] == 7,
        "call_params: {answered}"
    );
    let again = ask(site, "request_make_call", &make).await?;
    ensure!(
        again["error"]["name"] == "duplicate",
        "a second request_make_call: {again}"
    );
    let play = json!({"call_uuid": call, "filename": "bye.wav"});
    let play = ask(site, "request_play_file", &play).await?;
    ensure!(play["status"] == "OK", "request_play_file: {play}");
    let done = until(&mut copies, &call, "play_done").await?;
    ensure!(done["prompt"] == "bye.wav", "play_done: {done}");
    let dropped = ask(site, "request_drop_call", &json!({ "call_uuid": call })).await?;
    ensure!(dropped["status"] == "OK", "request_drop_call: {dropped}");
    until(&mut copies, &call, "hangup").await?;
    let again = ask(site, "request_make_call", &make).await?;
    ensure!(
        again["error"]["name"] == "duplicate",
        "request_make_call after its end: {again}"
    );
    Ok(())
}

async fn ask(site: Site<'_>, event_name: &str, data: &Value) -> Result<Value> {
    let message = json!({"event_name": event_name, "event_data": data});
    let subject = format!("ira.dialer.{NODE}.request");
    let payload = message.to_string().into();
    let answer = tokio::time::timeout(PATIENCE, site.bus.request(subject, payload)).await??;
    Ok(serde_json::from_slice(&answer.payload)?)
}

async fn until(copies: &mut Subscriber, call: &str, name: &str) -> Result<Value> {
    let found = async {
        while let Some(message) = copies.next().await {
            let event: Value = serde_json::from_slice(&message.payload)?;
            let data = &event["event_data"];
            if event["event_name"] == format!("iradialer::{name}") && data["call_uuid"] == call {
                return Ok(data.clone());
            }
        }
        Err(anyhow::anyhow!("the subscription ended"))
    };
    let found = tokio::time::timeout(PATIENCE, found).await;
    found.with_context(|| format!("no copy of {name}"))?
}
