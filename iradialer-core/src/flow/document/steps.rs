//! The steps that ask for nothing.

use super::prompt::{Prompt, Url};
use super::target::Target;
use crate::flow::template::Template;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A `set` node: variables and what they become, up to 32. A value longer than 1,000 characters is cut.
pub type Set = BTreeMap<String, Template>;

/// A `say` node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Say {
    /// What the value is.
    pub kind: SayKind,
    /// What to say: `42`, `-3.5`, `2026-11-21`, `17:05`, `12.50`, `0415*`.
    pub value: Template,
    /// The language, such as `en` or `de`; the flow's where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Of `money`: which, such as `USD`; the language's own where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Whether it is put together from recorded files or spoken by the speech engine.
    #[serde(default, skip_serializing_if = "SayWith::is_files")]
    pub with: SayWith,
}

/// What a `say` node is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SayKind {
    /// A number up to a million million either way, with up to 6 decimals.
    Number,
    /// Up to 64 characters of `0-9*#+`, one by one.
    Digits,
    /// A day: `YYYY-MM-DD`, 1900 to 2100.
    Date,
    /// A time of day: `HH:MM`.
    Time,
    /// An amount of money with two decimals or none, up to a million million.
    Money,
}

/// What `say` is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SayWith {
    /// Files `say/LANGUAGE/PIECE.wav` below the prompt directory.
    #[default]
    Files,
    /// The switch's speech engine.
    Tts,
}

impl SayWith {
    fn is_files(&self) -> bool {
        *self == SayWith::Files
    }
}

/// A `record` node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What is said before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prompt: Vec<Prompt>,
    /// The variable that the recording's name is kept in.
    pub var: String,
    /// The longest recording, 1,000 to 600,000 ms; 60,000 where it is left out.
    #[serde(default = "default_record_ms")]
    pub max_ms: u32,
    /// How much silence ends it, 500 to 30,000 ms; 3,000 where it is left out.
    #[serde(default = "default_silence_ms")]
    pub silence_ms: u32,
    /// Keys that end it, of `0-9`, `*` and `#`; `#` where it is left out.
    #[serde(default = "default_record_keys")]
    pub terminators: String,
    /// Whether a tone says when to begin; it does where this is left out.
    #[serde(default = "yes")]
    pub beep: bool,
}

fn default_record_ms() -> u32 {
    60_000
}

fn default_silence_ms() -> u32 {
    3_000
}

fn default_record_keys() -> String {
    "#".to_owned()
}

fn yes() -> bool {
    true
}

/// A `request` node: a POST of JSON to the customer's application, whose answer may set variables and say
/// where to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestStep {
    /// The address.
    pub url: Url,
    /// What is sent as `data`, up to 32 values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub send: BTreeMap<String, Template>,
    /// The variables that the answer may set, up to 32. Others in it are left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sets: Vec<String>,
    /// Where the answer may lead; up to 32. One that names anything else is an `error`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leads_to: Vec<Target>,
    /// How long the answer may take in all, 100 to 30,000 ms; 5,000 where it is left out. The person hears
    /// nothing meanwhile.
    #[serde(default = "super::ask::default_timeout_ms")]
    pub timeout_ms: u32,
}

/// A `transfer` node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferStep {
    /// The number: an optional `+` and 3 to 15 digits once everything is filled in.
    pub destination: Template,
    /// How long it may ring, 5 to 120 s; 30 where it is left out.
    #[serde(default = "default_ring_s")]
    pub timeout_s: u32,
    /// What the one who answers hears before the two are connected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub whisper: Vec<Prompt>,
    /// Whether the carrier is asked to connect them (SIP REFER), after which the call is no longer here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deflect: bool,
}

fn default_ring_s() -> u32 {
    30
}

/// A `dnc` node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dnc {
    /// Whose calls the number is never to get again.
    pub scope: DncScope,
}

/// Whose calls a number is never to get again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DncScope {
    /// The tenant's.
    Tenant,
    /// The campaign's.
    Campaign,
}

/// A `wait` node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// How long, 1 to 60,000 ms.
    pub ms: u32,
    /// Whether a key ends it. The key is used up; without this, keys are kept for the next question.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub until_key: bool,
}

/// A `hangup` node.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HangupStep {
    /// The reason given to the far end.
    #[serde(default, skip_serializing_if = "HangupCause::is_normal")]
    pub cause: HangupCause,
}

/// Why a flow hangs up, as the far end is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HangupCause {
    /// The call is over (Q.850 cause 16).
    #[default]
    Normal,
    /// Nobody is free (17).
    Busy,
    /// It is not wanted (21).
    Rejected,
    /// There is nothing to go on with (41).
    TemporaryFailure,
}

impl HangupCause {
    fn is_normal(&self) -> bool {
        *self == HangupCause::Normal
    }
}

/// A `goto` node: goes on at the start of another flow, which keeps the variables. There is no way back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goto {
    /// The other flow's name.
    pub flow: String,
}
