//! What the TDB knows of an attempt that a switch says it holds, or has held.

use super::row::{get, number, optional_number, optional_parsed, parsed};
use super::{Connection, Tdb, TdbError};
use crate::tdb::call::uuid;
use iradialer_core::call::CallState;
use iradialer_core::value::{CallUuid, NodeId};
use iradialer_core::wire::HeldAttempt;

/// A call of which a switch holds an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Where the call is.
    pub state: CallState,
    /// The try it is at.
    pub attempt: u32,
    /// That try's UUID, where a switch has it.
    pub attempt_id: Option<CallUuid>,
    /// The switch that has that try.
    pub node_id: Option<NodeId>,
    /// Whether the gateway put an end to it, and no event of a switch.
    pub ended_by_gateway: bool,
}

/// What became of an attempt that a switch holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adopted {
    /// The call is where the switch says, or further on.
    Live {
        /// Whether its cancellation was asked for: the switch must be told.
        canceled: bool,
    },
    /// The call has ended, or is at another try.
    Stale,
}

impl Tdb {
    /// Whether that try of the call is the one under way.
    pub async fn is_open(&self, call_uuid: CallUuid, attempt: u32) -> Result<bool, TdbError> {
        let row = sqlx::query("SELECT state FROM calls WHERE call_uuid = $1 AND attempt = $2")
            .bind(call_uuid.to_string())
            .bind(i64::from(attempt))
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(false) };
        let state = parsed(&row, "state", CallState::parse)?;
        Ok(state != CallState::Queued && !state.is_final())
    }

    /// The call of an attempt that a switch holds; none where it is known to the switch alone.
    pub async fn holding(&self, call_uuid: CallUuid) -> Result<Option<Holding>, TdbError> {
        let row = sqlx::query(
            "SELECT state, attempt, attempt_id, node_id, ended_ms, ended_by
             FROM calls WHERE call_uuid = $1",
        )
        .bind(call_uuid.to_string())
        .fetch_optional(&self.readers)
        .await?;
        row.map(|row| {
            let ended_by: Option<String> = get(&row, "ended_by")?;
            let ended_ms = optional_number::<u64>(&row, "ended_ms")?;
            Ok(Holding {
                state: parsed(&row, "state", CallState::parse)?,
                attempt: number(&row, "attempt")?,
                attempt_id: optional_parsed(&row, "attempt_id", uuid)?,
                node_id: optional_parsed(&row, "node_id", |t| NodeId::parse("node_id", t).ok())?,
                ended_by_gateway: ended_ms.is_some() && ended_by.is_none(),
            })
        })
        .transpose()
    }

    /// Moves a call forward to where a switch that holds it says it is. The events that say so may be on
    /// their way; times are left to them.
    pub async fn adopt(&self, held: HeldAttempt) -> Result<Adopted, TdbError> {
        self.writer
            .write(move |connection| Box::pin(async move { adopt(connection, &held).await }))
            .await
    }
}

async fn adopt(connection: &mut Connection, held: &HeldAttempt) -> Result<Adopted, TdbError> {
    let row = sqlx::query(
        "SELECT state, cancel_requested_ms FROM calls
         WHERE call_uuid = $1 AND attempt = $2 AND attempt_id = $3",
    )
    .bind(held.call_uuid.to_string())
    .bind(i64::from(held.attempt))
    .bind(held.attempt_id.to_string())
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else {
        return Ok(Adopted::Stale);
    };
    let state = parsed(&row, "state", CallState::parse)?;
    if state.is_final() || state == CallState::Queued {
        return Ok(Adopted::Stale);
    }
    // A switch holds no attempt that is over: it can't end the call.
    if state.may_become(held.state) && !held.state.is_final() {
        sqlx::query("UPDATE calls SET state = $2 WHERE call_uuid = $1")
            .bind(held.call_uuid.to_string())
            .bind(held.state.as_str())
            .execute(connection)
            .await?;
    }
    let canceled = optional_number::<u64>(&row, "cancel_requested_ms")?.is_some();
    Ok(Adopted::Live { canceled })
}
