//! Starts the roles and stops them.

use std::fmt;

/// Why a role could not start or go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RoleError(String);

impl RoleError {
    /// A fault, in a sentence that names what to mend.
    pub fn new(what: impl fmt::Display) -> Self {
        RoleError(what.to_string())
    }
}
