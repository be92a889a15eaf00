//! The one connection that writes. Whatever waits for it goes into one transaction: under load, many
//! writes share one flush to disk. Each write runs below a savepoint, so one that fails takes nothing of
//! the others with it, and each is answered only after the commit.

use super::kind::Target;
use super::link::Link;
use super::{Connection, TdbError};
use futures::FutureExt;
use futures::future::BoxFuture;
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
    /// Starts the task that owns `connection`, and makes another to `target` should it break.
    pub(super) fn start(target: Target, connection: Connection) -> Self {
        let (requests, waiting) = mpsc::channel(MAX_WAITING);
        tokio::spawn(run(Link::new(target, connection), waiting));
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
pub(super) trait Job: Send {
    /// Runs it. Its error is its own, and is returned only to be looked at.
    fn run<'c>(&'c mut self, connection: &'c mut Connection)
    -> BoxFuture<'c, Result<(), TdbError>>;
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
    fn run<'c>(
        &'c mut self,
        connection: &'c mut Connection,
    ) -> BoxFuture<'c, Result<(), TdbError>> {
        Box::pin(async move {
            let Some(work) = self.work.take() else {
                return Err(TdbError::Stopped);
            };
            // A panic is that write's fault alone; the task must outlive it.
            let result = AssertUnwindSafe(async { work(connection).await })
                .catch_unwind()
                .await
                .unwrap_or(Err(TdbError::Stopped));
            let done = result.as_ref().map(|_| ()).map_err(TdbError::clone);
            self.result = Some(result);
            done
        })
    }

    fn answer(self: Box<Self>, commit: Result<(), TdbError>) {
        let own = self.result.unwrap_or(Err(TdbError::Stopped));
        // Whoever asked may have gone; the write is done all the same.
        let _ = self.answer.send(commit.and(own));
    }
}

async fn run(mut link: Link, mut waiting: mpsc::Receiver<Request>) {
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
            let commit = link.transaction(&mut jobs).await;
            for job in jobs {
                job.answer(commit.clone());
            }
        }
        if !stops.is_empty() {
            waiting.close();
            link.close().await;
            for done in stops {
                let _ = done.send(());
            }
            return;
        }
    }
}
