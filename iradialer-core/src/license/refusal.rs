//! Why a licence does not count.

use crate::value::{ClusterName, FieldError};
use jiff::Timestamp;
use std::fmt;

/// Why a licence does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is none: what is wrong with its form.
    #[error("it is no licence: expected IRA1.PAYLOAD.SIGNATURE, got {0}")]
    NotALicense(String),
    /// No key's signature fits, and its payload names none that would not count.
    #[error("it was changed: its signature does not fit what it says")]
    Changed,
    /// It was signed with a key whose signature does not count, as it says: that key's id.
    #[error("it was signed with the key {0}, whose signature does not count here")]
    WrongKey(String),
    /// It is signed, and a field of it is nothing that can be read here.
    #[error("{0}")]
    Field(#[from] FieldError),
    /// From when on it holds, seconds since the Unix epoch.
    #[error("it holds from {} on", Time(*.0))]
    NotYetValid(u64),
    /// Until when it held, seconds since the Unix epoch.
    #[error("it expired at {}", Time(*.0))]
    Expired(u64),
    /// It is for one cluster only, and this is another one.
    #[error("it is for the cluster {own}, and this is {this}")]
    OtherCluster {
        /// The one it is for.
        own: ClusterName,
        /// This one.
        this: ClusterName,
    },
    /// The customer was given a later one, which is installed or was.
    #[error("it is older than one that was installed: its serial is {serial}, and {installed} was")]
    Older {
        /// Its own serial.
        serial: u64,
        /// The highest that was installed.
        installed: u64,
    },
}

impl Refusal {
    /// Why, for a program.
    pub fn name(&self) -> &'static str {
        match self {
            Refusal::NotALicense(_) => "not_a_license",
            Refusal::Changed => "changed",
            Refusal::WrongKey(_) => "wrong_key",
            Refusal::Field(_) => "invalid_field",
            Refusal::NotYetValid(_) => "not_yet_valid",
            Refusal::Expired(_) => "expired",
            Refusal::OtherCluster { .. } => "other_cluster",
            Refusal::Older { .. } => "older",
        }
    }
}

/// A time in seconds since the Unix epoch, in RFC 3339.
pub(super) struct Time(pub u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = i64::try_from(self.0).ok();
        match time.and_then(|second| Timestamp::from_second(second).ok()) {
            Some(time) => write!(f, "{time}"),
            None => write!(f, "second {}", self.0),
        }
    }
}
