//! The one connection that writes. Whatever waits for it goes into one transaction: under load, many
//! writes share one flush to disk. Each write runs below a savepoint of its own, so one that fails takes
//! nothing of the others with it, and each is answered only after the commit.

use super::{Connection, TdbError};
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::Connection as _;
use std::panic::AssertUnwindSafe;
use tokio::sync::{mpsc, oneshot};

/// The most writes of one transaction.
const MAX_BATCH: usize = 256;
/// How many writes may wait before callers wait to hand theirs over.
const MAX_WAITING: usize = 4_096;

/// The handle to the writing task. Cheap to clone.
#[derive(Clone)]
pub(super) struct Writer {
    requests: mpsc::Sender<Request>,
}

enum Request {
    Write(Box<dyn Job>),
    Stop(oneshot::Sender<()>),
}

impl Writer {
    /// Starts the task that owns `connection`.
    pub(super) fn start(connection: Connection) -> Self {
        let (requests, waiting) = mpsc::channel(MAX_WAITING);
        tokio::spawn(run(connection, waiting));
        Writer { requests }
    }

    /// Runs `work` in the next transaction and returns its result once that is committed.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, TdbError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, TdbError>>
            + Send
            + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Pending {
            work: Some(work),
            result: None,
            answer,
        });
        self.requests
            .send(Request::Write(job))
            .await
            .map_err(|_| TdbError::Stopped)?;
        answered.await.map_err(|_| TdbError::Stopped)?
    }

    /// Commits what is waiting and closes the connection.
    pub(super) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.requests.send(Request::Stop(done)).await.is_ok() {
            let _ = stopped.await;
        }
    }
}

/// A write, with its types hidden.
trait Job: Send {
    /// Runs it; whether it succeeded.
    fn run<'c>(&'c mut self, connection: &'c mut Connection) -> BoxFuture<'c, bool>;
    /// Answers: with its own result, or with why the transaction failed.
    fn answer(self: Box<Self>, commit: Result<(), TdbError>);
}

struct Pending<T, F> {
    work: Option<F>,
    result: Option<Result<T, TdbError>>,
    answer: oneshot::Sender<Result<T, TdbError>>,
}

impl<T, F> Job for Pending<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, TdbError>> + Send + 'static,
{
    fn run<'c>(&'c mut self, connection: &'c mut Connection) -> BoxFuture<'c, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take() else {
                return false;
            };
            // A panic is that write's fault alone; the task must outlive it.
            let result = AssertUnwindSafe(async { work(connection).await })
                .catch_unwind()
                .await
                .unwrap_or(Err(TdbError::Stopped));
            let succeeded = result.is_ok();
            self.result = Some(result);
            succeeded
        })
    }

    fn answer(self: Box<Self>, commit: Result<(), TdbError>) {
        let own = self.result.unwrap_or(Err(TdbError::Stopped));
        // Whoever asked may have gone; the write is done all the same.
        let _ = self.answer.send(commit.and(own));
    }
}

async fn run(mut connection: Connection, mut waiting: mpsc::Receiver<Request>) {
    let mut requests = Vec::with_capacity(MAX_BATCH);
    loop {
        requests.clear();
        if waiting.recv_many(&mut requests, MAX_BATCH).await == 0 {
            break;
        }
        let mut jobs = Vec::with_capacity(requests.len());
        let mut stops = Vec::new();
        for request in requests.drain(..) {
            match request {
                Request::Write(job) => jobs.push(job),
                Request::Stop(done) => stops.push(done),
            }
        }
        if !jobs.is_empty() {
            let commit = transaction(&mut connection, &mut jobs).await;
            for job in jobs {
                job.answer(commit.clone());
            }
        }
        if !stops.is_empty() {
            waiting.close();
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "the database did not close cleanly");
            }
            for done in stops {
                let _ = done.send(());
            }
            return;
        }
    }
}

async fn transaction(
    connection: &mut Connection,
    jobs: &mut [Box<dyn Job>],
) -> Result<(), TdbError> {
    // IMMEDIATE takes the write lock at once: a transaction that began as a reader could be refused it later.
    execute(connection, "BEGIN IMMEDIATE").await?;
    let ran = run_jobs(connection, jobs).await;
    let ended = match ran {
        Ok(()) => {
            iradialer_core::failpoint::hit("tdb.commit.before");
            let committed = execute(connection, "COMMIT").await;
            iradialer_core::failpoint::hit("tdb.commit.after");
            committed
        }
        Err(error) => Err(error),
    };
    if let Err(error) = &ended {
        tracing::error!(%error, writes = jobs.len(), "a transaction failed");
        // Fails where the database has rolled back by itself.
        let _ = execute(connection, "ROLLBACK").await;
    }
    ended
}

async fn run_jobs(connection: &mut Connection, jobs: &mut [Box<dyn Job>]) -> Result<(), TdbError> {
    for job in jobs {
        execute(connection, "SAVEPOINT job").await?;
        if !job.run(connection).await {
            execute(connection, "ROLLBACK TO SAVEPOINT job").await?;
        }
        execute(connection, "RELEASE SAVEPOINT job").await?;
    }
    Ok(())
}

async fn execute(connection: &mut Connection, sql: &'static str) -> Result<(), TdbError> {
    sqlx::query(sql).execute(connection).await?;
    Ok(())
}
