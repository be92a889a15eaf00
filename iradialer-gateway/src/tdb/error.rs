//! What can go wrong in the TDB.

use std::sync::Arc;

/// A fault of the database, or of what is in it. Cheap to clone, because a failed commit is the
/// answer to everyone who waited for it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TdbError {
    /// The database failed.
    #[error("database: {0}")]
    Sql(Arc<sqlx::Error>),
    /// The schema could not be brought up to date.
    #[error("database schema: {0}")]
    Migrate(Arc<sqlx::migrate::MigrateError>),
    /// A row holds what this version can't have written.
    #[error("database: column {column} holds {value:?}, expected {expected}")]
    Unreadable {
        /// The column.
        column: &'static str,
        /// What it holds.
        value: String,
        /// What was expected.
        expected: String,
    },
    /// The TDB was closed, or a write broke down in a panic.
    #[error("database: closed")]
    Stopped,
}

impl TdbError {
    /// A value that can't be written as JSON.
    pub(super) fn unwritable(column: &'static str, error: &serde_json::Error) -> Self {
        TdbError::Unreadable {
            column,
            value: error.to_string(),
            expected: "a value that JSON can hold".to_owned(),
        }
    }
}

impl From<sqlx::Error> for TdbError {
    fn from(error: sqlx::Error) -> Self {
        TdbError::Sql(Arc::new(error))
    }
}

impl From<sqlx::migrate::MigrateError> for TdbError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        TdbError::Migrate(Arc::new(error))
    }
}
