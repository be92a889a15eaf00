//! The flow language: what a call does once it is answered.
//!
//! [`Flow`] is the document, and [`Leg`] what it is played on: a FreeSWITCH channel, the sandbox's,
//! or a test's in virtual time.

mod check;
mod document;
mod interpreter;
mod leg;
mod parse;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod scripted_leg;

pub use check::{
    Finding, MAX_DIGITS, MAX_FLOW_BYTES, MAX_NODES, MAX_PATTERN_LEN, MAX_RETRIES, Severity, check,
};
pub use document::{Collect, Flow, HangupStep, Menu, Node, Play, Prompt, Step, Target, Tone};
pub use interpreter::{FlowEnd, FlowEndWhy, MAX_NODE_VISITS, Report, Reporter, run};
pub use leg::{Heard, Leg, LegEnd, Listen, Played};
pub use parse::parse;
