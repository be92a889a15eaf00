//! What is wrong with a flow, found before a call can run it.

use serde::{Deserialize, Serialize};

/// The longest flow document, in bytes of JSON.
pub const MAX_FLOW_BYTES: usize = 256 * 1024;
/// The most nodes of a flow.
pub const MAX_NODES: usize = 500;

/// Whether a finding keeps the flow from being run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It does.
    Error,
    /// It does not, but a caller will suffer.
    Warning,
}

/// Something wrong with a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// Where in the document, such as `nodes.menu.menu.choices.9`.
    pub path: String,
    /// What, and what to do about it, in a sentence.
    pub message: String,
}
