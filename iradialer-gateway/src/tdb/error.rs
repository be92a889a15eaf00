//! What can go wrong in the TDB.

use sqlx::migrate::MigrateError;
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
    Migrate(Arc<MigrateError>),
    /// A newer gateway has written it; this one would not understand what is in it.
    #[error(
        "database schema: it is of version {found}, this gateway knows up to {known}: start the newer \
         gateway that has written it"
    )]
    Newer {
        /// The schema's version that was found.
        found: i64,
        /// The latest that this gateway knows.
        known: i64,
    },
    /// A change of the schema was begun and not finished.
    #[error(
        "database schema: version {0} was applied in part only: put the backup of before the upgrade \
         back, then start again"
    )]
    HalfApplied(i64),
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
    /// Why the schema could not be brought up to version `known`.
    pub(super) fn of_schema(error: MigrateError, known: i64) -> Self {
        match error {
            MigrateError::VersionMissing(found) => TdbError::Newer { found, known },
            MigrateError::Dirty(version) => TdbError::HalfApplied(version),
            other => TdbError::Migrate(Arc::new(other)),
        }
    }

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
