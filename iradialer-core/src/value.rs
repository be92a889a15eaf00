//! Validated values: each is checked by allow-list when it is made, and can't be made otherwise.

mod channel_var;
mod flow_hash;
mod name;
mod number;
mod prompt_path;

pub use channel_var::{ChannelVars, MAX_CHANNEL_VARS, MAX_VALUE_LEN};
pub use flow_hash::FlowHash;
pub use name::{CampaignName, ClusterName, FlowName, NodeId, RegionName, TenantId, TrunkName};
pub use number::{CallerNumber, DialNumber};
pub use prompt_path::PromptPath;

use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// A value that was refused: which field, what was expected, what came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{field}: expected {expected}, got {got}")]
pub struct FieldError {
    /// The field as the sender wrote it, as a dotted path (`channel_vars.sip_h_X-Foo`).
    pub field: String,
    /// What would have been accepted.
    pub expected: String,
    /// What came, shortened to [`SHOWN`] characters, with control characters escaped.
    pub got: String,
}

/// How many characters of a refused value are shown.
pub const SHOWN: usize = 60;

impl FieldError {
    /// A refusal of `got` in `field`.
    pub fn new(field: impl Into<String>, expected: impl Into<String>, got: &str) -> Self {
        let mut shown: String = got
            .chars()
            .take(SHOWN)
            .flat_map(char::escape_debug)
            .collect();
        if got.chars().count() > SHOWN {
            shown.push('…');
        }
        FieldError {
            field: field.into(),
            expected: expected.into(),
            got: format!("\"{shown}\""),
        }
    }

    /// A refusal of a field that should have been there.
    pub fn missing(field: impl Into<String>, expected: impl Into<String>) -> Self {
        FieldError {
            field: field.into(),
            expected: expected.into(),
            got: "nothing".into(),
        }
    }

    /// The same refusal seen from one level further out.
    pub fn within(mut self, parent: &str) -> Self {
        self.field = format!("{parent}.{}", self.field);
        self
    }
}

/// The UUID of a call, of an attempt, of a switch's incarnation or of its journal: 36 lower-case
/// characters, as the published contract has it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallUuid(Uuid);

impl CallUuid {
    /// A fresh, time-ordered one (version 7).
    pub fn fresh() -> Self {
        CallUuid(Uuid::now_v7())
    }

    /// Parses the 36-character lower-case form.
    pub fn parse(field: &str, text: &str) -> Result<Self, FieldError> {
        let expected = "a lower-case UUID of 36 characters";
        match Uuid::try_parse(text) {
            Ok(uuid) if uuid.hyphenated().to_string() == text => Ok(CallUuid(uuid)),
            _ => Err(FieldError::new(field, expected, text)),
        }
    }
}

impl fmt::Display for CallUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for CallUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for CallUuid {
    type Error = FieldError;
    fn try_from(text: String) -> Result<Self, FieldError> {
        CallUuid::parse("uuid", &text)
    }
}

impl From<CallUuid> for String {
    fn from(uuid: CallUuid) -> String {
        uuid.to_string()
    }
}

/// Makes a newtype over `String` that is only made through its `parse`, also by serde.
macro_rules! checked_string {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::value::FieldError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                $name::parse($field, &text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}
pub(crate) use checked_string;
