//! Back into the queue after a carrier's refusal: failover to another trunk, or the same one later.

use super::event::Head;
use super::row::{json, parsed, sql_ms};
use super::{CallRequest, Connection, Origin, Tdb, TdbError};
use crate::trunk::{Outcome, outcome};
use iradialer_core::call::CallState;
use iradialer_core::value::{CallUuid, CampaignName, TenantId, TrunkName};
use iradialer_core::wire::{EventBody, Hangup, SwitchEvent};
use std::sync::Arc;

/// The trunks of a campaign, as configured; none where there is no such campaign.
pub type TrunksOf = Arc<dyn Fn(&TenantId, &CampaignName) -> Vec<TrunkName> + Send + Sync>;

/// The most tries that carriers and switches may refuse of one call, so that a refusal that stays does
/// not go on for ever.
pub(super) const MAX_TRIES: u32 = 20;
/// How long a call waits that a carrier found one too many in a second, and as much again at random, so
/// that those refused together don't come back together.
const SLOW_DOWN_MS: u64 = 1_000;
/// The same where it was one too many at once: about as long as short calls last.
const ROOM_MS: u64 = 3_000;
/// The same where the switch had no room.
const NOT_PLACED_MS: u64 = 200;

impl Tdb {
    /// The trunks that could not place the call, so that it is to be tried through others.
    pub async fn refused_trunks(&self, call_uuid: CallUuid) -> Result<Vec<TrunkName>, TdbError> {
        self.readers
            .read(async |reader| refused_trunks(reader, call_uuid).await)
            .await
    }
}

/// Whether the call whose attempt ended with `event` is to be tried again, and from when on, ms since the
/// Unix epoch. `call` is as it was before the event.
pub(super) async fn try_again_from(
    connection: &mut Connection,
    call: &Head,
    event: &SwitchEvent,
    trunks_of: &TrunksOf,
    now_ms: u64,
) -> Result<Option<u64>, TdbError> {
    let EventBody::Hangup(hangup) = &event.body else {
        return Ok(None);
    };
    let rang = call.state.rank() >= CallState::Ringing.rank();
    if rang || event.attempt >= MAX_TRIES {
        return Ok(None);
    }
    let spread = |wait_ms| now_ms + wait_ms + random_part(event.attempt_id, wait_ms);
    let from_ms = match outcome(hangup) {
        Outcome::AnotherTrunk | Outcome::TrunkMisused => now_ms,
        Outcome::SlowDown => spread(SLOW_DOWN_MS),
        Outcome::WaitForRoom => spread(ROOM_MS),
        Outcome::NotPlaced => spread(NOT_PLACED_MS),
        _ => return Ok(None),
    };
    let Some(of) = Retried::read(connection, event).await? else {
        return Ok(None);
    };
    if leaves_the_trunk(hangup) {
        let mut refused = refused_trunks(connection, event.call_uuid).await?;
        refused.push(of.trunk);
        let trunks = match of.only {
            Some(only) => vec![only],
            None => trunks_of(&of.tenant_id, &of.campaign_name),
        };
        if trunks.iter().all(|trunk| refused.contains(trunk)) {
            return Ok(None);
        }
    }
    Ok(Some(from_ms))
}

/// Puts the call back into the queue under the next attempt number.
pub(super) async fn queue_again(
    connection: &mut Connection,
    call_uuid: CallUuid,
    from_ms: u64,
) -> Result<(), TdbError> {
    sqlx::query(
        "UPDATE calls SET state = 'queued', attempt = attempt + 1, attempt_id = NULL, trunk = NULL,
             node_id = NULL, incarnation = NULL, journal_id = NULL, epoch = NULL, assigned_ms = NULL,
             started_ms = NULL, ringing_ms = NULL,
             retry_ms = $2,
             not_before_ms = CASE WHEN not_before_ms > $2 THEN not_before_ms ELSE $2 END
         WHERE call_uuid = $1",
    )
    .bind(call_uuid.to_string())
    .bind(sql_ms(from_ms))
    .execute(connection)
    .await?;
    Ok(())
}

/// What a call that may be tried again must be: asked for by a request, at this very try, and still
/// wanted.
struct Retried {
    tenant_id: TenantId,
    campaign_name: CampaignName,
    trunk: TrunkName,
    /// The one trunk it may go through.
    only: Option<TrunkName>,
}

impl Retried {
    async fn read(
        connection: &mut Connection,
        event: &SwitchEvent,
    ) -> Result<Option<Self>, TdbError> {
        let row = sqlx::query(
            "SELECT tenant_id, campaign_name, trunk, request FROM calls
             WHERE call_uuid = $1 AND attempt_id = $2 AND origin = $3
               AND cancel_requested_ms IS NULL AND trunk IS NOT NULL",
        )
        .bind(event.call_uuid.to_string())
        .bind(event.attempt_id.to_string())
        .bind(Origin::Api.as_str())
        .fetch_optional(connection)
        .await?;
        row.map(|row| {
            Ok(Retried {
                tenant_id: parsed(&row, "tenant_id", |t| TenantId::parse("tenant_id", t).ok())?,
                campaign_name: parsed(&row, "campaign_name", |t| {
                    CampaignName::parse("campaign_name", t).ok()
                })?,
                trunk: parsed(&row, "trunk", |t| TrunkName::parse("trunk", t).ok())?,
                only: json::<CallRequest>(&row, "request")?.trunk,
            })
        })
        .transpose()
    }
}

/// Each try's `hangup` says how it ended, its row through which trunk it went.
async fn refused_trunks(
    connection: &mut Connection,
    call_uuid: CallUuid,
) -> Result<Vec<TrunkName>, TdbError> {
    let rows = sqlx::query(
        "SELECT attempts.trunk AS trunk, call_events.data AS data FROM call_events
         JOIN attempts ON attempts.call_uuid = call_events.call_uuid
             AND attempts.attempt = call_events.attempt
         WHERE call_events.call_uuid = $1 AND call_events.name = 'hangup'
         ORDER BY call_events.seq",
    )
    .bind(call_uuid.to_string())
    .fetch_all(connection)
    .await?;
    let mut refusing = Vec::new();
    for row in &rows {
        if leaves_the_trunk(&json::<Hangup>(row, "data")?) {
            let trunk = parsed(row, "trunk", |t| TrunkName::parse("trunk", t).ok())?;
            refusing.push(trunk);
        }
    }
    Ok(refusing)
}

/// Whether the trunk refused the call so that it must not come back to it. That the trunk is misused (its
/// credentials, say) is no fault of the call's: another one may place it.
fn leaves_the_trunk(hangup: &Hangup) -> bool {
    let outcome = outcome(hangup);
    matches!(outcome, Outcome::AnotherTrunk | Outcome::TrunkMisused)
}

/// From 0 to `most`: the attempt's UUID has random bits enough, and the same event gives the same.
fn random_part(attempt_id: CallUuid, most: u64) -> u64 {
    let text = attempt_id.to_string();
    let digits = text.get(text.len().saturating_sub(8)..).unwrap_or("");
    u64::from_str_radix(digits, 16).unwrap_or(0) % (most + 1)
}
