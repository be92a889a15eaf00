//! The flow language: what a call does once it is answered.
//!
//! [`Flow`] is the document, and [`Leg`] what it is played on: a FreeSWITCH channel, the sandbox's,
//! or a rehearsal's in virtual time.

mod check;
mod document;
mod facts;
mod interpreter;
mod leg;
mod parse;
#[cfg(test)]
mod properties;
mod rehearsal;
mod say;
mod schema;
#[cfg(test)]
mod scripted_leg;
mod sound;
mod template;
mod zones;

pub use check::{
    Finding, MAX_DIGITS, MAX_FLOW_BYTES, MAX_NODES, MAX_PATTERN_LEN, MAX_RETRIES, Severity, check,
    check_gotos, check_pattern, is_voice,
};
pub use document::{
    Branch, CPA_CODES, Case, Collect, Confirm, DEFAULT_LANGUAGE, Days, Dnc, DncScope, Exit,
    FileName, Flow, Goto, HangupCause, HangupStep, Hours, Menu, Node, Play, Prompt, Record,
    RecordCall, RequestStep, Say, SayKind, SayWith, Set, Step, Target, Tone, TransferStep, Tts,
    Url, Wait, known_timezone,
};
pub use facts::{CallFacts, Library};
pub use interpreter::{
    FlowEnd, FlowEndWhy, MAX_GOTOS, MAX_NODE_VISITS, Report, Reporter, run, shown,
};
pub use leg::{
    Answer, Heard, Leg, LegEnd, Listen, Played, Recorded, Recording, RecordingEnd, Request,
    Transfer, Transferred,
};
pub use parse::parse;
pub use rehearsal::{Happened, Moment, Rehearsal, Rehearsed, Scene};
pub use say::{MAX_NUMBER, currencies, languages};
pub use schema::schema;
pub use sound::{Need, Sound};
pub use template::{CallField, Filling, MAX_NAME_LEN, MAX_TEXT, Name, Template, Values, is_name};
