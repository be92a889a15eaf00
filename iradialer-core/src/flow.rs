//! The flow language: what a call does once it is answered.
//!
//! [`Flow`] is the document, and [`Leg`] what it is played on: a FreeSWITCH channel, the sandbox's,
//! or a test's in virtual time.

mod check;
mod document;
mod interpreter;
mod leg;

pub use check::{Finding, MAX_FLOW_BYTES, MAX_NODES, Severity};
pub use document::{Collect, Flow, HangupStep, Menu, Node, Play, Prompt, Step, Target, Tone};
pub use interpreter::{FlowEnd, FlowEndWhy, Report, Reporter};
pub use leg::{Heard, Leg, LegEnd, Listen, Played};
