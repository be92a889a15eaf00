//! Where a node leads.

use crate::value::FieldError;
use serde::{Deserialize, Serialize};
use std::fmt;

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

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Target::Node(name) => name,
            Target::Back => "@back",
            Target::Hangup => "@hangup",
        })
    }
}
