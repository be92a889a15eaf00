//! Plays a flow on a leg.

use std::collections::BTreeMap;

/// Hears what a flow does as it does it.
pub trait Reporter {
    /// Takes a report; it must not block.
    fn report(&mut self, report: Report);
    /// The flow has come to this node.
    fn at_node(&mut self, node: &str);
}

/// What a flow has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A node's prompts were played, or cut short by a key.
    PlayDone {
        /// The node.
        node: String,
        /// The prompts, joined by `+`.
        prompt: String,
        /// How long they were heard, ms.
        played_ms: u64,
        /// The key.
        interrupted_by: Option<char>,
    },
    /// A menu or collect ended.
    DtmfCollected {
        /// The node.
        node: String,
        /// The variable.
        var_name: String,
        /// The digits, without the terminator.
        digits: String,
        /// Whether they were what was asked for.
        valid: bool,
        /// How many times it was asked, from 1.
        tries: u32,
    },
}

/// How a flow ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowEnd {
    /// Why.
    pub why: FlowEndWhy,
    /// The node it was at.
    pub node: String,
    /// The variables it has set.
    pub variables: BTreeMap<String, String>,
}

/// Why a flow ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowEndWhy {
    /// It came to its end: the leg is to be hung up.
    Done,
    /// The leg was hung up under it.
    HungUp,
    /// A fault, in a sentence: the leg is to be hung up.
    Fault(String),
}
