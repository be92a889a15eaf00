//! What is wrong with a configuration.

use iradialer_core::value::FieldError;
use std::fmt;

/// Everything that is wrong with a configuration, each with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where it was read from.
    pub source: String,
    /// The mistakes, at least one.
    pub mistakes: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration ({}):", self.source)?;
        for mistake in &self.mistakes {
            write!(f, "\n  {mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Collects mistakes, so that all of them are told at once.
#[derive(Default)]
pub(super) struct Mistakes(Vec<String>);

impl Mistakes {
    /// Notes one in a sentence that begins with the key.
    pub fn note(&mut self, mistake: impl fmt::Display) {
        self.0.push(mistake.to_string());
    }

    /// Notes that `key` is not what was expected.
    pub fn refuse(&mut self, key: &str, expected: &str, got: &str) {
        self.note(FieldError::new(key, expected, got));
    }

    /// The value, or `None` and a note.
    pub fn take<T>(&mut self, result: Result<T, FieldError>) -> Option<T> {
        result.map_err(|mistake| self.note(mistake)).ok()
    }

    /// What was noted.
    pub fn into_vec(self) -> Vec<String> {
        self.0
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
