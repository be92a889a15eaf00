//! How soon a text that somebody asks for during a call is heard.

use super::phones::{Heard, Phone, Script};
use super::site::PHONES;
use super::{Module, Offer, Originate, Site, Table, quantile};
use crate::freeswitch::Installation;
use crate::repository::Built;
use anyhow::{Context, Result};
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Calls that wait, one of which is asked at a time, and how often each: all within the minute that they last.
const CALLS: u32 = 20;
const TIMES: usize = 2;
/// From one request to the next: longer than what is heard.
const APART: Duration = Duration::from_secs(1);
/// Until all are up.
const SETTLE: Duration = Duration::from_secs(3);
/// A pause so long is only between what was asked for, ns.
const PAUSE_NS: u64 = 400_000_000;
/// A sample of none, as G.711 writes it.
const SILENCE: u8 = 0x7F;
const TEXT: &str = "Hello.";

/// A text that was spoken before, by `request_play_tts`, beside a file by the host's `uuid_broadcast`.
pub async fn speech(table: &mut Table, installation: &Installation, built: &Built) -> Result<()> {
    let peers = by_the_host(installation, built).await?;
    let ours = by_request(installation, built).await?;
    for (name, part) in [("p50", 0.50), ("p99", 0.99)] {
        let figure = quantile(&ours, part);
        table.beside(
            &format!("request to cached text, beside uuid_broadcast of a file, {name}, ms"),
            figure,
            Some(quantile(&peers, part)),
            if part > 0.9 { "< 300" } else { "-" },
            part < 0.9 || figure < 300.0,
        );
    }
    Ok(())
}

const OFFER: Offer = Offer {
    calls: CALLS,
    per_second: 20.0,
};

async fn by_request(installation: &Installation, built: &Built) -> Result<Vec<f64>> {
    let site = Site::with_phones(installation, built, Script::default(), "<include/>").await?;
    let module = Module::of(&site).await?.waiting();
    let calls = module.ring(PHONES, OFFER).await?;
    let speak = |index: usize| {
        json!({"event_name": "request_play_tts",
               "event_data": {"call_uuid": calls[index], "text": TEXT}})
    };
    tokio::time::sleep(SETTLE).await;
    // From then on the text is in the cache.
    module.ask(&speak(0)).await?;
    tokio::time::sleep(SETTLE).await;
    let mut asked = Vec::new();
    for turn in 0..calls.len() * TIMES {
        asked.push(now_ns());
        module.ask(&speak(turn % calls.len())).await?;
        tokio::time::sleep(APART).await;
    }
    took(&site, &asked)
}

async fn by_the_host(installation: &Installation, built: &Built) -> Result<Vec<f64>> {
    let site = Site::with_phones(installation, built, Script::default(), "<include/>").await?;
    let calls = Originate::into("&park()", "")
        .begin(&site, PHONES, OFFER)
        .await?;
    tokio::time::sleep(SETTLE).await;
    let mut socket = site.switch.event_socket().await?;
    let file = site.prompts.join("sorry.wav");
    let mut asked = Vec::new();
    for turn in 0..calls.len() * TIMES {
        let channel = &calls[turn % calls.len()];
        asked.push(now_ns());
        let command = format!("uuid_broadcast {channel} {}", file.display());
        socket.api_ok(&command).await?;
        tokio::time::sleep(APART).await;
    }
    took(&site, &asked)
}

/// From each request to the first packet with sound, ms, shortest first.
fn took(site: &Site, asked: &[u64]) -> Result<Vec<f64>> {
    let phones = site.phones.as_ref().context("the site has phones")?;
    let heard = phones.take();
    let begins: Vec<u64> = heard.iter().flat_map(begins).collect();
    let mut took = Vec::new();
    for (index, &from) in asked.iter().enumerate() {
        let until = asked.get(index + 1).copied().unwrap_or(u64::MAX);
        let first = begins.iter().filter(|at| (from..until).contains(*at)).min();
        let first = first.with_context(|| format!("nobody heard request {index}"))?;
        took.push((first - from) as f64 / 1e6);
    }
    println!("from request to sound, in turn, ms: {took:.0?}");
    took.sort_by(f64::total_cmp);
    Ok(took)
}

/// When something began to be heard, ns since 1970. A waiting call gets a packet of silence now and then.
fn begins(phone: &Phone) -> impl Iterator<Item = u64> {
    let is_sound = |one: &&Heard| one.level != SILENCE;
    let sound = phone.heard.iter().filter(is_sound).map(|one| one.at_ns);
    let mut last = 0;
    sound.filter(move |at| at.saturating_sub(std::mem::replace(&mut last, *at)) > PAUSE_NS)
}

fn now_ns() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.unwrap_or_default().as_nanos() as u64
}
