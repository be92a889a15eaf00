//! What is wrong with a flow, found before a call can run it.

pub(super) mod ask;
mod gotos;
mod graph;
mod names;
mod node;
mod notes;
pub(super) mod prompts;
pub(super) mod steps;
mod ways;

pub use gotos::check_gotos;
pub use prompts::is_voice;

use super::document::Flow;
use super::say;
use crate::strict_json::shown;
use graph::Graph;
use notes::Notes;
use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest flow document, in bytes of JSON.
pub const MAX_FLOW_BYTES: usize = 256 * 1024;
/// The most nodes of a flow.
pub const MAX_NODES: usize = 500;
/// The most digits a `collect` takes.
pub const MAX_DIGITS: u32 = 64;
/// The most times a `menu` or `collect` asks again.
pub const MAX_RETRIES: u32 = 9;
/// The longest pattern, in characters.
pub const MAX_PATTERN_LEN: usize = 200;
/// The most different patterns of a flow: compiling one may take milliseconds.
const MAX_PATTERNS: usize = 100;
/// The most variables of a `set`, of what a `request` sends and sets, and of a flow's `vars`.
pub(super) const MAX_VARS: usize = 32;
/// The version of the language.
const VERSION: u32 = 1;

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
    /// Where in the document, such as `nodes.menu.menu.choices.9`; empty for the document as a whole.
    pub path: String,
    /// What, and what to do about it, in a sentence.
    pub message: String,
}

impl Finding {
    pub(super) fn error(path: impl Into<String>, message: impl Into<String>) -> Self {
        let (path, message) = (path.into(), message.into());
        Finding {
            severity: Severity::Error,
            path,
            message,
        }
    }

    pub(super) fn warning(path: impl Into<String>, message: impl Into<String>) -> Self {
        let (path, message) = (path.into(), message.into());
        Finding {
            severity: Severity::Warning,
            path,
            message,
        }
    }

    /// Whether it keeps the flow from being run.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        match self.path.as_str() {
            "" => write!(f, "{severity}: {}", self.message),
            path => write!(f, "{severity} at {path}: {}", self.message),
        }
    }
}

/// Everything that is wrong with `flow` by itself; a flow without an error may be run. Warnings come last.
/// What can't be known without the flows that it leads to is [`check_gotos`]'s.
pub fn check(flow: &Flow) -> Vec<Finding> {
    let mut notes = Notes::default();
    check_head(flow, &mut notes);
    if flow.nodes.len() > MAX_NODES {
        // Going on would take seconds, for whoever sent a flow like that.
        return notes.into_findings();
    }
    let mut lead_on = true;
    for (name, node) in &flow.nodes {
        let path = format!("nodes.{}", shown(name));
        notes.name(&path, "a node's name", name);
        lead_on &= node::check(&path, node, flow, &mut notes);
    }
    names::check(flow, &mut notes);
    ways::check(&Graph::of(flow), lead_on, &mut notes);
    notes.into_findings()
}

fn check_head(flow: &Flow, notes: &mut Notes<'_>) {
    if flow.version != VERSION {
        notes.error(
            "version",
            format!("expected version {VERSION}, got {}", flow.version),
        );
    }
    notes.name("name", "a flow's name", &flow.name);
    notes.language("language", &flow.language);
    if let Some(vars) = &flow.vars {
        notes.variables(
            "vars",
            vars.iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
    }
    if let Some(reason) = &flow.no_agent
        && !(1..=200).contains(&reason.trim().chars().count())
    {
        notes.error("no_agent", "expected a reason of 1 to 200 characters");
    }
    if !(1..=MAX_NODES).contains(&flow.nodes.len()) {
        let message = format!("expected 1 to {MAX_NODES} nodes, got {}", flow.nodes.len());
        notes.error("nodes", message);
    }
    if !flow.nodes.contains_key(&flow.start) {
        let message = format!("there is no node \"{}\" to start with", shown(&flow.start));
        notes.error("start", message);
    }
}

impl Notes<'_> {
    fn language(&mut self, path: &str, language: &str) {
        if !say::languages().contains(&language) {
            let known = say::languages().join(", ");
            self.error(
                path,
                format!(
                    "expected a language of {known}, got \"{}\"",
                    shown(language)
                ),
            );
        }
    }
}

/// Whether `pattern` may be what the digits of a `collect` must match: RE2 syntax, up to
/// [`MAX_PATTERN_LEN`] characters, and of a bounded size once compiled.
///
/// # Errors
/// Says what was expected.
pub fn check_pattern(pattern: &str) -> Result<(), String> {
    compile_pattern(pattern).map(drop)
}

/// Compiles the pattern of a `collect`. Keys are ASCII, so classes such as `\d` are too, which keeps the
/// program small. Nesting is bounded because the interpreter compiles on a thread with a stack of 240 KB:
/// at this depth it takes up to 28 KB of it, and 128 KB where regex is not optimised.
pub(super) fn compile_pattern(pattern: &str) -> Result<Regex, String> {
    if pattern.chars().count() > MAX_PATTERN_LEN {
        return Err(format!("expected at most {MAX_PATTERN_LEN} characters"));
    }
    let compiled = RegexBuilder::new(pattern)
        .unicode(false)
        .nest_limit(12)
        .size_limit(256 * 1024)
        .build();
    compiled.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "expected a pattern of fewer repetitions".to_owned(),
        // The text draws the pattern over several lines; its last one says what is wrong.
        error => match error.to_string().lines().last() {
            Some(line) => format!(
                "expected a regular expression: {}",
                line.trim_start_matches("error: ")
            ),
            None => "expected a regular expression".to_owned(),
        },
    })
}

#[cfg(test)]
mod tests;
