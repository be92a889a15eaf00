//! The TDB: the truth about calls, in SQL.
//!
//! One connection writes, and everything that waits for it goes into one transaction
//! ([`writer`](self)): many calls are accepted with one flush to disk, and each answer is given only
//! after its commit. A few connections read. Queries are written to run on SQLite and PostgreSQL alike:
//! TEXT and BIGINT columns, `$1` for parameters, a CAST where PostgreSQL would answer NUMERIC (a SUM).

mod accept;
mod address;
mod attempt;
mod audit;
mod call;
mod call_listing;
mod catalogue;
mod confirm;
mod dead_letter;
mod delivery;
mod delivery_log;
mod do_not_call;
mod ending;
mod error;
mod event;
mod explain;
mod failover;
mod flow;
mod health;
mod kind;
mod late;
mod lead;
mod lease;
mod license;
mod license_lease;
mod link;
mod open;
mod outage;
mod queue;
mod readers;
mod receiver;
mod receiver_list;
mod redial;
mod row;
mod schema;
mod stream;
mod switch_call;
mod token;
mod transfer;
mod tried;
mod trunk;
mod writer;

pub use accept::{Accepted, NewCall};
pub use address::DatabaseUrl;
pub use attempt::{Assigned, Assignment, OpenAttempt, Requeued};
pub use audit::{AuditEntry, AuditFilter, Author, Change, Via};
pub use call::{Call, CallRequest, FinalRecord, Origin};
pub use call_listing::CallFilter;
pub use catalogue::{CatalogueChange, Changed};
pub use dead_letter::{DeadLetter, DeadLetterFilter, Place, Redeliver, Replay, Replayed};
pub use delivery::{CallFacts, Delivery, DueReceiver};
pub use delivery_log::{DeliveryState, Noted, Try};
pub use do_not_call::{DncEntry, DncFilter, DncSource, DoNotCall, NewDnc};
pub use ending::{CancelOutcome, GatewayEnd};
pub use error::TdbError;
pub use event::{Applied, CallEvent, OutOfOrder};
pub use explain::{AttemptRecord, Decision, HeardNode, SwitchView};
pub use failover::TrunksOf;
pub use flow::{FlowDocument, StoredFlow};
pub use lead::Lead;
pub use lease::Lease;
pub use license::{Installed, InstalledLicense, LicenseState, NewLicense};
pub use license_lease::{HeldLease, Leased};
pub use open::{Adopted, Holding};
pub use queue::{LiveCounts, QueuedCall};
pub use receiver_list::ReceiverFigures;
pub use redial::{GivenUp, OnUnknown};
pub use schema::SchemaStep;
pub use stream::Streamed;
pub use switch_call::SwitchCall;
pub use token::{TokenInfo, TokenSpec, check_token_name, hash_token};
pub use transfer::{NewTransfer, Pin, Placed};
pub use tried::{Tried, Verdict};
pub use trunk::{Start, TrunkNews};

use kind::{Kind, Target};
use readers::Readers;
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use writer::Writer;

/// How the driver is used: for whichever database the URL names.
type Database = sqlx::Any;
/// A connection, of the writer or of a reader.
type Connection = sqlx::AnyConnection;
/// A row of a result.
type Row = sqlx::any::AnyRow;

/// How long a server may be away, or a disk full, when a gateway starts: the server may well start
/// together with it.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How often it is tried meanwhile.
const START_PAUSE: Duration = Duration::from_millis(500);

/// The TDB. Cheap to clone.
#[derive(Clone)]
pub struct Tdb {
    kind: Kind,
    writer: Writer,
    readers: Readers,
}

/// What a gateway that starts has to know first: where the database is away for a moment that is waited for, as for
/// its opening.
///
/// # Errors
/// Those of `read`.
pub async fn at_start<T>(read: impl AsyncFnMut() -> Result<T, TdbError>) -> Result<T, TdbError> {
    within(START_PATIENCE, read).await
}

async fn within<T>(
    patience: Duration,
    mut work: impl AsyncFnMut() -> Result<T, TdbError>,
) -> Result<T, TdbError> {
    let deadline = Instant::now() + patience;
    let mut waits = false;
    loop {
        match work().await {
            Err(error) if error.may_pass() && Instant::now() < deadline => {
                if !waits {
                    tracing::warn!(%error, "the database can't be used yet, waiting for it");
                }
                waits = true;
                sleep(START_PAUSE).await;
            }
            other => return other,
        }
    }
}

impl Tdb {
    /// Opens the database, creates its file where there is none, and brings its schema up to date. A
    /// server that can't be reached and a disk without room are waited for, 30 s at the most.
    ///
    /// # Errors
    /// Where it can't be opened or written, or its schema is of a newer version.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, TdbError> {
        Self::open_within(url, START_PATIENCE).await
    }

    /// The same without waiting for anything.
    ///
    /// # Errors
    /// As [`Tdb::open`].
    pub async fn open_at_once(url: &DatabaseUrl) -> Result<Self, TdbError> {
        Self::open_within(url, Duration::ZERO).await
    }

    /// The same, with another patience.
    async fn open_within(url: &DatabaseUrl, patience: Duration) -> Result<Self, TdbError> {
        within(patience, async || Self::try_open(url).await).await
    }

    async fn try_open(url: &DatabaseUrl) -> Result<Self, TdbError> {
        if let DatabaseUrl::File(path) = url {
            kind::make_private(path)?;
        }
        let target = Target::new(url)?;
        let mut connection = target.connect().await?;
        if target.kind == Kind::Sqlite {
            target.make_writer(&mut connection).await?;
        }
        let migrator = migrator();
        let known = migrator.iter().map(|migration| migration.version).max();
        // Two gateways that start together take turns: the migrator holds a lock of its own.
        let migrated = migrator.run(&mut connection).await;
        migrated.map_err(|error| TdbError::of_schema(error, known.unwrap_or(0)))?;
        // Only now, since a migration may take longer than a write.
        target.make_writer(&mut connection).await?;
        let tdb = Tdb {
            kind: target.kind,
            readers: Readers::new(&target),
            writer: Writer::start(target, connection),
        };
        match tdb.check().await {
            Ok(()) => Ok(tdb),
            Err(error) => {
                tdb.close().await;
                Err(error)
            }
        }
    }

    /// Commits what is waiting, then closes every connection. Later calls fail with [`TdbError::Stopped`].
    pub async fn close(&self) {
        // The writer last: the last connection to go folds the write-ahead log into the file, and one
        // that only reads can't.
        self.readers.close().await;
        self.writer.stop().await;
    }

    /// Whether the database can be read and written: writes something, and leaves nothing.
    pub async fn check(&self) -> Result<(), TdbError> {
        sqlx::query("SELECT 1").execute(&self.readers).await?;
        self.writer
            .write(|connection| {
                Box::pin(async move {
                    // A transaction without a change would not reach the disk.
                    sqlx::query(
                        "INSERT INTO router_leases (region, holder, epoch, expires_ms)
                         VALUES ('', '', 0, 0) ON CONFLICT (region) DO NOTHING",
                    )
                    .execute(&mut *connection)
                    .await?;
                    sqlx::query("DELETE FROM router_leases WHERE region = ''")
                        .execute(connection)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Runs what forgets things of before $1 (ms since the Unix epoch), at most $2 of them. Returns how many
    /// it forgot.
    async fn forget(&self, sql: &'static str, before: u64, limit: u32) -> Result<u64, TdbError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let forgotten = sqlx::query(sql)
                        .bind(row::sql_ms(before))
                        .bind(i64::from(limit))
                        .execute(connection)
                        .await?;
                    Ok(forgotten.rows_affected())
                })
            })
            .await
    }
}

fn migrator() -> Migrator {
    let migrations = [
        (1, "calls", include_str!("../../migrations/0001_calls.sql")),
        (
            2,
            "attempts",
            include_str!("../../migrations/0002_attempts.sql"),
        ),
        (3, "pick", include_str!("../../migrations/0003_pick.sql")),
        (
            4,
            "decisions",
            include_str!("../../migrations/0004_decisions.sql"),
        ),
        (5, "retry", include_str!("../../migrations/0005_retry.sql")),
        (6, "flows", include_str!("../../migrations/0006_flows.sql")),
        (
            7,
            "transfers",
            include_str!("../../migrations/0007_transfers.sql"),
        ),
        (
            8,
            "tokens",
            include_str!("../../migrations/0008_tokens.sql"),
        ),
        (
            9,
            "webhooks",
            include_str!("../../migrations/0009_webhooks.sql"),
        ),
        (10, "dnc", include_str!("../../migrations/0010_dnc.sql")),
        (11, "audit", include_str!("../../migrations/0011_audit.sql")),
        (
            12,
            "licenses",
            include_str!("../../migrations/0012_licenses.sql"),
        ),
        (
            13,
            "catalogue",
            include_str!("../../migrations/0013_catalogue.sql"),
        ),
        (
            14,
            "stream",
            include_str!("../../migrations/0014_stream.sql"),
        ),
        (
            15,
            "asked_by",
            include_str!("../../migrations/0015_asked_by.sql"),
        ),
        (
            16,
            "listings",
            include_str!("../../migrations/0016_listings.sql"),
        ),
        (
            17,
            "leases",
            include_str!("../../migrations/0017_leases.sql"),
        ),
        (
            18,
            "key hours",
            include_str!("../../migrations/0018_key_hours.sql"),
        ),
    ];
    let migration = |(version, name, sql): (i64, &'static str, &'static str)| {
        let kind = MigrationType::Simple;
        Migration::new(version, name.into(), kind, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(migrations.into_iter().map(migration).collect())
}

#[cfg(test)]
pub(crate) mod test_support;
#[cfg(test)]
mod tests;
