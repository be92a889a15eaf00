//! A receiver that wants nothing more of a call, and what a call's answer brought.

use super::row::{json, sql_ms};
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

    /// Gives up every delivery of the call that waits, because its receiver answered 410 before.
    pub async fn deliveries_end(&self, call_uuid: CallUuid, now_ms: u64) -> Result<(), TdbError> {
        self.writer
            .write(move |connection| Box::pin(is_gone_from(connection, call_uuid, now_ms)))
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
