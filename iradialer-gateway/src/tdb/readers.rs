//! The connections that read. They are made when they are needed and again after they break, and a
//! server that does not answer holds nobody for ever.

use super::kind::{Target, timed_out};
use super::outage::Outage;
use super::{Connection, Database, Row, TdbError};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use sqlx::any::{AnyQueryResult, AnyStatement, AnyTypeInfo};
use sqlx::pool::PoolConnection;
use sqlx::{Either, Execute, Executor, Pool, SqlStr};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The connections that read. Cheap to clone; a reference to it runs a query as a reference to a pool
/// does.
#[derive(Clone)]
pub(super) struct Readers {
    pool: Pool<Database>,
    answer_timeout: Duration,
    outage: Arc<Outage>,
}

impl Readers {
    pub(super) fn new(target: &Target) -> Self {
        Readers {
            pool: target.readers(),
            answer_timeout: target.kind.answer_timeout(),
            outage: Arc::new(Outage::of("read")),
        }
    }

    /// Reads in `work`, all of it on one connection.
    pub(super) async fn read<T>(
        &self,
        work: impl AsyncFnOnce(&mut Connection) -> Result<T, TdbError>,
    ) -> Result<T, TdbError> {
        let mut connection = self.acquire().await?;
        match timeout(self.answer_timeout, work(&mut connection)).await {
            Ok(result) => result,
            Err(_) => Err(self.give_up(connection).into()),
        }
    }

    /// Closes every connection.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    async fn acquire(&self) -> Result<PoolConnection<Database>, sqlx::Error> {
        let acquired = self.pool.acquire().await;
        if acquired.is_err() {
            self.note(&acquired);
        }
        acquired
    }

    /// Notes in the log when the database can't be read, and when it can be again.
    fn note<T>(&self, result: &Result<T, sqlx::Error>) {
        match result {
            Ok(_) => self.outage.is_over(),
            Err(error) => {
                if let Some(error) = TdbError::outage_of(error) {
                    self.outage.began(&error);
                }
            }
        }
    }

    /// Drops a connection that does not answer.
    fn give_up(&self, connection: PoolConnection<Database>) -> sqlx::Error {
        drop(connection.detach());
        let error = timed_out();
        self.note(&Err::<(), _>(timed_out()));
        error
    }

    async fn fetch<'q, E>(self, query: E) -> Result<Vec<Either<AnyQueryResult, Row>>, sqlx::Error>
    where
        E: Execute<'q, Database> + 'q,
    {
        let mut connection = self.acquire().await?;
        let rows = (&mut *connection).fetch_many(query).try_collect();
        match timeout(self.answer_timeout, rows).await {
            Ok(result) => {
                self.note(&result);
                result
            }
            Err(_) => Err(self.give_up(connection)),
        }
    }
}

impl<'c> Executor<'c> for &'c Readers {
    type Database = Database;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<AnyQueryResult, Row>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Database>,
    {
        // What is asked for is bounded; so it may as well come at once.
        let all = stream::once(self.clone().fetch(query));
        all.map_ok(|rows| stream::iter(rows.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<Row>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Database>,
    {
        let readers = self.clone();
        async move {
            let all = readers.fetch(query).await?;
            Ok(all.into_iter().find_map(Either::right))
        }
        .boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [AnyTypeInfo],
    ) -> BoxFuture<'e, Result<AnyStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        self.pool.prepare_with(sql, parameters)
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readers")
    }
}
