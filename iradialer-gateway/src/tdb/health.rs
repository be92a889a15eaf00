//! What an operator wants to know of the TDB as a whole.

use super::kind::Kind;
use super::row::{number, sql_ms};
use super::{Tdb, TdbError};

/// Calls that could have been dialled before $1.
const OVERDUE: &str = "
    SELECT COUNT(*) AS calls FROM
        (SELECT 1 FROM calls WHERE state = 'queued' AND not_before_ms < $1 LIMIT 1000) AS overdue";
/// Webhooks that were given up since $1.
const GIVEN_UP: &str = "
    SELECT COUNT(*) AS webhooks FROM
        (SELECT 1 FROM webhooks WHERE state = 'dead' AND done_ms >= $1 LIMIT 1000) AS dead";

/// Webhooks that are to be delivered yet.
const WAITING: &str = "SELECT COUNT(*) AS webhooks FROM webhooks WHERE state = 'due'";

impl Tdb {
    /// How many webhooks are to be delivered yet, of any tenant.
    pub async fn webhooks_waiting(&self) -> Result<u64, TdbError> {
        let row = sqlx::query(WAITING).fetch_one(&self.readers).await?;
        number(&row, "webhooks")
    }

    /// The time by the clock of the database server, ms since the Unix epoch; none where the database is a file
    /// of this machine.
    pub async fn clock_ms(&self) -> Result<Option<u64>, TdbError> {
        if self.kind == Kind::Sqlite {
            return Ok(None);
        }
        let sql = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now_ms";
        let row = sqlx::query(sql).fetch_one(&self.readers).await?;
        number(&row, "now_ms").map(Some)
    }

    /// How many queued calls could have been dialled before `before_ms`, ms since the Unix epoch, counted up to a
    /// thousand.
    pub async fn overdue_calls(&self, before_ms: u64) -> Result<u64, TdbError> {
        let row = sqlx::query(OVERDUE)
            .bind(sql_ms(before_ms))
            .fetch_one(&self.readers)
            .await?;
        number(&row, "calls")
    }

    /// How many webhooks were given up since `since_ms`, ms since the Unix epoch, of any tenant, counted up to
    /// a thousand.
    pub async fn given_up_since(&self, since_ms: u64) -> Result<u64, TdbError> {
        let row = sqlx::query(GIVEN_UP)
            .bind(sql_ms(since_ms))
            .fetch_one(&self.readers)
            .await?;
        number(&row, "webhooks")
    }
}
