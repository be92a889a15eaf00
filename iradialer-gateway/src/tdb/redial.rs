//! Where nobody can say what became of a call: it ends, or is dialled once more if its request asked for
//! that.

use super::attempt::record::{AttemptOutcome, set_outcome};
use super::ending::{GatewayEnd, end_from};
use super::event::{NewEvent, store};
use super::failover::{MAX_TRIES, queue_again};
use super::row::{json, optional_number, parsed, to_json};
use super::{CallRequest, Connection, Lead, Origin, Tdb, TdbError};
use iradialer_core::call::CallState;
use iradialer_core::value::CallUuid;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What a request wants done where nobody can say what became of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// It ends as `unknown`: the person is not rung twice.
    #[default]
    End,
    /// It is dialled again, unless it is known to have been answered.
    Redial,
}

impl OnUnknown {
    /// Whether it is what a request gets that does not say.
    pub fn is_end(&self) -> bool {
        *self == OnUnknown::End
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "end" => Some(OnUnknown::End),
            "redial" => Some(OnUnknown::Redial),
            _ => None,
        }
    }
}

/// What was done about a call of which nobody knows what became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUp {
    /// It has ended as `unknown`.
    Ended,
    /// It is in the queue again, as its request asked.
    Queued,
    /// It had ended before, or gone on to another try, or the lead is over.
    Stale,
}

impl Tdb {
    /// Gives up the try of a call of which nobody can say what became. `reason` is for a person.
    pub async fn give_up(
        &self,
        lead: Lead,
        call_uuid: CallUuid,
        attempt: u32,
        reason: impl Into<String>,
        now_ms: u64,
    ) -> Result<GivenUp, TdbError> {
        let reason = reason.into();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    if !lead.holds(connection).await? {
                        return Ok(GivenUp::Stale);
                    }
                    give_up(connection, call_uuid, attempt, &reason, now_ms).await
                })
            })
            .await
    }
}

async fn give_up(
    connection: &mut Connection,
    call_uuid: CallUuid,
    attempt: u32,
    reason: &str,
    now_ms: u64,
) -> Result<GivenUp, TdbError> {
    if may_redial(connection, call_uuid, attempt, now_ms).await? {
        let outcome = AttemptOutcome::GivenUp;
        set_outcome(
            connection,
            call_uuid,
            attempt,
            outcome,
            Some(reason),
            now_ms,
        )
        .await?;
        let data = to_json("data", &json!({ "reason": reason, "redialled": true }))?;
        let name = GatewayEnd::Unknown.event_name();
        store(
            connection,
            NewEvent::of_gateway(&call_uuid, name, now_ms, &data),
        )
        .await?;
        queue_again(connection, call_uuid, now_ms).await?;
        return Ok(GivenUp::Queued);
    }
    let (end, from) = (GatewayEnd::Unknown, OPEN);
    let ended = end_from(
        connection,
        call_uuid,
        Some(attempt),
        &from,
        end,
        reason,
        now_ms,
    )
    .await?;
    Ok(match ended {
        true => GivenUp::Ended,
        false => GivenUp::Stale,
    })
}

/// The states in which a switch has a call.
const OPEN: [CallState; 4] = [
    CallState::Assigned,
    CallState::Dialing,
    CallState::Ringing,
    CallState::Answered,
];

/// Whether the call is at that try, nobody has answered it as far as is known, its request asked for it
/// to be dialled again, and it is still wanted.
pub(super) async fn may_redial(
    connection: &mut Connection,
    call_uuid: CallUuid,
    attempt: u32,
    now_ms: u64,
) -> Result<bool, TdbError> {
    let row = sqlx::query(
        "SELECT state, request, expires_ms FROM calls
         WHERE call_uuid = $1 AND attempt = $2 AND origin = $3
           AND cancel_requested_ms IS NULL AND answered_ms IS NULL",
    )
    .bind(call_uuid.to_string())
    .bind(i64::from(attempt))
    .bind(Origin::Api.as_str())
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(false) };
    let state = parsed(&row, "state", CallState::parse)?;
    let request: CallRequest = json(&row, "request")?;
    let expires_ms = optional_number::<u64>(&row, "expires_ms")?;
    Ok(request.on_unknown == OnUnknown::Redial
        && OPEN.contains(&state)
        && state != CallState::Answered
        && attempt < MAX_TRIES
        && expires_ms.is_none_or(|at_ms| at_ms > now_ms))
}
