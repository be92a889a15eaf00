//! The flow document as it is written in JSON.

use crate::value::{FieldError, PromptPath};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A flow: nodes by name, and the one to start with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Version of the language; 1.
    pub version: u32,
    /// The flow's name, of letters, digits, `_` and `-`.
    pub name: String,
    /// The node to start with.
    pub start: String,
    /// The nodes.
    pub nodes: BTreeMap<String, Node>,
}

/// A node: one step, and where it leads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WrittenNode")]
pub struct Node {
    /// What the node does.
    #[serde(flatten)]
    pub step: Step,
    /// Where it leads when the step is done. A `menu` leads by its choices, a `hangup` nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Target>,
}

/// A node as it is written. `flatten` alone would let unknown fields and a second step pass.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenNode {
    play: Option<Play>,
    menu: Option<Menu>,
    collect: Option<Collect>,
    hangup: Option<HangupStep>,
    next: Option<Target>,
}

impl TryFrom<WrittenNode> for Node {
    type Error = String;
    fn try_from(written: WrittenNode) -> Result<Self, String> {
        let mut steps = [
            written.play.map(Step::Play),
            written.menu.map(Step::Menu),
            written.collect.map(Step::Collect),
            written.hangup.map(Step::Hangup),
        ]
        .into_iter()
        .flatten();
        let expected = "expected exactly one step of play, menu, collect, hangup";
        match (steps.next(), steps.next()) {
            (Some(step), None) => Ok(Node {
                step,
                next: written.next,
            }),
            (Some(one), Some(two)) => Err(format!(
                "{expected}, got both {} and {}",
                one.name(),
                two.name()
            )),
            (None, _) => Err(format!("{expected}, got none")),
        }
    }
}

/// What a node does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Plays prompts.
    Play(Play),
    /// Asks for one key and goes where it leads.
    Menu(Menu),
    /// Asks for digits and keeps them in a variable.
    Collect(Collect),
    /// Hangs up.
    Hangup(HangupStep),
}

impl Step {
    /// The step's name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Step::Play(_) => "play",
            Step::Menu(_) => "menu",
            Step::Collect(_) => "collect",
            Step::Hangup(_) => "hangup",
        }
    }
}

/// The prompts of a `play` node.
pub type Play = Vec<Prompt>;

/// Something to be heard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Prompt {
    /// A WAV file below the switch's prompt directory.
    File(PromptPath),
    /// Silence, 1 to 60,000 ms.
    Silence(u32),
    /// A tone.
    Tone(Tone),
}

impl fmt::Display for Prompt {
    /// The form reports have: `hello.wav`, `silence:500ms`, `tone:440,480Hz:200ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Prompt::File(path) => write!(f, "{path}"),
            Prompt::Silence(ms) => write!(f, "silence:{ms}ms"),
            Prompt::Tone(tone) => {
                let hz: Vec<String> = tone.hz.iter().map(u32::to_string).collect();
                write!(f, "tone:{}Hz:{}ms", hz.join(","), tone.ms)
            }
        }
    }
}

/// A tone of one or two frequencies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tone {
    /// 1 or 2 frequencies, 50 to 3,400 Hz.
    pub hz: Vec<u32>,
    /// How long, 1 to 60,000 ms.
    pub ms: u32,
}

/// A `menu` node: one key, with somewhere to go for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Menu {
    /// What is asked.
    pub prompt: Vec<Prompt>,
    /// Where each key (`0-9`, `*`, `#`) leads.
    pub choices: BTreeMap<String, Target>,
    /// How long to wait for the key after the prompt, 500 to 60,000 ms.
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
    /// The fewest digits, 1 to 64.
    #[serde(default = "default_min_digits")]
    pub min_digits: u32,
    /// The most digits, `min_digits` to 64; when they are there, waiting ends.
    pub max_digits: u32,
    /// Keys that end the input, of `*` and `#`.
    #[serde(default)]
    pub terminators: String,
    /// How long to wait for the first digit after the prompt, 500 to 60,000 ms.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u32,
    /// How long to wait for each further digit, 500 to 30,000 ms.
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

/// A `hangup` node.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HangupStep {}

fn default_timeout_ms() -> u32 {
    5_000
}

fn default_inter_digit_ms() -> u32 {
    2_500
}

fn default_min_digits() -> u32 {
    1
}

/// Where a node leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// The node of that name.
    Node(String),
    /// `@back`: the node this one was come to from.
    Back,
    /// `@hangup`: the end.
    Hangup,
}

impl TryFrom<String> for Target {
    type Error = FieldError;
    fn try_from(text: String) -> Result<Self, FieldError> {
        match text.as_str() {
            "@back" => Ok(Target::Back),
            "@hangup" => Ok(Target::Hangup),
            name if name.starts_with('@') => Err(FieldError::new(
                "next",
                "a node's name, '@back' or '@hangup'",
                name,
            )),
            _ => Ok(Target::Node(text)),
        }
    }
}

impl From<Target> for String {
    fn from(target: Target) -> String {
        match target {
            Target::Node(name) => name,
            Target::Back => "@back".to_owned(),
            Target::Hangup => "@hangup".to_owned(),
        }
    }
}
