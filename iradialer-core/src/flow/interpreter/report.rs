//! What a run tells as it goes, and how it ends.

use crate::flow::document::{DncScope, HangupCause};
use crate::flow::leg::{RecordingEnd, Transferred};
use std::collections::BTreeMap;

/// Hears what a flow does as it does it.
pub trait Reporter {
    /// Takes a report; it must not block.
    fn report(&mut self, report: Report);
    /// The flow has come to this node.
    fn at_node(&mut self, node: &str);
    /// A variable has this value now, of up to 1,000 characters.
    fn set(&mut self, name: &str, value: &str);
}

/// What a flow has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A list of prompts was played, or cut short by a key. Each list has its own report: a `play`
    /// node's, a menu's or collect's prompt each time it asks, and its `no_input` and `invalid`.
    PlayDone {
        /// The node.
        node: String,
        /// The sounds, joined by `+`: a file by its path, `tts:Hello.`, `silence:500ms`,
        /// `tone:440,480Hz:200ms`. Cut after 1,000 characters.
        prompt: String,
        /// How long they were heard, ms.
        played_ms: u64,
        /// The key.
        interrupted_by: Option<char>,
    },
    /// A menu, collect or confirm ended.
    DtmfCollected {
        /// The node.
        node: String,
        /// The variable.
        var_name: String,
        /// The digits of the last try, without the terminator; empty when none came.
        digits: String,
        /// Whether they were what was asked for.
        valid: bool,
        /// How many times it was asked, from 1.
        tries: u32,
    },
    /// A recording was made.
    Recorded {
        /// The node.
        node: String,
        /// The variable that its name is in.
        var_name: String,
        /// What it is found by.
        name: String,
        /// How long it is, ms.
        ms: u64,
        /// What ended it.
        ended_by: RecordingEnd,
    },
    /// The customer's application was asked.
    Requested {
        /// The node.
        node: String,
        /// The address.
        url: String,
        /// The HTTP status, where one came.
        status: Option<u16>,
        /// How long it took, ms.
        ms: u64,
        /// Why the answer could not be used, where it could not.
        error: Option<String>,
    },
    /// The leg was connected with another number, or was to be.
    Transferred {
        /// The node.
        node: String,
        /// The number as it was filled in.
        destination: String,
        /// What became of it.
        outcome: Transferred,
    },
    /// The person's number was put on the do-not-call list.
    OptedOut {
        /// The node.
        node: String,
        /// Whose calls it is never to get again.
        scope: DncScope,
    },
    /// Something did not work, and the flow went on.
    Failed {
        /// The node.
        node: String,
        /// What, in a sentence.
        what: String,
    },
    /// A `goto` has led to another flow.
    WentTo {
        /// The node.
        node: String,
        /// The other flow.
        flow: String,
    },
}

impl Report {
    /// The node it is of.
    pub fn node(&self) -> &str {
        match self {
            Report::PlayDone { node, .. }
            | Report::DtmfCollected { node, .. }
            | Report::Recorded { node, .. }
            | Report::Requested { node, .. }
            | Report::Transferred { node, .. }
            | Report::OptedOut { node, .. }
            | Report::Failed { node, .. }
            | Report::WentTo { node, .. } => node,
        }
    }
}

/// How a flow ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowEnd {
    /// Why.
    pub why: FlowEndWhy,
    /// The flow it was in: the one that was begun, or one that a `goto` went to.
    pub flow: String,
    /// The node it was at.
    pub node: String,
    /// The variables it has set.
    pub variables: BTreeMap<String, String>,
    /// What the far end is told where the flow hangs up.
    pub cause: HangupCause,
}

/// Why a flow ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowEndWhy {
    /// It came to its end: the leg is to be hung up.
    Done,
    /// The leg was hung up under it.
    HungUp,
    /// Somebody has stopped it; the leg lives on.
    Stopped,
    /// A fault, in a sentence: the leg is to be hung up.
    Fault(String),
}
