//! The writer's link to the database: transactions, and what comes of it when the database goes away.

use super::kind::{Kind, Target, timed_out};
use super::outage::Outage;
use super::writer::Job;
use super::{Connection, TdbError};
use iradialer_core::failpoint;
use sqlx::Connection as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// How long to wait before the first try to connect again, and at the most.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long a rollback may take before the connection is given up.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(1);

/// The writer's connection, made anew when it breaks.
pub(super) struct Link {
    target: Target,
    connection: Option<Connection>,
    pause: Duration,
    /// Not before this is another connection tried.
    next_try: Instant,
    outage: Outage,
}

impl Link {
    pub(super) fn new(target: Target, connection: Connection) -> Self {
        Link {
            target,
            connection: Some(connection),
            pause: FIRST_PAUSE,
            next_try: Instant::now(),
            outage: Outage::of("written"),
        }
    }

    /// Runs the jobs and commits what those did that succeeded. The error is everyone's.
    pub(super) async fn transaction(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), TdbError> {
        let result = match self.connect().await {
            Ok(mut connection) => {
                let result = attempt(self.target.kind, &mut connection, jobs).await;
                self.keep(connection, &result).await;
                result
            }
            Err(error) => Err(error),
        };
        match &result {
            // One that found no room says so though the others were committed.
            Ok(done) => match &done.outage {
                Some(error) => self.outage.began(error),
                None if done.succeeded > 0 => self.outage.is_over(),
                None => {}
            },
            Err(error) => self.outage.began(error),
        }
        result.map(drop)
    }

    /// Closes the connection.
    pub(super) async fn close(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the database did not close cleanly");
        }
    }

    /// The connection, or another. Callers wait here while the database is away, so that they don't come
    /// back at once, but no longer than it takes to try once.
    async fn connect(&mut self) -> Result<Connection, TdbError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        sleep_until(self.next_try).await;
        let connected = async {
            let mut connection = self.target.connect().await?;
            self.target.make_writer(&mut connection).await?;
            Ok(connection)
        }
        .await;
        self.pause = match connected {
            Ok(_) => FIRST_PAUSE,
            Err(_) => (self.pause * 2).min(LONGEST_PAUSE),
        };
        self.next_try = Instant::now() + self.pause;
        connected
    }

    /// Keeps the connection where no transaction is left open on it.
    async fn keep(&mut self, mut connection: Connection, result: &Result<Done, TdbError>) {
        let kept = match result {
            Ok(_) => true,
            // A file that was opened while it could not be written stays so for who has it open.
            Err(TdbError::ReadOnly(_)) => false,
            Err(_) => {
                let rollback = self.target.kind.execute(&mut connection, "ROLLBACK");
                match timeout(ROLLBACK_TIMEOUT, rollback).await {
                    Ok(Ok(())) => true,
                    // SQLite may have rolled back by itself, and then knows of no transaction.
                    Ok(Err(error)) => matches!(
                        (self.target.kind, error),
                        (Kind::Sqlite, sqlx::Error::Database(_))
                    ),
                    Err(_) => false,
                }
            }
        };
        if kept {
            self.connection = Some(connection);
        }
    }
}

/// What a transaction came to.
struct Done {
    /// How many jobs succeeded.
    succeeded: usize,
    /// Why one failed, where that is the database's fault and not its own.
    outage: Option<TdbError>,
}

/// Runs a transaction within the time the database has for it.
async fn attempt(
    kind: Kind,
    connection: &mut Connection,
    jobs: &mut [Box<dyn Job>],
) -> Result<Done, TdbError> {
    let committing = AtomicBool::new(false);
    let all = run_and_commit(kind, connection, jobs, &committing);
    match timeout(kind.answer_timeout(), all).await {
        Ok(result) => result,
        Err(_) if committing.load(Ordering::Relaxed) => Err(TdbError::of_commit(timed_out())),
        Err(_) => Err(timed_out().into()),
    }
}

async fn run_and_commit(
    kind: Kind,
    connection: &mut Connection,
    jobs: &mut [Box<dyn Job>],
    committing: &AtomicBool,
) -> Result<Done, TdbError> {
    let mut done = Done {
        succeeded: 0,
        outage: None,
    };
    kind.execute(connection, kind.begin()).await?;
    let last = jobs.len().saturating_sub(1);
    for (number, job) in jobs.iter_mut().enumerate() {
        match job.run(connection).await {
            Ok(()) => {
                done.succeeded += 1;
                if number < last {
                    let next = "RELEASE SAVEPOINT job; SAVEPOINT job";
                    kind.execute(connection, next).await?;
                }
            }
            Err(error) => {
                if error.is_outage() {
                    done.outage = Some(error);
                }
                // The savepoint stays and serves the next one.
                let undone = kind.execute(connection, "ROLLBACK TO SAVEPOINT job").await;
                // SQLite, where its disk is full, has undone all by itself: that is why.
                undone.map_err(|error| done.outage.take().unwrap_or(error.into()))?;
            }
        }
    }
    failpoint::hit("tdb.commit.before");
    committing.store(true, Ordering::Relaxed);
    let committed = kind.execute(connection, "COMMIT").await;
    failpoint::hit("tdb.commit.after");
    committed.map_err(TdbError::of_commit)?;
    Ok(done)
}
