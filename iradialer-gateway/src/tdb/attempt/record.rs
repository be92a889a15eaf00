//! The row that stays of each try: what was decided, why, and what came of it.

use super::Assignment;
use crate::tdb::row::{number, parsed, sql_ms, to_json};
use crate::tdb::{Connection, TdbError};
use iradialer_core::value::{CallUuid, TrunkName};

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tdb) enum AttemptOutcome {
    /// It was refused or fenced, and taken back.
    NotDialled,
    /// Its last event came before it rang, and the call was queued again.
    QueuedAgain,
    /// Its last event ended the call.
    Ended,
    /// The gateway ended the call.
    GivenUp,
}

impl AttemptOutcome {
    fn as_str(self) -> &'static str {
        match self {
            AttemptOutcome::NotDialled => "not_dialled",
            AttemptOutcome::QueuedAgain => "queued_again",
            AttemptOutcome::Ended => "ended",
            AttemptOutcome::GivenUp => "given_up",
        }
    }
}

/// Writes the row of a try that is being given to a switch.
pub(super) async fn insert(
    connection: &mut Connection,
    assignment: &Assignment,
    assigned_ms: u64,
) -> Result<(), TdbError> {
    sqlx::query(
        "INSERT INTO attempts (call_uuid, attempt, attempt_id, trunk, node_id, incarnation,
             journal_id, epoch, assigned_ms, not_after_ms, why)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(assignment.call_uuid.to_string())
    .bind(i64::from(assignment.attempt))
    .bind(assignment.attempt_id.to_string())
    .bind(assignment.trunk.as_str())
    .bind(assignment.node_id.as_str())
    .bind(assignment.incarnation.to_string())
    .bind(assignment.journal_id.to_string())
    .bind(sql_ms(assignment.epoch))
    .bind(sql_ms(assigned_ms))
    .bind(sql_ms(assignment.not_after_ms))
    .bind(to_json("why", &assignment.why)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Says what came of a try, once: what is said later changes nothing. A call that was never given to a
/// switch at that try has no row, and gets none. Returns the trunk it went through and when it was
/// assigned, ms since the Unix epoch, where it is said now.
pub(in crate::tdb) async fn set_outcome(
    connection: &mut Connection,
    call_uuid: CallUuid,
    attempt: u32,
    outcome: AttemptOutcome,
    reason: Option<&str>,
    now_ms: u64,
) -> Result<Option<(TrunkName, u64)>, TdbError> {
    let row = sqlx::query(
        "UPDATE attempts SET outcome = $3, outcome_reason = $4, outcome_ms = $5
         WHERE call_uuid = $1 AND attempt = $2 AND outcome IS NULL
         RETURNING trunk, assigned_ms",
    )
    .bind(call_uuid.to_string())
    .bind(i64::from(attempt))
    .bind(outcome.as_str())
    .bind(reason)
    .bind(sql_ms(now_ms))
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        let trunk = parsed(&row, "trunk", |t| TrunkName::parse("trunk", t).ok())?;
        Ok((trunk, number(&row, "assigned_ms")?))
    })
    .transpose()
}
