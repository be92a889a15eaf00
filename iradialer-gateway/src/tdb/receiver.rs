//! What the dispatcher asks about a receiver beside its next deliveries.

use super::row::{json, optional_number, sql_ms};
use super::{CallEvent, Connection, Tdb, TdbError};
use iradialer_core::value::CallUuid;
use serde_json::{Map, Value};

impl Tdb {
    /// What the try that `event` is of has reported with its answer, if it was answered before.
    pub async fn answer_before(
        &self,
        event: &CallEvent,
    ) -> Result<Option<Map<String, Value>>, TdbError> {
        let row = sqlx::query(
            "SELECT data FROM call_events
             WHERE call_uuid = $1 AND attempt = $2 AND name = 'answered' AND seq < $3
             ORDER BY seq DESC LIMIT 1",
        )
        .bind(event.call_uuid.to_string())
        .bind(i64::from(event.attempt))
        .bind(i64::from(event.seq))
        .fetch_optional(&self.readers)
        .await?;
        row.map(|row| json(&row, "data")).transpose()
    }

    /// When the receiver's first delivery after `now_ms` is due, whether or not earlier ones are.
    pub async fn next_due_after(
        &self,
        receiver: &str,
        now_ms: u64,
    ) -> Result<Option<u64>, TdbError> {
        let row = sqlx::query(
            "SELECT MIN(next_ms) AS next_ms FROM webhooks
             WHERE state = 'due' AND receiver = $1 AND next_ms > $2",
        )
        .bind(receiver)
        .bind(sql_ms(now_ms))
        .fetch_one(&self.readers)
        .await?;
        optional_number(&row, "next_ms")
    }

    /// Whether the receiver of the call's events has answered 410 to one of them, and nothing of the call was
    /// asked to be sent again since.
    pub async fn receiver_is_gone(&self, call_uuid: CallUuid) -> Result<bool, TdbError> {
        let row =
            sqlx::query("SELECT 1 FROM webhooks WHERE call_uuid = $1 AND is_gone = 1 LIMIT 1")
                .bind(call_uuid.to_string())
                .fetch_optional(&self.readers)
                .await?;
        Ok(row.is_some())
    }

    /// Gives up every delivery of the call that waits, because its receiver answered 410 before. Returns
    /// when the call's next is due, as [`Tdb::delivery_tried`] does: never.
    pub async fn deliveries_end(
        &self,
        call_uuid: CallUuid,
        now_ms: u64,
    ) -> Result<Option<u64>, TdbError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    is_gone_from(connection, call_uuid, now_ms).await?;
                    Ok(None)
                })
            })
            .await
    }
}

/// Gives up what waits of the call, and marks it so that what comes later is given up too.
pub(super) async fn is_gone_from(
    connection: &mut Connection,
    call_uuid: CallUuid,
    now_ms: u64,
) -> Result<(), TdbError> {
    sqlx::query(
        "UPDATE webhooks SET state = 'dead', is_gone = 1, last_status = 410,
             last_error = '410: the receiver wants no more of this call', done_ms = $2
         WHERE call_uuid = $1 AND state = 'due'",
    )
    .bind(call_uuid.to_string())
    .bind(sql_ms(now_ms))
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE webhooks SET is_gone = 1
         WHERE call_uuid = $1 AND state = 'dead' AND last_status = 410",
    )
    .bind(call_uuid.to_string())
    .execute(connection)
    .await?;
    Ok(())
}
