//! The call leg a flow is played on.

use super::document::DncScope;
use super::sound::Sound;
use crate::value::DialNumber;

/// One side of a call, driven from its own thread. Every method returns when it is done or when the
/// leg has ended, and none waits on anything unbounded. What a host can't do it says at once: by the
/// step's own failure where the flow has a way out for it, else by a fault.
pub trait Leg {
    /// Plays `sounds` in order. With `barge_in`, the first key ends it; the key stays in the
    /// leg's buffer for the next [`Leg::listen`]. Keys pressed before, and not yet taken, count.
    fn play(&mut self, sounds: &[Sound], barge_in: bool) -> Result<Played, LegEnd>;

    /// Waits for the next key, at most so long. A key that was pressed before and not taken comes at once.
    fn listen(&mut self, wait: Listen) -> Result<Heard, LegEnd>;

    /// The time of day, ms since the Unix epoch.
    fn now(&self) -> u64;

    /// Whether `sound` can be played at once. Asked of sounds that could not be known before the call, as
    /// a variable of the flow is in them; one that can't be is left out.
    fn has(&self, _sound: &Sound) -> bool {
        true
    }

    /// What call progress analysis has said last, such as `AM`; `None` before it has.
    fn cpa(&self) -> Option<String> {
        None
    }

    /// Records the person. A recording that a hangup ends is kept as well.
    fn record(&mut self, _recording: &Recording) -> Result<Recorded, LegEnd> {
        Ok(Recorded::Failed(
            "this switch does not record yet".to_owned(),
        ))
    }

    /// Asks the customer's application, for at most the request's time and 64 KiB of answer, following no
    /// redirect.
    fn request(&mut self, _request: &Request) -> Result<Answer, LegEnd> {
        Ok(Answer::Failed(
            "this switch does not ask applications yet".to_owned(),
        ))
    }

    /// Connects the leg with another number, and returns when the two are parted again.
    fn transfer(&mut self, _transfer: &Transfer) -> Result<Transferred, LegEnd> {
        Ok(Transferred::Failed(
            "this switch does not transfer calls yet".to_owned(),
        ))
    }

    /// Puts the person's number on the do-not-call list: whoever hears the report of it does, and nothing is
    /// waited for.
    fn opt_out(&mut self, _scope: DncScope) -> Result<(), LegEnd> {
        Ok(())
    }
}

/// What became of a [`Leg::play`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// How long it was heard, ms.
    pub ms: u64,
    /// The key that cut it short.
    pub interrupted_by: Option<char>,
}

/// How long to wait for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// Ms from now; 0 takes only a key that is already there.
    pub timeout_ms: u32,
}

/// What came of waiting for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// A key, one of `0-9*#A-D`.
    Key(char),
    /// None in the time.
    Nothing,
}

/// What to record, and what ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The node that asks for it.
    pub node: String,
    /// The longest it may be, ms.
    pub max_ms: u32,
    /// How much silence ends it, ms.
    pub silence_ms: u32,
    /// The keys that end it; each is taken.
    pub terminators: String,
}

/// What became of a [`Leg::record`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// There is one.
    Kept {
        /// What it is found by, up to 1,000 characters.
        name: String,
        /// How long it is, ms.
        ms: u64,
        /// What ended it.
        ended_by: RecordingEnd,
    },
    /// There is none, as the sentence says.
    Failed(String),
}

/// What ended a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingEnd {
    /// This key.
    Key(char),
    /// The person said no more.
    Silence,
    /// It was as long as it may be.
    Full,
    /// The leg was hung up.
    HungUp,
}

/// A POST of JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The node that asks.
    pub node: String,
    /// The address.
    pub url: String,
    /// The JSON.
    pub body: String,
    /// How long it may take from the first packet to the last byte of the answer, ms.
    pub timeout_ms: u32,
}

/// What came of a [`Leg::request`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An answer, of whatever kind.
    Replied {
        /// The HTTP status.
        status: u16,
        /// The body, up to 64 KiB.
        body: Vec<u8>,
    },
    /// None, as the sentence says: too late, too long, refused, redirected.
    Failed(String),
}

/// Whom to connect a leg with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// The node that asks for it.
    pub node: String,
    /// The number.
    pub destination: DialNumber,
    /// How long it may ring, s.
    pub timeout_s: u32,
    /// What the one who answers hears before the two are connected.
    pub whisper: Vec<Sound>,
    /// Whether the carrier is asked to connect them (SIP REFER).
    pub deflect: bool,
}

/// What became of a [`Leg::transfer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transferred {
    /// They were connected, and the other one has hung up, or (deflected) the carrier has taken over.
    Done {
        /// How long they were connected, ms.
        ms: u64,
    },
    /// The other one was busy.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// It did not come about, as the sentence says.
    Failed(String),
}

/// Why a leg can't go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LegEnd {
    /// It was hung up, by either side.
    #[error("the call ended")]
    HungUp,
    /// Somebody has asked for what it is doing to be stopped; the leg lives on.
    #[error("it was stopped")]
    Stopped,
    /// It can't do what was asked, as the sentence says; the call should be ended.
    #[error("{0}")]
    Fault(String),
}
