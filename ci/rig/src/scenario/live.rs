//! What a scenario asks of its call while it is up, over HTTP or over NATS.

use crate::api::Api;
use crate::hearing::Ears;
use crate::system::{NODE, Switch};
use crate::web_server;
use crate::webhook::{Delivery, Receiver};
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// What stands for the address of the suite's own web server.
const HERE: &str = web_server::STAND_FOR_IT[0];
/// How long a switch may take to answer over NATS.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// What a scenario has to do with.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// The gateway's API.
    pub api: &'a Api,
    /// What the gateway's events come to.
    pub webhooks: &'a Receiver,
    /// The switch.
    pub switch: &'a Switch,
    /// The bus, as the gateway's user.
    pub bus: &'a async_nats::Client,
    /// What far ends hear.
    pub hears: Hears<'a>,
}

/// Where it is to be had what far ends hear.
#[derive(Clone, Copy)]
pub enum Hears<'a> {
    /// The sandbox was told to listen in this folder.
    InFiles(&'a Path),
    /// What comes to the ports of sipp.
    OnTheWay(&'a Ears),
}

/// Something asked of a call while it is up.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveRequest {
    /// The event that must have come before, with `#2` for the second of that name. It is waited for.
    pub after: String,
    /// How long after that event came, ms.
    #[serde(default)]
    pub ms: u64,
    /// The request: a path of the API such as `playfile`, or a message to the switch such as
    /// `request_play_file`; `details` for what the switch knows of the call.
    pub ask: String,
    /// Its fields, but for the UUIDs of calls. `CONF-other` is the conference named after the other call.
    #[serde(default)]
    pub data: toml::Table,
    /// Whether it is asked of the other call, and `after` is an event of that one.
    #[serde(default)]
    pub of_other: bool,
    /// How many times it is sent, one after the other; the last answer counts.
    #[serde(default = "once")]
    pub times: u32,
    /// `OK`, or the name of the refusal.
    #[serde(default = "ok")]
    pub answer: String,
    /// What the answer to `details` must hold.
    #[serde(default)]
    pub details: toml::Table,
}

fn once() -> u32 {
    1
}

fn ok() -> String {
    "OK".to_owned()
}

impl LiveRequest {
    pub(super) async fn send(
        &self,
        site: Site<'_>,
        call: &str,
        other: Option<&str>,
        within: Duration,
    ) -> Result<()> {
        let (call, other) = match (self.of_other, other) {
            (false, other) => (call, other),
            (true, Some(other)) => (other, Some(call)),
            (true, None) => bail!("{}: there is no other call", self.ask),
        };
        let at = self.wait(site, call, within).await? + Duration::from_millis(self.ms);
        tokio::time::sleep(at.saturating_duration_since(Instant::now())).await;
        let mut body = Value::Null;
        for _ in 0..self.times {
            body = self.ask(site, call, other).await?;
        }
        let got = match body["status"].as_str() {
            Some("OK") => "OK",
            _ => body["error"]["name"].as_str().unwrap_or("no name"),
        };
        let ask = &self.ask;
        ensure!(
            got == self.answer,
            "{ask}: expected {}, got {body}",
            self.answer
        );
        for (name, expected) in &self.details {
            let (expected, got) = (serde_json::to_value(expected)?, &body["call_details"][name]);
            ensure!(
                expected == *got,
                "{ask}: {name}: expected {expected}, got {body}"
            );
        }
        Ok(())
    }

    async fn ask(&self, site: Site<'_>, call: &str, other: Option<&str>) -> Result<Value> {
        let mut data = serde_json::to_value(&self.data)?;
        if let Some(url) = data["url"].as_str() {
            data["url"] = json!(url.replace(HERE, web_server::address()));
        }
        match self.ask.as_str() {
            "bridgecalls" => {
                data["first_uuid"] = json!(call);
                data["second_uuid"] = json!(other);
            }
            _ => data["call_uuid"] = json!(call),
        }
        if data["conf_uuid"] == "CONF-other" {
            data["conf_uuid"] = json!(format!("CONF-{}", other.context("the other call")?));
        }
        match self.ask.as_str() {
            "details" => {
                let path = format!("/api/calls/{call}/details");
                Ok(site.api.get(&path).await?.body)
            }
            name if name.starts_with("request_") => {
                let message = json!({"event_name": name, "event_data": data});
                let request = async_nats::Request::new()
                    .payload(message.to_string().into())
                    .timeout(Some(ANSWER_TIME));
                let subject = format!("ira.dialer.{NODE}.request");
                let answer = site.bus.send_request(subject, request).await?;
                Ok(serde_json::from_slice(&answer.payload)?)
            }
            path => Ok(site.api.post(&format!("/api/{path}"), &data).await?.body),
        }
    }

    /// Waits for the event, and gives when it came.
    async fn wait(&self, site: Site<'_>, call: &str, within: Duration) -> Result<Instant> {
        let (name, nth) = match self.after.split_once('#') {
            Some((name, nth)) => (name, nth.parse::<usize>().context("which event")?),
            None => (self.after.as_str(), 1),
        };
        let came = |events: &[Delivery]| {
            let mut events = events.iter().filter(|event| event.name == name);
            events.nth(nth - 1).map(|event| event.at)
        };
        let enough = |events: &[Delivery]| {
            came(events).is_some() || events.last().is_some_and(Delivery::is_final)
        };
        let events = site
            .webhooks
            .wait_for(call, &self.after, within, enough)
            .await?;
        match came(&events) {
            Some(at) => Ok(at),
            None => bail!("{}: the call ended before {}", self.ask, self.after),
        }
    }
}

/// What was played for live requests, as [`super::Expect::played`] has it.
pub(super) fn played(events: &[Delivery]) -> Vec<String> {
    let one = |event: &Delivery| {
        let data = &event.data;
        let prompt = data["prompt"].as_str().unwrap_or("?");
        let prompt = prompt.replace(web_server::address(), HERE);
        match event.name.as_str() {
            "play_done" if data["node"].is_null() => {
                let key = data["interrupted_by"].as_str();
                Some(key.map_or(prompt.clone(), |key| format!("{prompt}/{key}")))
            }
            "play_stopped" => Some(format!("{prompt}!{}", data["dropped"])),
            _ => None,
        }
    };
    events.iter().filter_map(one).collect()
}
