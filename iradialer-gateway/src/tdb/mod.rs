//! The TDB: the truth about calls, in SQL.
//!
//! One connection writes, and everything that waits for it goes into one transaction
//! ([`writer`](self)): many calls are accepted with one flush to disk, and each answer is given only
//! after its commit. A few connections read. Queries are written to run on SQLite and PostgreSQL alike.

mod accept;
mod attempt;
mod call;
mod confirm;
mod delivery;
mod ending;
mod error;
mod event;
mod failover;
mod late;
mod lead;
mod lease;
mod open;
mod queue;
mod receiver;
mod redial;
mod row;
mod switch_call;
mod token;
mod writer;

pub use accept::{Accepted, NewCall};
pub use attempt::{Assignment, OpenAttempt, Requeued};
pub use call::{Call, CallFilter, CallRequest, FinalRecord, Origin};
pub use delivery::{Delivery, DueOrigin, Tried};
pub use ending::{CancelOutcome, GatewayEnd};
pub use error::TdbError;
pub use event::{Applied, CallEvent, OutOfOrder};
pub use failover::TrunksOf;
pub use lead::Lead;
pub use lease::Lease;
pub use open::{Adopted, Holding};
pub use queue::{LiveCounts, QueuedCall};
pub use redial::{GivenUp, OnUnknown};
pub use switch_call::SwitchCall;
pub use token::{TokenInfo, hash_token};

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, SqlSafeStr};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;
use writer::Writer;

/// The kind of database. Nothing but this file names it.
type Database = sqlx::Sqlite;
/// A connection that may write.
type Connection = sqlx::SqliteConnection;
/// A row of a result.
type Row = sqlx::sqlite::SqliteRow;

/// How many connections read.
const READERS: u32 = 4;
/// How long to wait for another process that writes (the `token` command beside `serve`).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The TDB. Cheap to clone.
#[derive(Clone)]
pub struct Tdb {
    writer: Writer,
    readers: SqlitePool,
}

impl Tdb {
    /// Opens the database file, creates it where there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// Where the file can't be opened or written, or its schema is of a newer version.
    pub async fn open(path: &Path) -> Result<Self, TdbError> {
        make_private(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: a commit is on the disk before it is answered. NORMAL would lose the last
            // accepted calls in a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let mut connection = options.clone().connect().await?;
        let migrator = migrator();
        let known = migrator.iter().map(|migration| migration.version).max();
        let migrated = migrator.run(&mut connection).await;
        migrated.map_err(|error| TdbError::of_schema(error, known.unwrap_or(0)))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await?;
        Ok(Tdb {
            writer: Writer::start(connection),
            readers,
        })
    }

    /// Commits what is waiting, then closes every connection. Later calls fail with [`TdbError::Stopped`].
    pub async fn close(&self) {
        // The writer last: the last connection to go folds the write-ahead log into the file, and one
        // that only reads can't.
        self.readers.close().await;
        self.writer.stop().await;
    }

    /// Whether the database can be read and written.
    pub async fn check(&self) -> Result<(), TdbError> {
        self.writer
            .write(|connection| {
                Box::pin(async move {
                    sqlx::query("SELECT 1").execute(connection).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// There are telephone numbers in it. SQLite gives its other files the mode of this one.
fn make_private(path: &Path) -> Result<(), TdbError> {
    let made = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path);
    made.map(drop)
        .map_err(|error| TdbError::from(sqlx::Error::Io(error)))
}

fn migrator() -> Migrator {
    let migrations = [
        ("calls", include_str!("../../migrations/0001_calls.sql")),
        (
            "attempts",
            include_str!("../../migrations/0002_attempts.sql"),
        ),
    ];
    let migration = |(version, (name, sql)): (i64, (&'static str, &'static str))| {
        let kind = MigrationType::Simple;
        Migration::new(version, name.into(), kind, sql.into_sql_str(), false)
    };
    Migrator::with_migrations((1..).zip(migrations).map(migration).collect())
}

#[cfg(test)]
pub(crate) mod test_support;
#[cfg(test)]
mod tests;
