//! A leg for tests: virtual time, keys and a hangup at given moments.

use super::document::DncScope;
use super::facts::{CallFacts, Library};
use super::interpreter::{FlowEnd, Report, Reporter, run};
use super::leg::{
    Answer, Heard, Leg, LegEnd, Listen, Played, Recorded, Recording, RecordingEnd, Request,
    Transfer, Transferred,
};
use super::sound::Sound;
use super::{Flow, parse};
use std::collections::{BTreeMap, VecDeque};

/// How long every file is, ms.
pub const FILE_MS: u64 = 2_000;

/// What the interpreter did with the leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Did {
    /// It played for so long, until this key.
    Played(u64, Option<char>),
    /// It played for so long, which no key could cut short.
    PlayedOut(u64),
    /// It took this key.
    Took(char),
    /// It waited and took none.
    Waited(u64),
    /// It recorded for so long.
    Recorded(u64),
    /// It asked.
    Asked(Request),
    /// It transferred, which took so long.
    Transferred(Transfer, u64),
    /// It put the number on the list.
    OptedOut(DncScope),
}

#[derive(Debug, Clone, Default)]
pub struct ScriptedLeg {
    /// The clock, ms since the answer.
    pub now_ms: u64,
    /// Keys not yet taken, and when each is pressed, in order.
    pub keys: VecDeque<(u64, char)>,
    /// When the person hangs up.
    pub hangup_ms: Option<u64>,
    /// What was done, in order.
    pub did: Vec<Did>,
    /// Ms since the Unix epoch at the answer.
    pub answered_at_ms: u64,
    /// What call progress analysis says.
    pub cpa: Option<String>,
    /// Sounds that are not there, as reports have them.
    pub missing: Vec<String>,
    /// What becomes of each record, request and transfer in turn, and how long it takes, ms; a recording
    /// is as long as that.
    pub recordings: VecDeque<(u64, Recorded)>,
    pub answers: VecDeque<(u64, Answer)>,
    pub transfers: VecDeque<(u64, Transferred)>,
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

    /// Lets time pass until `until_ms` or the hangup, whatever is pressed.
    fn pass(&mut self, until_ms: u64) -> Result<(), LegEnd> {
        match self.hangup_ms {
            Some(at_ms) if at_ms <= until_ms => {
                self.now_ms = self.now_ms.max(at_ms);
                Err(LegEnd::HungUp)
            }
            _ => {
                self.now_ms = until_ms;
                Ok(())
            }
        }
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
    fn play(&mut self, sounds: &[Sound], barge_in: bool) -> Result<Played, LegEnd> {
        let begun_ms = self.now_ms;
        let until_ms = begun_ms + sounds.iter().map(length_ms).sum::<u64>();
        let interrupted_by = match barge_in {
            true => self.wait(until_ms)?,
            false => self.pass(until_ms).map(|()| None)?,
        };
        let ms = self.now_ms - begun_ms;
        self.did.push(match barge_in {
            true => Did::Played(ms, interrupted_by),
            false => Did::PlayedOut(ms),
        });
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

    fn now(&self) -> u64 {
        self.answered_at_ms + self.now_ms
    }

    fn has(&self, sound: &Sound) -> bool {
        !self.missing.contains(&sound.to_string())
    }

    fn cpa(&self) -> Option<String> {
        self.cpa.clone()
    }

    fn record(&mut self, recording: &Recording) -> Result<Recorded, LegEnd> {
        let begun_ms = self.now_ms;
        let failed = (0, Recorded::Failed("none was written down".to_owned()));
        let (ms, recorded) = self.recordings.pop_front().unwrap_or(failed);
        let hung_up = self
            .pass(begun_ms + ms.min(u64::from(recording.max_ms)))
            .is_err();
        let lasted_ms = self.now_ms - begun_ms;
        self.did.push(Did::Recorded(lasted_ms));
        match recorded {
            Recorded::Kept { name, .. } if hung_up => Ok(Recorded::Kept {
                name,
                ms: lasted_ms,
                ended_by: RecordingEnd::HungUp,
            }),
            _ if hung_up => Err(LegEnd::HungUp),
            recorded => Ok(recorded),
        }
    }

    fn request(&mut self, request: &Request) -> Result<Answer, LegEnd> {
        self.did.push(Did::Asked(request.clone()));
        let failed = (0, Answer::Failed("none was written down".to_owned()));
        let (ms, answer) = self.answers.pop_front().unwrap_or(failed);
        self.pass(self.now_ms + ms)?;
        Ok(answer)
    }

    fn transfer(&mut self, transfer: &Transfer) -> Result<Transferred, LegEnd> {
        let begun_ms = self.now_ms;
        let failed = (0, Transferred::Failed("none was written down".to_owned()));
        let (ms, transferred) = self.transfers.pop_front().unwrap_or(failed);
        self.pass(begun_ms + ms)?;
        self.did
            .push(Did::Transferred(transfer.clone(), self.now_ms - begun_ms));
        Ok(transferred)
    }

    fn opt_out(&mut self, scope: DncScope) -> Result<(), LegEnd> {
        self.pass(self.now_ms)?;
        self.did.push(Did::OptedOut(scope));
        Ok(())
    }
}

fn length_ms(sound: &Sound) -> u64 {
    match sound {
        Sound::File(_) | Sound::Url(_) | Sound::Tts { .. } => FILE_MS,
        Sound::Silence(ms) => u64::from(*ms),
        Sound::Tone(tone) => u64::from(tone.ms),
    }
}

/// Keeps what it hears.
#[derive(Debug, Default)]
pub struct Notes {
    /// The reports.
    pub reports: Vec<Report>,
    /// The nodes come to.
    pub nodes: Vec<String>,
    /// The variables as they were told.
    pub set: BTreeMap<String, String>,
}

impl Reporter for Notes {
    fn report(&mut self, report: Report) {
        self.reports.push(report);
    }

    fn at_node(&mut self, node: &str) {
        self.nodes.push(node.to_owned());
    }

    fn set(&mut self, name: &str, value: &str) {
        self.set.insert(name.to_owned(), value.to_owned());
    }
}

/// A run that is over, and everything there is to know about it.
#[derive(Debug)]
pub struct Ran {
    pub end: FlowEnd,
    pub leg: ScriptedLeg,
    pub notes: Notes,
}

/// Runs `flow` on `leg`, on a call of which nothing is known.
pub fn ran(flow: &Flow, leg: ScriptedLeg) -> Ran {
    ran_with(flow, &CallFacts::default(), &(), leg)
}

/// Runs `flow` on `leg`.
pub fn ran_with(
    flow: &Flow,
    facts: &CallFacts,
    library: &dyn Library,
    mut leg: ScriptedLeg,
) -> Ran {
    let mut notes = Notes::default();
    let end = run(flow, facts, library, &mut leg, &mut notes);
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
