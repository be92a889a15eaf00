//! The flow document as it is written in JSON.

mod ask;
mod branch;
mod exits;
mod node;
mod prompt;
mod steps;
mod target;

pub use ask::{Collect, Confirm, Menu};
pub use branch::{Branch, CPA_CODES, Case, Days, Hours, known_timezone};
pub use exits::Exit;
pub use node::{Node, Step};
pub use prompt::{FileName, Play, Prompt, Tone, Tts, Url};
pub use steps::{
    Dnc, DncScope, Goto, HangupCause, HangupStep, Record, RequestStep, Say, SayKind, SayWith, Set,
    TransferStep, Wait,
};
pub use target::Target;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The language of a flow that names none.
pub const DEFAULT_LANGUAGE: &str = "en";

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
    /// The language that `say` speaks where it names none; `en` where it is left out.
    #[serde(
        default = "default_language",
        skip_serializing_if = "is_default_language"
    )]
    pub language: String,
    /// Variables that are given with the call, and what they are where it gives none. With this list a
    /// name in a template that is neither in it nor set by a node is a mistake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vars: Option<BTreeMap<String, String>>,
    /// Why nobody can be spoken to here, where that is so: 1 to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_agent: Option<String>,
    /// Whether the whole call is recorded from its answer on, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_call: Option<RecordCall>,
    /// The nodes.
    pub nodes: BTreeMap<String, Node>,
}

impl Flow {
    /// A flow that asks for digits as a `collect` node does, and is over. What a live request asks is run with
    /// it; it need not pass [`super::check()`], as it may end by any key.
    pub fn asking(collect: Collect) -> Flow {
        const ASK: &str = "ask";
        let node = Node {
            next: Some(Target::Hangup),
            ..Node::of(Step::Collect(collect))
        };
        Flow {
            version: 1,
            name: ASK.to_owned(),
            start: ASK.to_owned(),
            language: default_language(),
            vars: None,
            no_agent: None,
            record_call: None,
            nodes: BTreeMap::from([(ASK.to_owned(), node)]),
        }
    }
}

/// How a whole call is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordCall {
    /// Both sides in one channel.
    Mixed,
    /// The person in the left channel, what the person hears in the right one.
    Stereo,
}

pub(super) fn default_language() -> String {
    DEFAULT_LANGUAGE.to_owned()
}

fn is_default_language(language: &str) -> bool {
    language == DEFAULT_LANGUAGE
}
