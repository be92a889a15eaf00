//! A leg for tests: virtual time, keys and a hangup at given moments.

use super::document::Prompt;
use super::interpreter::{FlowEnd, Report, Reporter, run};
use super::leg::{Heard, Leg, LegEnd, Listen, Played};
use super::{Flow, parse};
use std::collections::VecDeque;

/// How long every file is, ms.
pub const FILE_MS: u64 = 2_000;

/// What the interpreter did with the leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Did {
    /// It played for so long, until this key.
    Played(u64, Option<char>),
    /// It took this key.
    Took(char),
    /// It waited and took none.
    Waited(u64),
}

#[derive(Debug, Default)]
pub struct ScriptedLeg {
    /// The clock, ms since the answer.
    pub now_ms: u64,
    /// Keys not yet taken, and when each is pressed, in order.
    pub keys: VecDeque<(u64, char)>,
    /// When the person hangs up.
    pub hangup_ms: Option<u64>,
    /// What was done, in order.
    pub did: Vec<Did>,
}

impl ScriptedLeg {
    /// A leg on which these keys are pressed at these times.
    pub fn pressing(keys: &[(u64, char)]) -> Self {
        ScriptedLeg {
            keys: keys.iter().copied().collect(),
            ..ScriptedLeg::default()
        }
    }

    /// The keys that were taken, in order.
    pub fn taken(&self) -> String {
        let took = self.did.iter().filter_map(|did| match did {
            Did::Took(key) => Some(*key),
            _ => None,
        });
        took.collect()
    }

    /// Lets time pass until `until_ms`, the next key or the hangup, and gives the key.
    fn wait(&mut self, until_ms: u64) -> Result<Option<char>, LegEnd> {
        let key = self.keys.front().copied();
        let key = key.filter(|(at_ms, _)| *at_ms <= until_ms);
        let then_ms = key.map_or(until_ms, |(at_ms, _)| at_ms.max(self.now_ms));
        match self.hangup_ms {
            Some(at_ms) if at_ms <= then_ms => {
                self.now_ms = self.now_ms.max(at_ms);
                Err(LegEnd::HungUp)
            }
            _ => {
                self.now_ms = then_ms;
                Ok(key.map(|(_, key)| key))
            }
        }
    }
}

impl Leg for ScriptedLeg {
    fn play(&mut self, prompts: &[Prompt], barge_in: bool) -> Result<Played, LegEnd> {
        assert!(barge_in, "every prompt of a flow can be cut short");
        let begun_ms = self.now_ms;
        let interrupted_by = self.wait(begun_ms + prompts.iter().map(length_ms).sum::<u64>())?;
        let ms = self.now_ms - begun_ms;
        self.did.push(Did::Played(ms, interrupted_by));
        Ok(Played { ms, interrupted_by })
    }

    fn listen(&mut self, wait: Listen) -> Result<Heard, LegEnd> {
        let begun_ms = self.now_ms;
        match self.wait(begun_ms + u64::from(wait.timeout_ms))? {
            Some(key) => {
                self.keys.pop_front();
                self.did.push(Did::Took(key));
                Ok(Heard::Key(key))
            }
            None => {
                self.did.push(Did::Waited(self.now_ms - begun_ms));
                Ok(Heard::Nothing)
            }
        }
    }
}

fn length_ms(prompt: &Prompt) -> u64 {
    match prompt {
        Prompt::File(_) => FILE_MS,
        Prompt::Silence(ms) => u64::from(*ms),
        Prompt::Tone(tone) => u64::from(tone.ms),
    }
}

/// Keeps what it hears.
#[derive(Debug, Default)]
pub struct Notes {
    /// The reports.
    pub reports: Vec<Report>,
    /// The nodes come to.
    pub nodes: Vec<String>,
}

impl Reporter for Notes {
    fn report(&mut self, report: Report) {
        self.reports.push(report);
    }

    fn at_node(&mut self, node: &str) {
        self.nodes.push(node.to_owned());
    }
}

/// A run that is over, and everything there is to know about it.
#[derive(Debug)]
pub struct Ran {
    pub end: FlowEnd,
    pub leg: ScriptedLeg,
    pub notes: Notes,
}

/// Runs `flow` on `leg`.
pub fn ran(flow: &Flow, mut leg: ScriptedLeg) -> Ran {
    let mut notes = Notes::default();
    let end = run(flow, &mut leg, &mut notes);
    Ran { end, leg, notes }
}

/// A flow of these nodes that starts with `start` and has no error.
pub fn flow(start: &str, nodes: serde_json::Value) -> Flow {
    let document =
        serde_json::json!({"version": 1, "name": "test", "start": start, "nodes": nodes});
    match parse(document.to_string().as_bytes()) {
        Ok((flow, _)) => flow,
        Err(findings) => panic!("{findings:#?}"),
    }
}
