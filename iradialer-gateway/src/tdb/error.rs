//! What can go wrong in the TDB.

use super::kind::Fault;
use sqlx::migrate::MigrateError;
use std::sync::Arc;

/// A fault of the database, or of what is in it. Cheap to clone, because a failed commit is the
/// answer to everyone who waited for it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TdbError {
    /// The database refused a statement.
    #[error("database: {0}")]
    Sql(Arc<sqlx::Error>),
    /// The server can't be reached, or the connection to it broke before the commit was sent.
    #[error("database: it is away: {0}")]
    Away(String),
    /// The commit was sent and its answer never came: the writes are either all there or none is. Who
    /// repeats them under the same idempotency key learns which.
    #[error("database: whether a commit was done is not known: {0}")]
    CommitUnknown(String),
    /// It may not be written.
    #[error(
        "database: it is read-only: {0}: it must be writable, and the folder of a file as well"
    )]
    ReadOnly(String),
    /// There is no room left on its disk.
    #[error("database: its disk is full: {0}")]
    Full(String),
    /// Its file can't be opened or made.
    #[error("database: the file can't be opened: {0}")]
    File(String),
    /// The file is none, or is damaged.
    #[error(
        "database: the file is no database, or damaged ({0}): keep it, and put a backup in its place"
    )]
    NotADatabase(String),
    /// A server's database that can't hold every text.
    #[error("database: expected one in the encoding UTF8, got {0}: create it with ENCODING 'UTF8'")]
    Encoding(String),
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
    /// Whether the database as a whole can't be used for now, so that it is named once in the log and
    /// not again with each thing that fails.
    pub fn is_outage(&self) -> bool {
        matches!(
            self,
            TdbError::Away(_)
                | TdbError::CommitUnknown(_)
                | TdbError::ReadOnly(_)
                | TdbError::Full(_)
                | TdbError::File(_)
                | TdbError::NotADatabase(_)
        )
    }

    /// Whether a gateway that starts should wait a little: nothing is wrong with the database itself.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            TdbError::Away(_) | TdbError::CommitUnknown(_) | TdbError::Full(_) => true,
            // SQLite finds no room for its shared memory, and says no more than that.
            TdbError::Sql(error) => match &**error {
                sqlx::Error::Database(database) => Fault::of(&**database) == Fault::Disk,
                _ => false,
            },
            _ => false,
        }
    }

    /// The outage that this error of the driver is a sign of, if it is.
    pub(super) fn outage_of(error: &sqlx::Error) -> Option<Self> {
        use sqlx::Error as E;
        match error {
            E::Database(database) => {
                let said = database.message().to_owned();
                match Fault::of(&**database) {
                    Fault::Away => Some(TdbError::Away(said)),
                    Fault::ReadOnly => Some(TdbError::ReadOnly(said)),
                    Fault::Full => Some(TdbError::Full(said)),
                    Fault::NotADatabase => Some(TdbError::NotADatabase(said)),
                    Fault::Disk | Fault::Other => None,
                }
            }
            E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::WorkerCrashed => {
                Some(TdbError::Away(error.to_string()))
            }
            _ => None,
        }
    }

    /// Why the schema could not be brought up to version `known`.
    pub(super) fn of_schema(error: MigrateError, known: i64) -> Self {
        match error {
            MigrateError::VersionMissing(found) => TdbError::Newer { found, known },
            MigrateError::Dirty(version) => TdbError::HalfApplied(version),
            MigrateError::Execute(error) => error.into(),
            other => TdbError::Migrate(Arc::new(other)),
        }
    }

    /// What the answer to a commit means, or that there was none. Only an answer that says so is a
    /// refusal.
    pub(super) fn of_commit(error: sqlx::Error) -> Self {
        let refused = match &error {
            sqlx::Error::Database(database) => {
                !matches!(Fault::of(&**database), Fault::Away | Fault::Disk)
            }
            _ => false,
        };
        match refused {
            true => error.into(),
            false => TdbError::CommitUnknown(error.to_string()),
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
        match &error {
            sqlx::Error::PoolClosed => TdbError::Stopped,
            other => Self::outage_of(other).unwrap_or_else(|| TdbError::Sql(Arc::new(error))),
        }
    }
}
