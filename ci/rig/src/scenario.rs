//! A call and what must come of it, as a file of the suite says it. The same file runs on the sandbox,
//! where the number decides what the callee does, and on FreeSWITCH, where `far_end` does.

mod direct;
mod expect;
mod live;
mod quality;
mod recordings;

pub use direct::direct_call;
pub use expect::Expect;
use expect::Judged;
pub use live::{Hears, LiveRequest, Site};
pub use recordings::{Recording, faults as faults_of_recordings};

use crate::api::Api;
use crate::repository;
use crate::sipp::Sipp;
use crate::timeline;
use crate::web_server;
use crate::webhook::Delivery;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Added to what a call may take by its own timeouts: the way there and back, with every core busy.
const SLACK: Duration = Duration::from_secs(40);

/// The sandbox's callee that does what its INVITE says.
const TOLD: &str = "+15005550099";

/// A scenario of the suite.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The file's name without `.toml`; also the name of its campaign and its trunk.
    #[serde(skip)]
    pub name: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// What the callee does, instead of `number` and `far_end`: keys from 1.5 s after the answer on, 260 ms each;
    /// `,` waits 500 ms, and `!`, which has to be the last, hangs up.
    pub presses: Option<String>,
    /// The number to dial, which is the callee on the sandbox.
    #[serde(default)]
    pub number: String,
    /// What answers it on a real switch.
    #[serde(default)]
    pub far_end: FarEnd,
    /// The flow: a file of `tests/flows`, `examples/NAME` for one of the shipped ones, or its JSON; without one the
    /// call is held in silence.
    pub flow: Option<String>,
    /// Flows of `tests/flows` that are stored before.
    #[serde(default)]
    pub stores: Vec<String>,
    /// The stored flow that the call names.
    pub named: Option<String>,
    /// The stored flow that its campaign names.
    #[serde(default)]
    pub campaign_flow: String,
    /// Seconds that the call is queued at the least.
    pub waits_s: Option<u32>,
    /// Flows that are stored once the call is accepted.
    #[serde(default)]
    pub stores_then: Vec<String>,
    /// What else the request says.
    #[serde(default)]
    pub request: BTreeMap<String, Value>,
    /// After the call's end the same request is refused for this reason.
    pub then_refused: Option<String>,
    /// Seconds to wait for an answer.
    #[serde(default = "default_dial_timeout")]
    pub dial_timeout: u16,
    /// Channel variables and headers of the request.
    #[serde(default)]
    pub channel_vars: BTreeMap<String, String>,
    /// How keys come on its trunk, if not by RFC 4733.
    pub dtmf: Option<String>,
    /// Drops the call once this event has come.
    pub drop_after: Option<String>,
    /// What is asked of the call while it is up, in this order.
    #[serde(default, rename = "live")]
    pub requests: Vec<LiveRequest>,
    /// The one who is dialled for the call, to be connected with it.
    pub other: Option<Other>,
    /// What must come of it.
    pub expect: Expect,
}

/// The other side of a transfer, or one that is asked for once the first is answered, a call of its own. It goes through a second trunk of the campaign, because
/// the first one has no room for two.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Other {
    /// Its number, which is the callee on the sandbox.
    pub number: String,
    /// What answers it on a real switch.
    pub far_end: FarEnd,
    /// Whether it is asked for as the first is, and not dialled for it.
    #[serde(default)]
    pub is_made: bool,
    /// What must come of it.
    pub expect: Expect,
}

/// What answers a scenario's trunk on a real switch.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FarEnd {
    /// A scenario of `ci/sipp`, with values for it.
    Sipp {
        /// The file's name without `.xml`.
        scenario: String,
        /// Values for its keys.
        #[serde(default)]
        values: BTreeMap<String, String>,
    },
    /// A port that takes everything and never answers.
    #[default]
    Mute,
}

fn default_dial_timeout() -> u16 {
    20
}

impl Scenario {
    /// Every scenario of `ci/rig/tests/scenarios`, by name.
    pub fn all() -> Result<Vec<Self>> {
        let dir = repository::root()?.join("ci/rig/tests/scenarios");
        let mut files: Vec<_> = std::fs::read_dir(&dir)
            .with_context(|| format!("listing {}", dir.display()))?
            .collect::<std::io::Result<_>>()?;
        files.sort_by_key(std::fs::DirEntry::path);
        files.iter().map(|file| Self::read(&file.path())).collect()
    }

    fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file)?;
        let scenario: Self =
            toml::from_str(&text).with_context(|| format!("reading {}", file.display()))?;
        let name = file.file_stem().and_then(|stem| stem.to_str());
        let scenario = Scenario {
            name: name.context("a scenario's file needs a name")?.to_owned(),
            ..scenario
        };
        scenario
            .with_its_callee()
            .with_context(|| format!("reading {}", file.display()))
    }

    /// With the number and the far end that do what it presses.
    fn with_its_callee(mut self) -> Result<Self> {
        let Some(presses) = self.presses.clone() else {
            ensure!(
                !self.number.is_empty(),
                "a scenario needs `number` or `presses`"
            );
            return Ok(self);
        };
        ensure!(
            self.number.is_empty(),
            "`number` has no place beside `presses`"
        );
        let (keys, hangs_up) = match presses.strip_suffix('!') {
            Some(keys) => (keys, true),
            None => (presses.as_str(), false),
        };
        self.number = TOLD.into();
        let told = ("sip_h_X-Callee".to_owned(), presses.clone());
        self.channel_vars.extend([told]);
        let mut values = BTreeMap::from([("keys".to_owned(), keys.to_owned())]);
        let mut scenario = "answer_keys";
        if hangs_up {
            scenario = "answer_keys_hang_up";
            let ms: u64 = keys
                .chars()
                .map(|key| if key == ',' { 500 } else { 260 })
                .sum();
            values.insert("talks_ms".to_owned(), (500 + ms).to_string());
        }
        self.far_end = FarEnd::Sipp {
            scenario: scenario.to_owned(),
            values,
        };
        Ok(self)
    }

    /// The trunk of the call that is dialled for it.
    pub fn other_trunk(&self) -> String {
        format!("{}-other", self.name)
    }

    /// The body of its makecall, for the campaign of its name.
    pub fn request(&self) -> Result<Value> {
        let mut request = json!({
            "campaign_name": self.name,
            "to_number": self.number,
            "dial_timeout": self.dial_timeout,
            "channel_vars": self.channel_vars,
            "call_params": {"token": format!("bearer-{}", self.name)},
        });
        if let Some(flow) = &self.flow {
            request["ivr"] = flow_named(flow)?;
        }
        if let Some(name) = &self.named {
            request["ivr"] = json!(name);
        }
        if let Some(seconds) = self.waits_s {
            let then = OffsetDateTime::now_utc() + Duration::from_secs(seconds.into());
            request["not_before"] = json!(then.format(&Rfc3339)?);
        }
        for (name, value) in &self.request {
            request[name] = value.clone();
        }
        Ok(request)
    }

    /// Places the call, does what the scenario does to it, and judges everything that came.
    pub async fn run(&self, site: Site<'_>, far_ends: FarEnds<'_>) -> Result<()> {
        let Site {
            api,
            webhooks,
            switch,
            ..
        } = site;
        store(api, &self.stores).await?;
        let request = self.request()?;
        let call = api.make_call(&request).await?;
        store(api, &self.stores_then).await?;
        let within = Duration::from_secs(self.dial_timeout.into()) + SLACK;
        if let Some(name) = &self.drop_after {
            let came = |events: &[Delivery]| events.iter().any(|event| event.name == *name);
            webhooks.wait_for(&call, name, within, came).await?;
            let answer = api.drop_call(&call).await?;
            ensure!(answer.status == 200, "dropcall: {answer:?}");
        }
        let made = match &self.other {
            Some(other) if other.is_made => {
                Some(self.make_other(site, &call, other, within).await?)
            }
            _ => None,
        };
        for request in &self.requests {
            let other = match &made {
                None if request.of_other => Some(self.child_of(api, &call).await?),
                made => made.clone(),
            };
            request.send(site, &call, other.as_deref(), within).await?;
        }
        let events = webhooks.wait_for_end(&call, within).await?;
        let record = api.call(&call).await?;
        let token = format!("Bearer bearer-{}", self.name);
        let judged = Judged {
            expect: &self.expect,
            number: &self.number,
            trunk: &self.name,
            token: &token,
            events: &events,
            record: &record.body,
            sipp: far_ends.own,
            heard: &heard(site, &call, far_ends.own)?,
        };
        let mut faults = judged.faults()?;
        let dir = switch.recordings_dir();
        faults.extend(recordings::faults(&self.expect.recordings, &events, &dir)?);
        let mut told = told(&events);
        if let Some(other) = &self.other {
            let call = match made {
                Some(made) => made,
                None => self.child_of(api, &call).await?,
            };
            let events = webhooks.wait_for_end(&call, within).await?;
            let record = api.call(&call).await?;
            let judged = Judged {
                expect: &other.expect,
                number: &other.number,
                trunk: &self.other_trunk(),
                token: &token,
                events: &events,
                record: &record.body,
                sipp: far_ends.other,
                heard: &heard(site, &call, far_ends.other)?,
            };
            let of_other = judged.faults()?.into_iter();
            faults.extend(of_other.map(|fault| format!("  the other side:{fault}")));
            told += &self::told(&events);
        }
        if !faults.is_empty() {
            bail!("{}{told}", faults.join("\n"));
        }
        if let Some(reason) = &self.then_refused {
            let again = api.post("/api/makecall", &request).await?;
            ensure!(again.text("/error/name") == reason, "once more: {again:?}");
        }
        Ok(())
    }

    /// Asks for the other call once the first one is answered, and waits for its answer.
    async fn make_other(
        &self,
        site: Site<'_>,
        call: &str,
        other: &Other,
        within: Duration,
    ) -> Result<String> {
        let is_up = |events: &[Delivery]| events.iter().any(|event| event.name == "answered");
        let wait = async |call| {
            site.webhooks
                .wait_for(call, "answered", within, is_up)
                .await
        };
        wait(call).await?;
        let mut request = self.request()?;
        request["to_number"] = json!(other.number);
        let made = site.api.make_call(&request).await?;
        wait(&made).await?;
        Ok(made)
    }

    /// The call that was dialled for this one.
    async fn child_of(&self, api: &Api, call: &str) -> Result<String> {
        let listed = api
            .get(&format!("/api/calls?campaign={}", self.name))
            .await?;
        let calls = listed.body["calls"].as_array().cloned().unwrap_or_default();
        let child = calls.iter().find(|child| child["parent_uuid"] == *call);
        let child = child.and_then(|child| child["call_uuid"].as_str());
        let child = child.with_context(|| format!("nobody was dialled for {call}: {listed:?}"));
        child.map(str::to_owned)
    }
}

/// The far ends of a scenario that can tell what came to them.
#[derive(Default, Clone, Copy)]
pub struct FarEnds<'s> {
    /// Of the call.
    pub own: Option<&'s Sipp>,
    /// Of the one who is dialled for it.
    pub other: Option<&'s Sipp>,
}

/// What the far end of a call heard: as the sandbox has kept it, or as it came to sipp.
fn heard(site: Site<'_>, call: &str, sipp: Option<&Sipp>) -> Result<Vec<u8>> {
    match (site.hears, sipp) {
        (Hears::InFiles(dir), _) => match std::fs::read(dir.join(format!("{call}.ul"))) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            read => Ok(read?),
        },
        (Hears::OnTheWay(ears), Some(sipp)) => Ok(ears.heard(sipp.media_port())),
        (Hears::OnTheWay(_), None) => Ok(Vec::new()),
    }
}

/// Stores flows of `tests/flows`, each under the name in it.
async fn store(api: &Api, flows: &[String]) -> Result<()> {
    for file in flows {
        let flow = flow_named(file)?;
        let name = flow["name"].as_str().context("a flow has a name")?;
        let answer = api.put(&format!("/api/flows/{name}"), &flow).await?;
        ensure!(
            matches!(answer.status, 200 | 201),
            "storing {file}: {answer:?}"
        );
    }
    Ok(())
}

/// The flow `ci/rig/tests/flows/NAME.json`, the example `examples/NAME`, or the one whose JSON this is. The
/// applications that it asks are on the suite's own web server.
pub fn flow_named(name: &str) -> Result<Value> {
    if name.trim_start().starts_with('{') {
        return Ok(serde_json::from_str(name)?);
    }
    let path = match name.strip_prefix("examples/") {
        Some(example) => format!("examples/flows/{example}.json"),
        None => format!("ci/rig/tests/flows/{name}.json"),
    };
    let file = repository::root()?.join(path);
    let mut text =
        std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    for stands_for_it in web_server::STAND_FOR_IT {
        if text.contains(stands_for_it) {
            text = text.replace(stands_for_it, web_server::address());
        }
    }
    Ok(serde_json::from_str(&text)?)
}

fn told(events: &[Delivery]) -> String {
    let mut text = format!("\n  what came:\n  {}", timeline::HEAD);
    if let Some(first) = events.first() {
        let lines = events.iter().map(|event| timeline::line(first.at, event));
        lines.for_each(|line| text.extend(["\n  ", line.as_str()]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_can_be_read() {
        let scenarios = Scenario::all().unwrap();
        assert!(!scenarios.is_empty());
        for scenario in scenarios {
            scenario.request().unwrap();
            let last = scenario.expect.events.last();
            assert!(
                last.is_none_or(|last| !last.ends_with('?')),
                "{}",
                scenario.name
            );
        }
    }
}
