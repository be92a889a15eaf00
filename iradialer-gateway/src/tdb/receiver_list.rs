//! The receivers of a tenant's webhooks: what waits for each, what it took, what was given up.

use super::row::{get, number, optional_number, sql_ms};
use super::{Connection, Row, Tdb, TdbError, Tried, Verdict};
use iradialer_core::value::TenantId;
use std::collections::BTreeMap;

/// How a receiver's webhooks are. Times are ms since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverFigures {
    /// `scheme://host:port`.
    pub origin: String,
    /// How many are to be delivered yet.
    pub waiting: u64,
    /// How many of those were tried and failed.
    pub in_retry: u64,
    /// How many are dead letters.
    pub given_up: u64,
    /// How many it has ever taken.
    pub delivered: u64,
    /// When the event happened that waits longest.
    pub oldest_ms: Option<u64>,
    /// Since when it gets one at a time, because it fails.
    pub breaker_open_ms: Option<u64>,
}

/// Each receiver of a tenant after the origin $2, with its figures.
pub(super) const FIGURES: &str = "
    SELECT origin, delivered, breaker_open_ms,
        (SELECT COUNT(*) FROM webhooks
         WHERE state = 'due' AND webhooks.receiver = webhook_receivers.receiver) AS waiting,
        (SELECT COUNT(*) FROM webhooks
         WHERE state = 'due' AND webhooks.receiver = webhook_receivers.receiver AND tries > 0) AS in_retry,
        (SELECT MIN(created_ms) FROM webhooks
         WHERE state = 'due' AND webhooks.receiver = webhook_receivers.receiver) AS oldest_ms,
        (SELECT COUNT(*) FROM webhooks
         WHERE state = 'dead' AND webhooks.receiver = webhook_receivers.receiver) AS given_up
    FROM webhook_receivers WHERE tenant_id = $1 AND origin > $2 ORDER BY origin LIMIT $3";

/// Deletes what was done before $1, at most $2 of it.
const FORGET: [&str; 2] = [
    "DELETE FROM webhook_tries WHERE (call_uuid, seq) IN
         (SELECT call_uuid, seq FROM webhooks WHERE done_ms < $1
          ORDER BY done_ms, call_uuid, seq LIMIT $2)",
    "DELETE FROM webhooks WHERE (call_uuid, seq) IN
         (SELECT call_uuid, seq FROM webhooks WHERE done_ms < $1
          ORDER BY done_ms, call_uuid, seq LIMIT $2)",
];
/// Forgets receivers that were not tried since $1 and have nothing left, at most $2 of them.
const FORGET_RECEIVERS: &str = "
    DELETE FROM webhook_receivers WHERE receiver IN
        (SELECT receiver FROM webhook_receivers AS old WHERE tried_ms < $1
           AND NOT EXISTS (SELECT 1 FROM webhooks
                           WHERE state = 'due' AND webhooks.receiver = old.receiver)
           AND NOT EXISTS (SELECT 1 FROM webhooks
                           WHERE state = 'dead' AND webhooks.receiver = old.receiver)
         LIMIT $2)";

impl Tdb {
    /// The tenant's receivers after that origin, in the order of their names, with their figures.
    pub async fn receivers(
        &self,
        tenant: &TenantId,
        after_origin: &str,
        limit: u32,
    ) -> Result<Vec<ReceiverFigures>, TdbError> {
        let rows = sqlx::query(FIGURES)
            .bind(tenant.as_str())
            .bind(after_origin)
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(ReceiverFigures::from_row).collect()
    }

    /// Notes that a receiver gets one at a time from now on, or as many as any again.
    pub async fn note_breaker(
        &self,
        receiver: String,
        open_since_ms: Option<u64>,
    ) -> Result<(), TdbError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query(
                        "UPDATE webhook_receivers SET breaker_open_ms = $2 WHERE receiver = $1",
                    )
                    .bind(receiver)
                    .bind(open_since_ms.map(sql_ms))
                    .execute(connection)
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// No receiver's breaker is open: what a dispatcher that starts knows.
    pub async fn close_breakers(&self) -> Result<(), TdbError> {
        self.writer
            .write(|connection| {
                Box::pin(async move {
                    sqlx::query(
                        "UPDATE webhook_receivers SET breaker_open_ms = NULL
                         WHERE breaker_open_ms IS NOT NULL",
                    )
                    .execute(connection)
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Deletes deliveries that were done before that time, ms since the Unix epoch, with their tries, and forgets
    /// receivers that nothing is left of: at most `limit` each. Returns how many deliveries.
    pub async fn forget_deliveries(&self, before_ms: u64, limit: u32) -> Result<u64, TdbError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let mut forgotten = 0;
                    for sql in FORGET.into_iter().chain([FORGET_RECEIVERS]) {
                        let done = sqlx::query(sql)
                            .bind(sql_ms(before_ms))
                            .bind(i64::from(limit))
                            .execute(&mut *connection)
                            .await?;
                        if sql == FORGET[1] {
                            forgotten = done.rows_affected();
                        }
                    }
                    Ok(forgotten)
                })
            })
            .await
    }
}

/// Counts tries at their receivers.
pub(super) async fn count(
    connection: &mut Connection,
    tries: &[Tried],
    now_ms: u64,
) -> Result<(), TdbError> {
    let mut taken: BTreeMap<(&TenantId, &str), i64> = BTreeMap::new();
    for tried in tries {
        let receiver = (&tried.tenant_id, tried.origin.as_str());
        *taken.entry(receiver).or_default() += i64::from(tried.verdict == Verdict::Delivered);
    }
    for ((tenant_id, origin), taken) in taken {
        sqlx::query(
            "INSERT INTO webhook_receivers (receiver, tenant_id, origin, delivered, tried_ms)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (receiver) DO UPDATE SET
                 delivered = webhook_receivers.delivered + excluded.delivered,
                 tried_ms = excluded.tried_ms",
        )
        .bind(format!("{tenant_id} {origin}"))
        .bind(tenant_id.as_str())
        .bind(origin)
        .bind(taken)
        .bind(sql_ms(now_ms))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

impl ReceiverFigures {
    fn from_row(row: &Row) -> Result<Self, TdbError> {
        Ok(ReceiverFigures {
            origin: get(row, "origin")?,
            waiting: number(row, "waiting")?,
            in_retry: number(row, "in_retry")?,
            given_up: number(row, "given_up")?,
            delivered: number(row, "delivered")?,
            oldest_ms: optional_number(row, "oldest_ms")?,
            breaker_open_ms: optional_number(row, "breaker_open_ms")?,
        })
    }
}
