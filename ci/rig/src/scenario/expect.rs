//! What must come of a call, and whether it did.

use super::live;
use super::quality;
use super::recordings::Recording;
use crate::hearing::{self, Tone};
use crate::sipp::Sipp;
use crate::webhook::Delivery;
use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What must come of a call.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The names of all its events, in order. A name with `?` may be missing. Left out, they are not looked at.
    #[serde(default)]
    pub events: Vec<String>,
    /// Its state in the end.
    pub state: String,
    /// The SIP status in the last event; `[]` for none.
    pub sip_status: Vec<u16>,
    /// The SIP phrase in the last event.
    pub sip_phrase: Option<String>,
    /// The hangup cause in the last event.
    pub hangup_cause: Option<String>,
    /// Every key that was reported, in order.
    #[serde(default)]
    pub keys: String,
    /// What was heard, list by list; `[]` is not looked at.
    #[serde(default)]
    pub prompts: Vec<String>,
    /// The flows that it went on in.
    #[serde(default)]
    pub went_to: Vec<String>,
    /// What was played for live requests, in order: `hello.wav`, `hello.wav/1` where the key 1 cut it short,
    /// `hello.wav!2` where it was stopped and 2 more were dropped.
    #[serde(default)]
    pub played: Vec<String>,
    /// What each variable had collected in the end.
    #[serde(default)]
    pub collected: BTreeMap<String, String>,
    /// What was played, in order; one that a key cut short has `, cut by KEY` behind it. Left out, it is not
    /// looked at.
    pub heard: Option<Vec<String>>,
    /// Headers of the INVITE, seen by a far end of sipp.
    #[serde(default)]
    pub invite: BTreeMap<String, String>,
    /// The least and the most packets of audio that came, so that `call_quality` is told.
    pub packets_in: Option<[u64; 2]>,
    /// Every recording, in the order in which they were ready.
    #[serde(default)]
    pub recordings: Vec<Recording>,
    /// What its far end heard.
    #[serde(default)]
    pub hears: Vec<Tone>,
    /// Variables in the last event, with what they have to be.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// A part of the reason in the last event, or of the fault.
    pub reason: Option<String>,
    /// A part of the error of the last `requested`; empty for none.
    pub request_error: Option<String>,
    /// The most ms from `answered` to the last event.
    pub ends_within_ms: Option<u64>,
    /// What came of its transfer.
    pub transferred: Option<String>,
    /// What the last event gives for who ended it.
    pub by: Option<String>,
}

/// One call of a scenario, to be judged.
pub(super) struct Judged<'s> {
    pub(super) expect: &'s Expect,
    pub(super) number: &'s str,
    pub(super) trunk: &'s str,
    pub(super) token: &'s str,
    pub(super) events: &'s [Delivery],
    pub(super) record: &'s Value,
    pub(super) sipp: Option<&'s Sipp>,
    /// What its far end heard.
    pub(super) heard: &'s [u8],
}

impl Judged<'_> {
    /// What is not as expected, a line each.
    pub(super) fn faults(&self) -> Result<Vec<String>> {
        let mut faults = Faults::default();
        let Judged {
            expect,
            events,
            record,
            ..
        } = self;
        let names = events.iter().map(|event| event.name.as_str());
        // How many packets a far end sends is its own affair: this one has rules of its own.
        let names: Vec<&str> = names.filter(|name| *name != quality::NAME).collect();
        if !expect.events.is_empty() && !fits(&names, &expect.events) {
            faults.say("events", &expect.events, &names);
        }
        faults.unless_same("state", &json!(expect.state), &record["state"]);
        let last = events.last().map_or(&Value::Null, |event| &event.data);
        match last["sip_status"].as_u64() {
            Some(status)
                if expect
                    .sip_status
                    .iter()
                    .any(|one| u64::from(*one) == status) => {}
            None if expect.sip_status.is_empty() => {}
            _ => faults.say("sip_status", &expect.sip_status, &last["sip_status"]),
        }
        for (what, expected, field) in [
            (
                "failure_phrase",
                &expect.sip_phrase,
                &last["failure_phrase"],
            ),
            ("hangup_cause", &expect.hangup_cause, &last["hangup_cause"]),
            ("by", &expect.by, &last["by"]),
            ("transferred", &expect.transferred, transferred(events)),
        ] {
            if let Some(expected) = expected {
                faults.unless_same(what, &json!(expected), field);
            }
        }
        let told = |name: &str, what: &str| -> Vec<String> {
            let events = events.iter().filter(|event| event.name == name);
            let told = events.filter_map(|event| event.data[what].as_str());
            told.map(str::to_owned).collect()
        };
        if !expect.prompts.is_empty() {
            let heard = told("play_done", "prompt");
            faults.unless_same("prompts", &expect.prompts, &heard);
        }
        faults.unless_same("went_to", &expect.went_to, &told("went_to", "flow"));
        let keys = pressed(events);
        faults.unless_same("keys", &expect.keys, &keys);
        faults.unless_same("collected", &expect.collected, &collected(events));
        for (name, value) in &expect.variables {
            let got = &last["variables"][name];
            faults.unless_same(&format!("variable {name}"), &json!(value), got);
        }
        if let Some(part) = &expect.reason {
            let told = [&last["reason"], &last["fault"]];
            let told = told.into_iter().find_map(Value::as_str).unwrap_or_default();
            if !told.contains(part.as_str()) {
                faults.say("reason", part, told);
            }
        }
        if let Some(part) = &expect.request_error {
            let asked = events.iter().rev().find(|event| event.name == "requested");
            let error = asked.map_or(&Value::Null, |event| &event.data["error"]);
            let fits = match error.as_str() {
                Some(error) => !part.is_empty() && error.contains(part.as_str()),
                None => part.is_empty() && asked.is_some(),
            };
            if !fits {
                faults.say("the error of the request", part, error);
            }
        }
        faults.unless_same("played", &expect.played, &live::played(events));
        if let Some(expected) = &expect.heard {
            faults.unless_same("heard", expected, &heard(events));
        }
        if let Some(most) = expect.ends_within_ms {
            let took = last["billsec_ms"].as_u64();
            if took.is_none_or(|took| took > most) {
                faults.say("billsec_ms", most, &last["billsec_ms"]);
            }
        }
        faults.0.extend(quality::faults(expect.packets_in, events));
        self.check_envelopes(&mut faults);
        if let Some(sipp) = self.sipp {
            self.check_far_end(sipp, &mut faults)?;
        }
        faults.0.extend(hearing::faults(&expect.hears, self.heard));
        Ok(faults.0)
    }

    /// What every event of every call must have.
    fn check_envelopes(&self, faults: &mut Faults) {
        let events = self.events;
        let finals = events.iter().filter(|event| event.is_final()).count();
        faults.unless_same("final events", &1, &finals);
        let seqs: Vec<_> = events
            .iter()
            .map(|event| event.data["seq"].as_u64())
            .collect();
        if !seqs.windows(2).all(|pair| pair[0] < pair[1]) {
            faults.say("seq", "rising numbers", &seqs);
        }
        for event in events {
            faults.unless_same("Authorization", &self.token, &event.authorization.as_str());
            faults.unless_same("to_number", &json!(self.number), &event.data["to_number"]);
            // Whether `queued` has a trunk yet depends on when it is delivered.
            if event.name != "queued" {
                faults.unless_same("gateway", &json!(self.trunk), &event.data["gateway"]);
            }
        }
    }

    /// One INVITE where it was dialled, to the number, with the headers that were asked for.
    fn check_far_end(&self, sipp: &Sipp, faults: &mut Faults) -> Result<()> {
        let events = &self.expect.events;
        let dialled = events.is_empty() || events.iter().any(|name| name == "started");
        faults.unless_same("INVITEs", &usize::from(dialled), &sipp.calls()?);
        let received = sipp.received()?;
        let Some(invite) = received.iter().find(|message| message.method() == "INVITE") else {
            return Ok(());
        };
        if !invite.uri().starts_with(&format!("sip:{}@", self.number)) {
            faults.say("the INVITE's URI", self.number, invite.uri());
        }
        for (name, value) in &self.expect.invite {
            let got = invite.header(name);
            if !got.contains(value.as_str()) {
                faults.say(name, value, got);
            }
        }
        Ok(())
    }
}

/// What was not as expected, a line each.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn say(&mut self, what: &str, expected: impl std::fmt::Debug, got: impl std::fmt::Debug) {
        self.0
            .push(format!("  {what}: expected {expected:?}, got {got:?}"));
    }

    fn unless_same<T: std::fmt::Debug + PartialEq>(&mut self, what: &str, expected: &T, got: &T) {
        if expected != got {
            self.say(what, expected, got);
        }
    }
}

/// Whether `names` are `expected`, of which those with `?` may be missing.
fn fits(names: &[&str], expected: &[String]) -> bool {
    match (names, expected) {
        ([], rest) => rest.iter().all(|name| name.ends_with('?')),
        (_, []) => false,
        ([name, names @ ..], [first, rest @ ..]) => match first.strip_suffix('?') {
            Some(optional) if *name == optional => {
                fits(names, rest) || fits(&[&[*name], names].concat(), rest)
            }
            Some(_) => fits(&[&[*name], names].concat(), rest),
            None => name == first && fits(names, rest),
        },
    }
}

/// What came of the call's transfer.
fn transferred(events: &[Delivery]) -> &Value {
    let mut events = events.iter().rev();
    let event = events.find(|event| event.name == "transferred");
    event.map_or(&Value::Null, |event| &event.data["result"])
}

fn pressed(events: &[Delivery]) -> String {
    let keys = events.iter().filter(|event| event.name == "dtmf");
    keys.filter_map(|event| event.data["digit"].as_str())
        .collect()
}

/// What was played, and which key cut it short.
fn heard(events: &[Delivery]) -> Vec<String> {
    let played = events.iter().filter(|event| event.name == "play_done");
    played
        .map(|event| {
            let prompt = event.data["prompt"].as_str().unwrap_or("(no text)");
            match event.data["interrupted_by"].as_str() {
                Some(key) => format!("{prompt}, cut by {key}"),
                None => prompt.to_owned(),
            }
        })
        .collect()
}

/// What each variable holds after the last time it was asked for.
fn collected(events: &[Delivery]) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or("(no text)").to_owned();
    let results = events.iter().filter(|event| event.name == "dtmf_collected");
    results
        .map(|event| (text(&event.data["var_name"]), text(&event.data["digits"])))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_events_may_be_missing() {
        let expected = ["started", "ringing?", "hangup"].map(str::to_owned);
        assert!(fits(&["started", "ringing", "hangup"], &expected));
        assert!(fits(&["started", "hangup"], &expected));
        assert!(!fits(&["started", "ringing"], &expected));
        assert!(!fits(&["started", "answered", "hangup"], &expected));
        assert!(!fits(
            &["started", "ringing", "hangup", "hangup"],
            &expected
        ));
    }
}
