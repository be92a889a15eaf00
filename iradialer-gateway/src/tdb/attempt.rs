//! The tries at a call: given to a switch, confirmed, taken back.

pub(super) mod record;

use super::call::uuid;
use super::do_not_call::of_queued;
use super::ending::{GatewayEnd, end_from};
use super::explain::note;
use super::row::{get, json, number, optional_number, parsed, sql_ms};
use super::trunk::{forget_probe, may_probe, note_probe};
use super::{Connection, Lead, Row, Tdb, TdbError};
use iradialer_core::call::CallState;
use iradialer_core::value::{CallUuid, CampaignName, NodeId, TenantId, TrunkName};
use record::{AttemptOutcome, set_outcome};

/// A try at a call given to one life of one switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The call.
    pub call_uuid: CallUuid,
    /// Which try, as picked.
    pub attempt: u32,
    /// The try's fresh UUID.
    pub attempt_id: CallUuid,
    /// The trunk to dial through.
    pub trunk: TrunkName,
    /// The switch.
    pub node_id: NodeId,
    /// The life of its module.
    pub incarnation: CallUuid,
    /// The journal it is believed to have.
    pub journal_id: CallUuid,
    /// The router's lease epoch.
    pub epoch: u64,
    /// The switch must not dial after this, ms since the Unix epoch.
    pub not_after_ms: u64,
    /// The router's decision, a JSON object: what was considered, and why this was chosen.
    pub why: serde_json::Value,
    /// Whether it is the one call that the trunk's breaker lets through to see if the carrier is back.
    /// Told at the assignment only.
    pub probe: bool,
}

/// A try that a switch has or may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAttempt {
    /// What was assigned.
    pub assignment: Assignment,
    /// Whose call it is.
    pub tenant_id: TenantId,
    /// Its campaign.
    pub campaign_name: CampaignName,
    /// Where it is: `assigned` to `answered`.
    pub state: CallState,
    /// When it was assigned, ms since the Unix epoch.
    pub assigned_ms: u64,
    /// Whether its cancellation was asked for.
    pub cancel_requested: bool,
}

/// What became of an assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assigned {
    /// The call is the switch's, and that is on the disk.
    Yes,
    /// Someone else moved the call, its time or our lease is over (this process may have stood still since it
    /// picked the call), or it was to be the probe of a trunk that another call probes already.
    No,
    /// Its number is on the do-not-call list: it has ended.
    DoNotCall,
}

impl Assigned {
    /// Whether the dial command may be sent.
    pub fn is_yes(self) -> bool {
        self == Assigned::Yes
    }
}

/// What became of a try that was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requeued {
    /// The call is in the queue again, under this attempt number.
    Queued(u32),
    /// Its cancellation had been asked for: it has ended as canceled.
    Canceled,
    /// It was no longer at that try, or had been dialled: nothing was done.
    Stale,
}

impl Tdb {
    /// `queued → assigned`, if the call is still queued at that attempt, may be dialled now, and the
    /// lease of `region` is still the one of the assignment's epoch and not given up. A call whose number is on
    /// the do-not-call list ends instead.
    pub async fn assign(
        &self,
        region: &str,
        assignment: Assignment,
        now_ms: u64,
    ) -> Result<Assigned, TdbError> {
        let region = region.to_owned();
        self.writer
            .write(move |connection| {
                Box::pin(async move { assign(connection, &region, &assignment, now_ms).await })
            })
            .await
    }

    /// Ends a call that is queued at that attempt, as its number may not be called, unless the lease of `region` is
    /// over. `facts` say why. Returns whether it did.
    pub async fn refuse_destination(
        &self,
        region: &str,
        assignment: Assignment,
        facts: serde_json::Value,
        now_ms: u64,
    ) -> Result<bool, TdbError> {
        let (region, end) = (region.to_owned(), GatewayEnd::Destination);
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    end_instead(connection, &region, &assignment, end, &facts, now_ms).await
                })
            })
            .await
    }

    /// `assigned → dialing`: the switch has accepted the try. Returns whether the call's cancellation has
    /// been asked for meanwhile, in which case the switch must be told.
    pub async fn mark_dialing(&self, call_uuid: CallUuid, attempt: u32) -> Result<bool, TdbError> {
        self.writer
            .write(move |connection| Box::pin(mark_dialing(connection, call_uuid, attempt)))
            .await
    }

    /// Takes back a try that was refused or fenced, and so was never dialled: the call is queued again
    /// under the next attempt number, not to be dialled before `not_before_ms`. A switch may have said
    /// that it is at it and refuse it then; one of which an event has come was dialled, whatever is said
    /// of it later. Stale, too, where `lead` is over. `reason` is for a person.
    pub async fn requeue(
        &self,
        lead: Lead,
        call_uuid: CallUuid,
        attempt: u32,
        reason: impl Into<String>,
        not_before_ms: u64,
        now_ms: u64,
    ) -> Result<Requeued, TdbError> {
        let reason = reason.into();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    if !lead.holds(connection).await? {
                        return Ok(Requeued::Stale);
                    }
                    requeue(
                        connection,
                        call_uuid,
                        attempt,
                        &reason,
                        not_before_ms,
                        now_ms,
                    )
                    .await
                })
            })
            .await
    }

    /// The tries a switch has or may have, or those of every switch.
    pub async fn open_attempts(&self, node: Option<&NodeId>) -> Result<Vec<OpenAttempt>, TdbError> {
        let rows = sqlx::query(
            // A try of before the attempts were kept has no row among them.
            "SELECT calls.*, COALESCE(attempts.not_after_ms, calls.assigned_ms) AS not_after_ms,
                 COALESCE(attempts.why, '{}') AS why
             FROM calls LEFT JOIN attempts ON attempts.attempt_id = calls.attempt_id
             WHERE calls.state IN ('assigned', 'dialing', 'ringing', 'answered')
               AND calls.origin = 'api' AND ($1 IS NULL OR calls.node_id = $1)
             ORDER BY calls.assigned_ms, calls.call_uuid",
        )
        .bind(node.map(NodeId::as_str))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(OpenAttempt::from_row).collect()
    }
}

impl OpenAttempt {
    fn from_row(row: &Row) -> Result<Self, TdbError> {
        Ok(OpenAttempt {
            assignment: Assignment {
                call_uuid: parsed(row, "call_uuid", uuid)?,
                attempt: number(row, "attempt")?,
                attempt_id: parsed(row, "attempt_id", uuid)?,
                trunk: parsed(row, "trunk", |t| TrunkName::parse("trunk", t).ok())?,
                node_id: parsed(row, "node_id", |t| NodeId::parse("node_id", t).ok())?,
                incarnation: parsed(row, "incarnation", uuid)?,
                journal_id: parsed(row, "journal_id", uuid)?,
                epoch: number(row, "epoch")?,
                not_after_ms: number(row, "not_after_ms")?,
                why: json(row, "why")?,
                probe: false,
            },
            tenant_id: parsed(row, "tenant_id", |t| TenantId::parse("tenant_id", t).ok())?,
            campaign_name: parsed(row, "campaign_name", |t| {
                CampaignName::parse("campaign_name", t).ok()
            })?,
            state: parsed(row, "state", CallState::parse)?,
            assigned_ms: number(row, "assigned_ms")?,
            cancel_requested: optional_number::<u64>(row, "cancel_requested_ms")?.is_some(),
        })
    }
}

async fn assign(
    connection: &mut Connection,
    region: &str,
    assignment: &Assignment,
    now_ms: u64,
) -> Result<Assigned, TdbError> {
    let trunk = &assignment.trunk;
    if assignment.probe && !may_probe(connection, trunk, now_ms).await? {
        return Ok(Assigned::No);
    }
    let (call, attempt) = (assignment.call_uuid, assignment.attempt);
    if let Some(listed) = of_queued(connection, call, attempt).await? {
        let (end, facts) = (GatewayEnd::DoNotCall, listed.facts());
        let ended = end_instead(connection, region, assignment, end, &facts, now_ms).await?;
        return Ok(match ended {
            true => Assigned::DoNotCall,
            false => Assigned::No,
        });
    }
    let updated = sqlx::query(
        "UPDATE calls SET state = 'assigned', attempt_id = $3, trunk = $4, node_id = $5,
             incarnation = $6, journal_id = $7, epoch = $8, assigned_ms = $9
         WHERE call_uuid = $1 AND attempt = $2 AND state = 'queued'
           AND (calls.expires_ms IS NULL OR calls.expires_ms > $9)
           AND EXISTS (SELECT 1 FROM router_leases
                       WHERE region = $10 AND router_leases.epoch = $8
                         AND router_leases.expires_ms > 0)",
    )
    .bind(assignment.call_uuid.to_string())
    .bind(i64::from(assignment.attempt))
    .bind(assignment.attempt_id.to_string())
    .bind(assignment.trunk.as_str())
    .bind(assignment.node_id.as_str())
    .bind(assignment.incarnation.to_string())
    .bind(assignment.journal_id.to_string())
    .bind(sql_ms(assignment.epoch))
    .bind(sql_ms(now_ms))
    .bind(region)
    .execute(&mut *connection)
    .await?;
    if updated.rows_affected() == 0 {
        return Ok(Assigned::No);
    }
    record::insert(connection, assignment, now_ms).await?;
    if assignment.probe {
        note_probe(connection, trunk, now_ms).await?;
    }
    Ok(Assigned::Yes)
}

/// Ends a queued call that may not be placed, if our lease is not over, and notes why. Returns whether it did.
async fn end_instead(
    connection: &mut Connection,
    region: &str,
    assignment: &Assignment,
    end: GatewayEnd,
    facts: &serde_json::Value,
    now_ms: u64,
) -> Result<bool, TdbError> {
    let leads = sqlx::query(
        "SELECT epoch FROM router_leases WHERE region = $1 AND epoch = $2 AND expires_ms > 0",
    )
    .bind(region)
    .bind(sql_ms(assignment.epoch))
    .fetch_optional(&mut *connection)
    .await?;
    if leads.is_none() {
        return Ok(false);
    }
    let (call, attempt) = (assignment.call_uuid, assignment.attempt);
    let (what, reason) = match end {
        GatewayEnd::DoNotCall => ("do_not_call", "the number is on the do-not-call list"),
        _ => ("destination_refused", "the number may not be called"),
    };
    let from = [CallState::Queued];
    let ended = end_from(connection, call, Some(attempt), &from, end, reason, now_ms).await?;
    if ended {
        note(connection, call, attempt, what, facts, now_ms).await?;
    }
    Ok(ended)
}

async fn mark_dialing(
    connection: &mut Connection,
    call_uuid: CallUuid,
    attempt: u32,
) -> Result<bool, TdbError> {
    // The call's own events may have been faster than the switch's answer.
    let row = sqlx::query(
        "UPDATE calls SET state = CASE WHEN state = 'assigned' THEN 'dialing' ELSE state END
         WHERE call_uuid = $1 AND attempt = $2
         RETURNING state, cancel_requested_ms",
    )
    .bind(call_uuid.to_string())
    .bind(i64::from(attempt))
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(false) };
    let live = !parsed(&row, "state", CallState::parse)?.is_final();
    Ok(live && get::<Option<i64>>(&row, "cancel_requested_ms")?.is_some())
}

async fn requeue(
    connection: &mut Connection,
    call_uuid: CallUuid,
    attempt: u32,
    reason: &str,
    not_before_ms: u64,
    now_ms: u64,
) -> Result<Requeued, TdbError> {
    let row = sqlx::query(
        "UPDATE calls SET state = 'queued', attempt = attempt + 1, attempt_id = NULL, trunk = NULL,
             node_id = NULL, incarnation = NULL, journal_id = NULL, epoch = NULL, assigned_ms = NULL,
             retry_ms = $3,
             not_before_ms = CASE WHEN not_before_ms > $3 THEN not_before_ms ELSE $3 END
         WHERE call_uuid = $1 AND attempt = $2
           AND state IN ('assigned', 'dialing') AND started_ms IS NULL
         RETURNING attempt, cancel_requested_ms",
    )
    .bind(call_uuid.to_string())
    .bind(i64::from(attempt))
    .bind(sql_ms(not_before_ms))
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else {
        return Ok(Requeued::Stale);
    };
    let outcome = AttemptOutcome::NotDialled;
    let tried = set_outcome(
        connection,
        call_uuid,
        attempt,
        outcome,
        Some(reason),
        now_ms,
    )
    .await?;
    if let Some((trunk, assigned_ms)) = tried {
        forget_probe(connection, &trunk, assigned_ms, now_ms).await?;
    }
    if get::<Option<i64>>(&row, "cancel_requested_ms")?.is_none() {
        return Ok(Requeued::Queued(number(&row, "attempt")?));
    }
    let from = [CallState::Queued];
    let reason = "canceled by request before it was dialled";
    end_from(
        connection,
        call_uuid,
        None,
        &from,
        GatewayEnd::Canceled,
        reason,
        now_ms,
    )
    .await?;
    Ok(Requeued::Canceled)
}
