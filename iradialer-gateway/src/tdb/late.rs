//! What a switch says of a call after the gateway has ended it: kept, though the call has its one end.

use super::{CallEvent, Tdb, TdbError};
use iradialer_core::value::CallUuid;

impl Tdb {
    /// The last event of the call's last try, where it came after the call had ended as `unknown`: how it
    /// ended in truth.
    pub async fn late_end(&self, call_uuid: CallUuid) -> Result<Option<CallEvent>, TdbError> {
        let row = sqlx::query(
            "SELECT late.* FROM call_events AS late
             JOIN calls ON calls.call_uuid = late.call_uuid AND calls.attempt = late.attempt
             JOIN call_events AS ending ON ending.call_uuid = late.call_uuid AND ending.is_final = 1
             WHERE late.call_uuid = $1 AND late.name = 'hangup' AND late.seq > ending.seq
             ORDER BY late.seq DESC LIMIT 1",
        )
        .bind(call_uuid.to_string())
        .fetch_optional(&self.readers)
        .await?;
        row.map(|row| CallEvent::from_row(&row)).transpose()
    }
}
