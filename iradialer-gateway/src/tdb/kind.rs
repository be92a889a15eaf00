//! What SQLite and PostgreSQL do differently. Beside the tests, nothing else names them.

use super::{Connection, DatabaseUrl, Row, TdbError};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::error::DatabaseError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteError};
use sqlx::{AnyPool, ConnectOptions as _, Row as _};
use std::fs::OpenOptions;
use std::io::{Error as IoError, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;
use tokio::time::timeout;

/// How many connections read.
const READERS: u32 = 4;
/// How long to wait for a connection, for another process that writes, and for a connection that reads.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a transaction may take on PostgreSQL, and how long a query: longer means that the server is
/// gone without a word. A file has no such end, and what SQLite has begun can't be called back.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

/// A database and how to connect to it. It has no `Debug`: there is a password in it.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) kind: Kind,
    options: AnyConnectOptions,
    reader: AnyConnectOptions,
}

/// Of each connection to SQLite. FULL: a commit is on the disk before it is answered; NORMAL would lose
/// the last accepted calls in a power cut.
const SQLITE_SESSION: &str = "
    PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON";
const SQLITE_READER: &str = "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON";
/// Of the connection that writes to PostgreSQL. Whoever asked for more than `on` (standbys that have
/// applied it) keeps it. A process that stands still within a transaction loses it after 2 s, and with it
/// the lock that all writers share.
const POSTGRES_WRITER: &str = "
    SET application_name = 'iradialer writer';
    SET idle_in_transaction_session_timeout = '2s';
    SET lock_timeout = '5s';
    SET statement_timeout = '10s';
    SELECT 1 FROM set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')";
const POSTGRES_READER: &str = "
    SET application_name = 'iradialer reader';
    SET default_transaction_read_only = on;
    SET idle_in_transaction_session_timeout = '2s';
    SET statement_timeout = '10s'";

impl Target {
    pub(super) fn new(url: &DatabaseUrl) -> Result<Self, TdbError> {
        sqlx::any::install_default_drivers();
        match url {
            DatabaseUrl::File(path) => {
                let file = SqliteConnectOptions::new().filename(path);
                let writer = file.clone().create_if_missing(true).to_url_lossy();
                let reader = file.read_only(true).to_url_lossy();
                Ok(Target {
                    kind: Kind::Sqlite,
                    options: AnyConnectOptions::from_url(&writer)?,
                    reader: AnyConnectOptions::from_url(&reader)?,
                })
            }
            DatabaseUrl::Server(url) => {
                let options = AnyConnectOptions::from_str(url.reveal())?;
                Ok(Target {
                    kind: Kind::Postgres,
                    reader: options.clone(),
                    options,
                })
            }
        }
    }

    /// A connection as the database gives it, found to be one that can write.
    pub(super) async fn connect(&self) -> Result<Connection, TdbError> {
        if self.kind == Kind::Sqlite {
            return Ok(self.options.connect().await?);
        }
        let connected = timeout(BUSY_TIMEOUT, self.options.connect()).await;
        let mut connection = connected.map_err(|_| timed_out())??;
        let row: Row = sqlx::query(
            "SELECT current_setting('transaction_read_only') AS read_only,
                 pg_is_in_recovery() AS standby, current_setting('server_encoding') AS encoding",
        )
        .fetch_one(&mut connection)
        .await?;
        if row.try_get::<bool, _>("standby")? {
            return Err(TdbError::ReadOnly("the server is a standby".to_owned()));
        }
        if row.try_get::<String, _>("read_only")? == "on" {
            let why = "default_transaction_read_only is on for this database or user";
            return Err(TdbError::ReadOnly(why.to_owned()));
        }
        let encoding: String = row.try_get("encoding")?;
        if encoding != "UTF8" {
            return Err(TdbError::Encoding(encoding));
        }
        Ok(connection)
    }

    /// Prepares a connection for the writer.
    pub(super) async fn make_writer(&self, connection: &mut Connection) -> Result<(), TdbError> {
        let session = match self.kind {
            Kind::Sqlite => SQLITE_SESSION,
            Kind::Postgres => POSTGRES_WRITER,
        };
        sqlx::raw_sql(session).execute(connection).await?;
        Ok(())
    }

    /// The connections that read, made when they are needed.
    pub(super) fn readers(&self) -> AnyPool {
        let session = match self.kind {
            Kind::Sqlite => SQLITE_READER,
            Kind::Postgres => POSTGRES_READER,
        };
        AnyPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(BUSY_TIMEOUT)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql(session).execute(connection).await?;
                    Ok(())
                })
            })
            .connect_lazy_with(self.reader.clone())
    }
}

impl Kind {
    /// Begins a transaction that no other writer runs beside, and its first savepoint.
    ///
    /// SQLite's IMMEDIATE takes the write lock at once: a transaction that began as a reader could be
    /// refused it later. On PostgreSQL all processes of the cluster share one lock for it; the number is
    /// our own and means nothing.
    pub(super) fn begin(self) -> &'static str {
        match self {
            Kind::Sqlite => "BEGIN IMMEDIATE; SAVEPOINT job",
            Kind::Postgres => {
                "BEGIN ISOLATION LEVEL READ COMMITTED;
                 SELECT 1 FROM pg_advisory_xact_lock(4973625088271616);
                 SAVEPOINT job"
            }
        }
    }

    /// Runs statements without parameters or rows.
    pub(super) async fn execute(
        self,
        connection: &mut Connection,
        sql: &'static str,
    ) -> Result<(), sqlx::Error> {
        match self {
            // Prepared once.
            Kind::Sqlite => sqlx::query(sql).execute(connection).await?,
            // Several at once, in one message.
            Kind::Postgres => sqlx::raw_sql(sql).execute(connection).await?,
        };
        Ok(())
    }

    /// How long the database may take for its answer.
    pub(super) fn answer_timeout(self) -> Duration {
        match self {
            Kind::Sqlite => Duration::MAX,
            Kind::Postgres => ANSWER_TIMEOUT,
        }
    }
}

/// What the database's code for an error means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is closing, starting, has no room for a connection, or is held by a writer that stands still.
    Away,
    /// It may not be written.
    ReadOnly,
    /// There is no room on its disk.
    Full,
    /// The file is something else.
    NotADatabase,
    /// Reading or writing failed below it.
    Disk,
    /// Whatever else; the transaction is not committed.
    Other,
}

impl Fault {
    pub(super) fn of(error: &dyn DatabaseError) -> Self {
        let Some(code) = error.code() else {
            return Fault::Other;
        };
        if error.try_downcast_ref::<SqliteError>().is_some() {
            // The low byte is the primary code.
            return match code.parse::<i32>().unwrap_or(0) & 0xff {
                5 => Fault::Away,
                8 => Fault::ReadOnly,
                10 => Fault::Disk,
                13 => Fault::Full,
                11 | 26 => Fault::NotADatabase,
                // It can't be opened: there, but not for us.
                14 => Fault::ReadOnly,
                _ => Fault::Other,
            };
        }
        match &*code {
            "25006" => Fault::ReadOnly,
            "53100" => Fault::Full,
            // Idle within a transaction for too long: the connection goes, the transaction with it.
            "25P03" | "25P04" | "53300" | "55P03" => Fault::Away,
            // Canceled by a time limit.
            "57014" => Fault::Other,
            code if code.starts_with("57P") || code.starts_with("08") => Fault::Away,
            code if code.starts_with("58") || code.starts_with("XX") => Fault::Disk,
            _ => Fault::Other,
        }
    }
}

/// There are telephone numbers in it. SQLite gives its other files the mode of this one.
pub(super) fn make_private(path: &Path) -> Result<(), TdbError> {
    let made = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(_) => Ok(()),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            Err(TdbError::ReadOnly(error.to_string()))
        }
        Err(error) => Err(TdbError::File(error.to_string())),
    }
}

/// The database did not answer in time.
pub(super) fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(IoError::new(
        ErrorKind::TimedOut,
        "it did not answer in time",
    ))
}
