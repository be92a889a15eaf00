//! The steps that need more than the leg's ears and mouth: record, request, transfer.

use super::{Report, Run, barge_in};
use crate::flow::document::{Node, Record, RequestStep, Target, TransferStep};
use crate::flow::leg::{
    Answer, LegEnd, Recorded, Recording, RecordingEnd, Request, Transfer, Transferred,
};
use crate::flow::sound;
use crate::flow::template::MAX_TEXT;
use crate::strict_json::{self, Limits, shown};
use crate::value::DialNumber;
use serde_json::{Map, Value, json};

/// The longest answer to a request, in bytes.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How deep its JSON may be: what is not looked at may be an object too.
const MAX_ANSWER_DEPTH: usize = 16;

impl<'f> Run<'f, '_> {
    /// Whether there is a recording.
    pub(super) fn record(&mut self, node: &'f Node, record: &'f Record) -> Result<bool, LegEnd> {
        self.play_prompts(&record.prompt, barge_in(node))?;
        if record.beep {
            self.play(&[sound::beep()], false)?;
        }
        // A key that ends the recording is one that comes in it.
        self.late = None;
        let recorded = self.leg.record(&Recording {
            node: self.node.to_owned(),
            max_ms: record.max_ms,
            silence_ms: record.silence_ms,
            terminators: record.terminators.clone(),
        })?;
        let (name, ms, ended_by) = match recorded {
            Recorded::Kept { name, ms, ended_by } => (name, ms, ended_by),
            Recorded::Failed(why) => {
                self.failed(format!("record: {why}"));
                return Ok(false);
            }
        };
        self.set(&record.var, name.clone());
        self.reporter.report(Report::Recorded {
            node: self.node.to_owned(),
            var_name: record.var.clone(),
            name,
            ms,
            ended_by,
        });
        match ended_by {
            RecordingEnd::HungUp => Err(LegEnd::HungUp),
            _ => Ok(true),
        }
    }

    /// Where the answer leads, if it says so; what is wrong with it otherwise.
    pub(super) fn request(
        &mut self,
        step: &'f RequestStep,
    ) -> Result<Result<Option<&'f Target>, ()>, LegEnd> {
        let (mut status, asked_ms) = (None, self.leg.now());
        let mut url = step.url.template().as_str().to_owned();
        let used = match step.url.resolve(&self.values()) {
            Err(why) => Err(why),
            Ok(address) => {
                url = address;
                let answer = self.leg.request(&Request {
                    node: self.node.to_owned(),
                    url: url.clone(),
                    body: self.body(step),
                    timeout_ms: step.timeout_ms,
                })?;
                match answer {
                    Answer::Failed(why) => Err(why),
                    Answer::Replied { status: code, body } => {
                        status = Some(code);
                        read_answer(step, code, &body)
                    }
                }
            }
        };
        let error = used.as_ref().err().cloned();
        let ms = self.leg.now().saturating_sub(asked_ms);
        let node = self.node.to_owned();
        self.reporter.report(Report::Requested {
            node,
            url,
            status,
            ms,
            error,
        });
        Ok(used.map_err(drop).map(|used| {
            for (name, value) in used.set {
                self.set(&name, value);
            }
            used.target
        }))
    }

    /// What is sent: the call, the place, and what the node says.
    fn body(&self, step: &RequestStep) -> String {
        let values = self.values();
        let data: Map<String, Value> = step
            .send
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.text(&values))))
            .collect();
        let facts = self.facts;
        let body = json!({
            "call_uuid": facts.call_uuid,
            "to_number": facts.to_number,
            "from_number": facts.from_number,
            "campaign_name": facts.campaign_name,
            "flow": self.flow.name,
            "node": self.node,
            "data": data,
        });
        body.to_string()
    }

    pub(super) fn transfer(
        &mut self,
        node: &'f Node,
        step: &'f TransferStep,
    ) -> Result<&'f Target, LegEnd> {
        let destination = step.destination.text(&self.values());
        let outcome = match DialNumber::parse("destination", destination.trim()) {
            Err(error) => Transferred::Failed(error.to_string()),
            Ok(number) => {
                let (whisper, _) = self.sounds(&step.whisper);
                self.late = None;
                self.leg.transfer(&Transfer {
                    node: self.node.to_owned(),
                    destination: number,
                    timeout_s: step.timeout_s,
                    whisper,
                    deflect: step.deflect,
                })?
            }
        };
        let failed = &node.failed;
        let (exit, name) = match &outcome {
            Transferred::Done { .. } => (&node.next, "next"),
            Transferred::Busy if node.busy.is_some() => (&node.busy, "busy"),
            Transferred::NoAnswer if node.no_answer.is_some() => (&node.no_answer, "no_answer"),
            Transferred::Busy | Transferred::NoAnswer | Transferred::Failed(_) => {
                (failed, "failed")
            }
        };
        self.reporter.report(Report::Transferred {
            node: self.node.to_owned(),
            destination,
            outcome,
        });
        match exit {
            // Two who have spoken are done with each other.
            None if name == "next" => Ok(&Target::Hangup),
            exit => self.exit(exit, name),
        }
    }
}

/// What an answer says that may be used.
struct Used<'f> {
    set: Vec<(String, String)>,
    target: Option<&'f Target>,
}

fn read_answer<'f>(step: &'f RequestStep, status: u16, body: &[u8]) -> Result<Used<'f>, String> {
    if !(200..300).contains(&status) {
        return Err(format!("expected a status of 200 to 299, got {status}"));
    }
    let mut used = Used {
        set: Vec::new(),
        target: None,
    };
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(used);
    }
    let limits = Limits {
        bytes: MAX_ANSWER_BYTES,
        depth: MAX_ANSWER_DEPTH,
    };
    let answer =
        strict_json::read(body, limits).map_err(|refusal| match refusal.path.as_str() {
            "" => format!("the answer: {refusal}"),
            path => format!("the answer at {path}: {refusal}"),
        })?;
    let Value::Object(answer) = answer else {
        return Err("expected an object of 'vars' and 'next'".to_owned());
    };
    match answer.get("vars") {
        None | Some(Value::Null) => {}
        Some(Value::Object(vars)) => {
            for name in &step.sets {
                if let Some(value) = vars.get(name) {
                    used.set.push((name.clone(), text_of(name, value)?));
                }
            }
        }
        Some(_) => return Err("expected 'vars' to be an object".to_owned()),
    }
    match answer.get("next") {
        None | Some(Value::Null) => {}
        Some(Value::String(next)) => {
            let target = step
                .leads_to
                .iter()
                .find(|target| target.to_string() == *next);
            used.target = Some(target.ok_or_else(|| {
                format!(
                    "expected 'next' to be one of 'leads_to', got \"{}\"",
                    shown(next)
                )
            })?);
        }
        Some(_) => return Err("expected 'next' to be a text".to_owned()),
    }
    Ok(used)
}

fn text_of(name: &str, value: &Value) -> Result<String, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(it) => it.to_string(),
        Value::Null => String::new(),
        Value::Array(_) | Value::Object(_) => {
            return Err(format!(
                "expected 'vars.{name}' to be a text, a number or a truth value"
            ));
        }
    };
    match text.chars().count() {
        0..=MAX_TEXT => Ok(text),
        long => Err(format!(
            "expected 'vars.{name}' to have at most {MAX_TEXT} characters, got {long}"
        )),
    }
}
