//! Flows played without a call: in virtual time, with a person who presses what was written down before.

use super::document::{DncScope, Flow};
use super::facts::{CallFacts, Library};
use super::interpreter::{FlowEnd, Report, Reporter, run};
use super::leg::{
    Answer, Heard, Leg, LegEnd, Listen, Played, Recorded, Recording, RecordingEnd, Request,
    Transfer, Transferred,
};
use super::sound::Sound;
use serde::Deserialize;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

/// How long a file is taken to be, ms.
const FILE_MS: u64 = 2_000;
/// How long a spoken text is taken to be, ms a character.
const TTS_MS: u64 = 65;
/// How long a recording is that nothing is said of, ms.
const RECORDING_MS: u64 = 5_000;
/// How long two are taken to speak, ms.
const TALK_MS: u64 = 60_000;

/// What happens on a leg that there is none of.
#[derive(Debug, Clone, Default)]
pub struct Rehearsal {
    /// What is pressed at each question in turn; an empty one is silence, and so is all after the last.
    /// Keys that a question does not take are typed ahead.
    pub keys: Vec<String>,
    /// What comes of a `request`, `record` or `transfer`, by its node and in turn.
    pub scenes: BTreeMap<String, Vec<Scene>>,
    /// The time of day at the beginning, ms since the Unix epoch.
    pub now_ms: u64,
    /// What call progress analysis has said.
    pub cpa: Option<String>,
    /// When the person hangs up, ms from the beginning.
    pub hangup_ms: Option<u64>,
}

/// What comes of a step that needs more than a leg. In JSON: `"done"`, `"busy"`, `"no_answer"`, `"failed"`,
/// `{"reply": {...}}`, `{"status": 500}` or `{"speaks_ms": 4000}`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scene {
    /// It comes about.
    Done,
    /// The other one is busy.
    Busy,
    /// Nobody answers.
    NoAnswer,
    /// It does not come about.
    Failed,
    /// The application answers this.
    Reply(Value),
    /// The application answers with this HTTP status and nothing else.
    Status(u16),
    /// The person speaks for so long.
    SpeaksMs(u64),
}

/// A rehearsal that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsed {
    /// How it ended.
    pub end: FlowEnd,
    /// How long it took, ms.
    pub ms: u64,
    /// What happened, in order.
    pub moments: Vec<Moment>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// When, ms from the beginning.
    pub at_ms: u64,
    /// The node it happened at.
    pub node: String,
    /// What.
    pub what: Happened,
}

/// What happened in a rehearsal.
#[derive(Debug, Clone, PartialEq)]
pub enum Happened {
    /// The flow came to the node.
    Came,
    /// The person was asked for a key and pressed this one.
    Pressed(char),
    /// The person was asked for a key and pressed none for so long, ms.
    Silent(u64),
    /// A variable was set.
    Set(String, String),
    /// The application was sent this.
    Sent(String),
    /// The flow reported.
    Told(Report),
}

impl Rehearsed {
    /// What was heard, in order: the sounds as reports have them.
    pub fn heard(&self) -> Vec<&str> {
        let heard = self.moments.iter().filter_map(|moment| match &moment.what {
            Happened::Told(Report::PlayDone { prompt, .. }) => Some(prompt.as_str()),
            _ => None,
        });
        heard.collect()
    }

    /// The nodes come to, in order.
    pub fn nodes(&self) -> Vec<&str> {
        let came = self
            .moments
            .iter()
            .filter(|moment| moment.what == Happened::Came);
        came.map(|moment| moment.node.as_str()).collect()
    }
}

impl Rehearsal {
    /// Plays `flow` from its start to its end.
    pub fn of(&self, flow: &Flow, facts: &CallFacts, library: &dyn Library) -> Rehearsed {
        let stage = RefCell::new(Stage {
            plan: self,
            at_ms: 0,
            node: flow.start.clone(),
            items: self.keys.iter().map(String::as_str).collect(),
            typed: VecDeque::new(),
            asked: false,
            played: BTreeMap::new(),
            moments: Vec::new(),
        });
        let end = run(
            flow,
            facts,
            library,
            &mut OnStage(&stage),
            &mut Beside(&stage),
        );
        let stage = stage.into_inner();
        Rehearsed {
            end,
            ms: stage.at_ms,
            moments: stage.moments,
        }
    }
}

struct Stage<'a> {
    plan: &'a Rehearsal,
    at_ms: u64,
    node: String,
    items: VecDeque<&'a str>,
    /// Keys pressed and not taken.
    typed: VecDeque<char>,
    /// Whether something was played or come to since the last keys ran out: whoever is not asked presses
    /// nothing.
    asked: bool,
    /// How many scenes of each node are over.
    played: BTreeMap<String, usize>,
    moments: Vec<Moment>,
}

impl Stage<'_> {
    fn note(&mut self, what: Happened) {
        let (at_ms, node) = (self.at_ms, self.node.clone());
        self.moments.push(Moment { at_ms, node, what });
    }

    /// Lets time pass, to the hangup at most.
    fn pass(&mut self, ms: u64) -> Result<(), LegEnd> {
        let until = self.at_ms + ms;
        match self.plan.hangup_ms {
            Some(hangup_ms) if hangup_ms <= until => {
                self.at_ms = self.at_ms.max(hangup_ms);
                Err(LegEnd::HungUp)
            }
            _ => {
                self.at_ms = until;
                Ok(())
            }
        }
    }

    fn scene(&mut self, node: &str) -> Option<Scene> {
        let played = self.played.entry(node.to_owned()).or_default();
        let scene = self.plan.scenes.get(node)?.get(*played).cloned();
        *played += 1;
        scene
    }
}

struct OnStage<'s, 'a>(&'s RefCell<Stage<'a>>);

impl Leg for OnStage<'_, '_> {
    fn play(&mut self, sounds: &[Sound], barge_in: bool) -> Result<Played, LegEnd> {
        let mut stage = self.0.borrow_mut();
        stage.asked = true;
        let interrupted_by = stage.typed.front().copied().filter(|_| barge_in);
        let ms = match interrupted_by {
            Some(_) => 0,
            None => sounds.iter().map(length_ms).sum(),
        };
        stage.pass(ms)?;
        Ok(Played { ms, interrupted_by })
    }

    fn listen(&mut self, wait: Listen) -> Result<Heard, LegEnd> {
        let mut stage = self.0.borrow_mut();
        if stage.typed.is_empty() && std::mem::replace(&mut stage.asked, false) {
            let item = stage.items.pop_front();
            stage.typed.extend(item.unwrap_or_default().chars());
        }
        match stage.typed.pop_front() {
            Some(key) => {
                stage.pass(0)?;
                stage.note(Happened::Pressed(key));
                Ok(Heard::Key(key))
            }
            None => {
                stage.pass(u64::from(wait.timeout_ms))?;
                stage.note(Happened::Silent(u64::from(wait.timeout_ms)));
                Ok(Heard::Nothing)
            }
        }
    }

    fn now(&self) -> u64 {
        let stage = self.0.borrow();
        stage.plan.now_ms + stage.at_ms
    }

    fn cpa(&self) -> Option<String> {
        self.0.borrow().plan.cpa.clone()
    }

    fn record(&mut self, recording: &Recording) -> Result<Recorded, LegEnd> {
        let mut stage = self.0.borrow_mut();
        let ms = match stage.scene(&recording.node) {
            Some(Scene::Failed) => return Ok(Recorded::Failed("the disk is full".to_owned())),
            Some(Scene::SpeaksMs(ms)) => ms,
            _ => RECORDING_MS,
        };
        let name = format!("rehearsal/{}.wav", recording.node);
        let (ms, mut ended_by) = match u64::from(recording.max_ms) {
            most if ms >= most => (most, RecordingEnd::Full),
            _ => (ms, RecordingEnd::Silence),
        };
        let begun_ms = stage.at_ms;
        if stage.pass(ms).is_err() {
            ended_by = RecordingEnd::HungUp;
        }
        let ms = stage.at_ms - begun_ms;
        Ok(Recorded::Kept { name, ms, ended_by })
    }

    fn request(&mut self, request: &Request) -> Result<Answer, LegEnd> {
        let mut stage = self.0.borrow_mut();
        stage.note(Happened::Sent(request.body.clone()));
        Ok(match stage.scene(&request.node) {
            Some(Scene::Reply(value)) => Answer::Replied {
                status: 200,
                body: value.to_string().into_bytes(),
            },
            Some(Scene::Status(status)) => Answer::Replied {
                status,
                body: Vec::new(),
            },
            Some(Scene::Done) => Answer::Replied {
                status: 204,
                body: Vec::new(),
            },
            _ => {
                stage.pass(u64::from(request.timeout_ms))?;
                Answer::Failed("nobody answers in this rehearsal".to_owned())
            }
        })
    }

    fn transfer(&mut self, transfer: &Transfer) -> Result<Transferred, LegEnd> {
        let mut stage = self.0.borrow_mut();
        Ok(match stage.scene(&transfer.node) {
            Some(Scene::Busy) => Transferred::Busy,
            Some(Scene::NoAnswer) => {
                stage.pass(u64::from(transfer.timeout_s) * 1_000)?;
                Transferred::NoAnswer
            }
            Some(Scene::Failed) => Transferred::Failed("no trunk takes it".to_owned()),
            _ => {
                stage.pass(TALK_MS)?;
                Transferred::Done { ms: TALK_MS }
            }
        })
    }

    fn opt_out(&mut self, _scope: DncScope) -> Result<(), LegEnd> {
        Ok(())
    }
}

fn length_ms(sound: &Sound) -> u64 {
    match sound {
        Sound::File(_) | Sound::Url(_) => FILE_MS,
        Sound::Tts { text, .. } => TTS_MS * text.chars().count() as u64,
        Sound::Silence(ms) => u64::from(*ms),
        Sound::Tone(tone) => u64::from(tone.ms),
    }
}

struct Beside<'s, 'a>(&'s RefCell<Stage<'a>>);

impl Reporter for Beside<'_, '_> {
    fn report(&mut self, report: Report) {
        self.0.borrow_mut().note(Happened::Told(report));
    }

    fn at_node(&mut self, node: &str) {
        let mut stage = self.0.borrow_mut();
        stage.node = node.to_owned();
        stage.asked = true;
        stage.note(Happened::Came);
    }

    fn set(&mut self, name: &str, value: &str) {
        self.0
            .borrow_mut()
            .note(Happened::Set(name.to_owned(), value.to_owned()));
    }
}
