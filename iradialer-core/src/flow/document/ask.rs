//! The steps that ask: for one key, for digits, for yes or no.

use super::prompt::Prompt;
use super::target::Target;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A `menu` node: one key, with somewhere to go for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Menu {
    /// What is asked.
    pub prompt: Vec<Prompt>,
    /// Where each key (`0-9`, `*`, `#`) leads.
    pub choices: BTreeMap<String, Target>,
    /// How long to wait for the key after the prompt, 500 to 60,000 ms; 5,000 where it is left out.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u32,
    /// How many more times to ask, 0 to 9.
    #[serde(default)]
    pub retries: u32,
    /// Heard when no key came, before asking again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub no_input: Vec<Prompt>,
    /// Heard after a key that leads nowhere, before asking again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invalid: Vec<Prompt>,
    /// Where to go when the retries are used up.
    pub exhausted: Target,
    /// The variable the key is kept in; the node's name where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub var: Option<String>,
}

/// A `collect` node: digits into a variable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collect {
    /// What is asked.
    pub prompt: Vec<Prompt>,
    /// The variable the digits are kept in.
    pub var: String,
    /// The fewest digits, 1 to 64; 1 where it is left out.
    #[serde(default = "default_min_digits")]
    pub min_digits: u32,
    /// The most digits, `min_digits` to 64; when they are there, waiting ends.
    pub max_digits: u32,
    /// Keys that end the input, of `*` and `#`.
    #[serde(default)]
    pub terminators: String,
    /// How long to wait for the first digit after the prompt, 500 to 60,000 ms; 5,000 where it is left out.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u32,
    /// How long to wait for each further digit, 500 to 30,000 ms; 2,500 where it is left out.
    #[serde(default = "default_inter_digit_ms")]
    pub inter_digit_ms: u32,
    /// A regular expression (RE2 syntax, up to 200 characters) that the digits must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// How many more times to ask, 0 to 9.
    #[serde(default)]
    pub retries: u32,
    /// Heard when no digit came, before asking again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub no_input: Vec<Prompt>,
    /// Heard after digits that don't fit, before asking again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invalid: Vec<Prompt>,
    /// Where to go when the retries are used up.
    pub exhausted: Target,
}

/// A `confirm` node: yes or no, where silence is neither. It leads to `yes_next` and `no_next` of its node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// What is asked.
    pub prompt: Vec<Prompt>,
    /// The key that means yes, one of `0-9`, `*`, `#`; `1` where it is left out.
    #[serde(default = "default_yes")]
    pub yes: String,
    /// The keys that mean no. Where it is left out, every key but `yes` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no: Option<String>,
    /// How long to wait for the key after the prompt, 500 to 60,000 ms; 5,000 where it is left out.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u32,
    /// How many more times to ask, 0 to 9.
    #[serde(default)]
    pub retries: u32,
    /// Heard when no key came, before asking again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub no_input: Vec<Prompt>,
    /// Heard after a key that means neither, before asking again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invalid: Vec<Prompt>,
    /// Where to go when the retries are used up; `no_next` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exhausted: Option<Target>,
    /// The variable the key is kept in; the node's name where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub var: Option<String>,
}

impl Confirm {
    /// Whether the key means yes or no; `None` where it means neither.
    pub fn meaning(&self, key: char) -> Option<bool> {
        match &self.no {
            _ if self.yes.chars().eq([key]) => Some(true),
            Some(no) if !no.contains(key) => None,
            _ => Some(false),
        }
    }
}

pub(in super::super) fn default_timeout_ms() -> u32 {
    5_000
}

pub(in super::super) fn default_inter_digit_ms() -> u32 {
    2_500
}

fn default_min_digits() -> u32 {
    1
}

fn default_yes() -> String {
    "1".to_owned()
}
