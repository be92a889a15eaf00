//! What a switch may forget: the attempts whose every event is in the TDB.

use super::row::{get, sql_ms};
use super::{Tdb, TdbError};
use iradialer_core::value::CallUuid;
use iradialer_core::wire::EndedAttempt;

impl Tdb {
    /// The `attempt_id`s of those attempts whose events 1 to `last_seq` are all committed. One that the
    /// call has gone through under another UUID is not among them: its events may be the other's.
    pub async fn stored_attempts(
        &self,
        attempts: &[EndedAttempt],
    ) -> Result<Vec<CallUuid>, TdbError> {
        let mut stored = Vec::with_capacity(attempts.len());
        for attempt in attempts {
            if self.is_wholly_stored(attempt).await? {
                stored.push(attempt.attempt_id);
            }
        }
        Ok(stored)
    }

    async fn is_wholly_stored(&self, attempt: &EndedAttempt) -> Result<bool, TdbError> {
        // The place in the attempt is unique, so that as many as there are numbers is all of them.
        let row = sqlx::query(
            "SELECT COUNT(*) AS stored FROM call_events
             JOIN calls ON calls.call_uuid = call_events.call_uuid
             WHERE call_events.call_uuid = $1 AND call_events.attempt = $2
               AND call_events.attempt_seq BETWEEN 1 AND $3
               AND (calls.attempt <> $2 OR calls.attempt_id = $4)",
        )
        .bind(attempt.call_uuid.to_string())
        .bind(i64::from(attempt.attempt))
        .bind(i64::from(attempt.last_seq))
        .bind(attempt.attempt_id.to_string())
        .fetch_one(&self.readers)
        .await?;
        let stored: i64 = get(&row, "stored")?;
        Ok(attempt.last_seq > 0 && stored == sql_ms(u64::from(attempt.last_seq)))
    }
}
