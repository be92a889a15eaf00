//! Ends that the gateway itself puts to a call: canceled, expired, unknown, rejected.

use super::attempt::record::{AttemptOutcome, set_outcome};
use super::audit::{self, Change};
use super::call::uuid;
use super::event::{NewEvent, store};
use super::row::{number, optional_parsed, parsed, sql_ms, to_json};
use super::{Author, Connection, Lead, Tdb, TdbError};
use iradialer_core::call::CallState;
use iradialer_core::value::{CallUuid, CampaignName, NodeId, TenantId};
use serde_json::json;

/// Why the gateway ends a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayEnd {
    /// It was asked to, and the call had not been given to a switch.
    Canceled,
    /// It was not dialled in time.
    Expired,
    /// What became of it can't be known.
    Unknown,
    /// No switch will ever take it: the message itself was refused.
    Rejected,
    /// Its number came on the do-not-call list before it was dialled.
    DoNotCall,
    /// The rules of the configuration, others than when it was accepted, do not let its number be called.
    Destination,
}

impl GatewayEnd {
    /// The state of a call that ended so.
    pub fn state(self) -> CallState {
        match self {
            GatewayEnd::Canceled => CallState::Canceled,
            GatewayEnd::Expired => CallState::Expired,
            GatewayEnd::Unknown => CallState::Unknown,
            GatewayEnd::Rejected => CallState::Failed,
            GatewayEnd::DoNotCall | GatewayEnd::Destination => CallState::Rejected,
        }
    }

    /// The name of its final event.
    pub fn event_name(self) -> &'static str {
        match self {
            GatewayEnd::Canceled => "canceled",
            GatewayEnd::Expired => "expired",
            GatewayEnd::Unknown => "unknown",
            GatewayEnd::Rejected | GatewayEnd::DoNotCall | GatewayEnd::Destination => "rejected",
        }
    }
}

/// What became of a request to end a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It was in the queue and has ended.
    Canceled,
    /// It is, or may be, with this switch, which must be asked. The wish is noted: if the switch turns
    /// out not to have it, the call ends as canceled instead of being tried again.
    Live {
        /// The switch.
        node_id: NodeId,
        /// Where the call is.
        state: CallState,
    },
    /// It has ended before.
    Ended(CallState),
    /// The tenant has no such call.
    NotFound,
}

impl CancelOutcome {
    /// Where the call is, if this is what ends it.
    fn ends_it(&self) -> Option<CallState> {
        match self {
            CancelOutcome::Canceled => Some(CallState::Canceled),
            CancelOutcome::Live { state, .. } => Some(*state),
            CancelOutcome::Ended(_) | CancelOutcome::NotFound => None,
        }
    }
}

impl Tdb {
    /// Ends a call that is in the queue, or notes the wish to end it and says which switch to ask. `author`: who
    /// wants it, for the audit log; none where a switch does.
    pub async fn request_cancel(
        &self,
        tenant: &TenantId,
        call_uuid: CallUuid,
        author: Option<Author>,
        now_ms: u64,
    ) -> Result<CancelOutcome, TdbError> {
        let tenant = tenant.clone();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let outcome = request_cancel(connection, &tenant, call_uuid, now_ms).await?;
                    if let (Some(author), Some(state)) = (author, outcome.ends_it()) {
                        let change = Change {
                            tenant_id: tenant,
                            action: "call.drop",
                            subject: call_uuid.to_string(),
                            was: None,
                            became: Some(json!({ "state": state })),
                            at_ms: now_ms,
                        };
                        audit::note(connection, &author, change).await?;
                    }
                    Ok(outcome)
                })
            })
            .await
    }

    /// Ends a call whose try `attempt` is not over, with its final event and final record. `reason` is
    /// for a person. Returns false, and does nothing, where the call has ended or gone on to another try,
    /// or `lead` is over.
    pub async fn end(
        &self,
        lead: Lead,
        call_uuid: CallUuid,
        attempt: u32,
        end: GatewayEnd,
        reason: impl Into<String>,
        now_ms: u64,
    ) -> Result<bool, TdbError> {
        let reason = reason.into();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    if !lead.holds(connection).await? {
                        return Ok(false);
                    }
                    let from = [
                        CallState::Queued,
                        CallState::Assigned,
                        CallState::Dialing,
                        CallState::Ringing,
                        CallState::Answered,
                    ];
                    end_from(
                        connection,
                        call_uuid,
                        Some(attempt),
                        &from,
                        end,
                        &reason,
                        now_ms,
                    )
                    .await
                })
            })
            .await
    }

    /// Ends queued calls that are past their expiry, up to `limit`; returns which.
    pub async fn expire_due(&self, now_ms: u64, limit: u32) -> Result<Vec<CallUuid>, TdbError> {
        self.writer
            .write(move |connection| Box::pin(expire_due(connection, now_ms, limit)))
            .await
    }
}

/// What is queued of one campaign; each half of it is an index of its own.
pub(super) const QUEUED_OF_CAMPAIGN: &str = "
    SELECT call_uuid FROM calls
    WHERE state = 'queued' AND attempt = 1 AND tenant_id = $1 AND campaign_name = $2
    UNION ALL
    SELECT call_uuid FROM calls
    WHERE state = 'queued' AND attempt > 1 AND tenant_id = $1 AND campaign_name = $2
    LIMIT $3";
/// The same of a tenant.
pub(super) const QUEUED_OF_TENANT: &str = "
    SELECT call_uuid FROM calls WHERE state = 'queued' AND attempt = 1 AND tenant_id = $1
    UNION ALL
    SELECT call_uuid FROM calls WHERE state = 'queued' AND attempt > 1 AND tenant_id = $1
    LIMIT $2";

impl Tdb {
    /// Whether any call of the campaign is queued.
    pub async fn has_queued(
        &self,
        tenant: &TenantId,
        campaign: &CampaignName,
    ) -> Result<bool, TdbError> {
        let row = sqlx::query(QUEUED_OF_CAMPAIGN)
            .bind(tenant.as_str())
            .bind(campaign.as_str())
            .bind(1i64)
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.is_some())
    }

    /// Ends queued calls of the tenant, or of one of its campaigns, as canceled: `limit` of them at the most.
    /// Returns how many; where somebody asked for it the audit log has it, too.
    pub async fn cancel_queued(
        &self,
        tenant: &TenantId,
        campaign: Option<&CampaignName>,
        limit: u32,
        author: Option<Author>,
        now_ms: u64,
    ) -> Result<u64, TdbError> {
        let (tenant, campaign) = (tenant.clone(), campaign.cloned());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let campaign = campaign.as_ref();
                    let calls = cancel_queued(connection, &tenant, campaign, limit, now_ms).await?;
                    if let Some(author) = author.filter(|_| calls > 0) {
                        let change = Change {
                            tenant_id: tenant,
                            action: "queue.empty",
                            subject: campaign.map_or_else(|| "-".to_owned(), ToString::to_string),
                            was: Some(json!({ "calls": calls })),
                            became: None,
                            at_ms: now_ms,
                        };
                        audit::note(connection, &author, change).await?;
                    }
                    Ok(calls)
                })
            })
            .await
    }
}

async fn cancel_queued(
    connection: &mut Connection,
    tenant: &TenantId,
    campaign: Option<&CampaignName>,
    limit: u32,
    now_ms: u64,
) -> Result<u64, TdbError> {
    let query = match campaign {
        Some(campaign) => sqlx::query(QUEUED_OF_CAMPAIGN)
            .bind(tenant.as_str())
            .bind(campaign.as_str()),
        None => sqlx::query(QUEUED_OF_TENANT).bind(tenant.as_str()),
    };
    let rows = query
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await?;
    let reason = "taken out of the queue by request";
    let (from, end) = ([CallState::Queued], GatewayEnd::Canceled);
    for row in &rows {
        let call_uuid = parsed(row, "call_uuid", uuid)?;
        end_from(connection, call_uuid, None, &from, end, reason, now_ms).await?;
    }
    Ok(rows.len() as u64)
}

async fn request_cancel(
    connection: &mut Connection,
    tenant: &TenantId,
    call_uuid: CallUuid,
    now_ms: u64,
) -> Result<CancelOutcome, TdbError> {
    let row = sqlx::query(
        "UPDATE calls SET cancel_requested_ms = CASE
             WHEN ended_ms IS NULL THEN COALESCE(cancel_requested_ms, $3)
             ELSE cancel_requested_ms END
         WHERE call_uuid = $1 AND tenant_id = $2
         RETURNING state, node_id",
    )
    .bind(call_uuid.to_string())
    .bind(tenant.as_str())
    .bind(sql_ms(now_ms))
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else {
        return Ok(CancelOutcome::NotFound);
    };
    let state = parsed(&row, "state", CallState::parse)?;
    let node_id = optional_parsed(&row, "node_id", |t| NodeId::parse("node_id", t).ok())?;
    match (state, node_id) {
        (state, _) if state.is_final() => Ok(CancelOutcome::Ended(state)),
        (CallState::Queued, _) | (_, None) => {
            let reason = "canceled by request before it was dialled";
            let from = [CallState::Queued, CallState::Assigned];
            let end = GatewayEnd::Canceled;
            end_from(connection, call_uuid, None, &from, end, reason, now_ms).await?;
            Ok(CancelOutcome::Canceled)
        }
        (state, Some(node_id)) => Ok(CancelOutcome::Live { node_id, state }),
    }
}

async fn expire_due(
    connection: &mut Connection,
    now_ms: u64,
    limit: u32,
) -> Result<Vec<CallUuid>, TdbError> {
    let rows = sqlx::query(
        "SELECT call_uuid FROM calls
         WHERE state = 'queued' AND expires_ms IS NOT NULL AND expires_ms <= $1
         ORDER BY expires_ms LIMIT $2",
    )
    .bind(sql_ms(now_ms))
    .bind(i64::from(limit))
    .fetch_all(&mut *connection)
    .await?;
    let mut expired = Vec::with_capacity(rows.len());
    for row in &rows {
        let call_uuid = parsed(row, "call_uuid", uuid)?;
        let from = [CallState::Queued];
        let reason = "not dialled before its expires_at";
        end_from(
            connection,
            call_uuid,
            None,
            &from,
            GatewayEnd::Expired,
            reason,
            now_ms,
        )
        .await?;
        expired.push(call_uuid);
    }
    Ok(expired)
}

/// Ends the call if it is in one of the states `from` (and at that attempt): event, then state and record.
pub(super) async fn end_from(
    connection: &mut Connection,
    call_uuid: CallUuid,
    attempt: Option<u32>,
    from: &[CallState],
    end: GatewayEnd,
    reason: &str,
    now_ms: u64,
) -> Result<bool, TdbError> {
    let row = sqlx::query(
        "SELECT state, attempt FROM calls WHERE call_uuid = $1 AND ($2 IS NULL OR attempt = $2)",
    )
    .bind(call_uuid.to_string())
    .bind(attempt.map(i64::from))
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(false) };
    if !from.contains(&parsed(&row, "state", CallState::parse)?) {
        return Ok(false);
    }
    let outcome = AttemptOutcome::GivenUp;
    let current = number(&row, "attempt")?;
    set_outcome(
        connection,
        call_uuid,
        current,
        outcome,
        Some(reason),
        now_ms,
    )
    .await?;
    let data = to_json("data", &json!({ "reason": reason }))?;
    let event = NewEvent::of_gateway(&call_uuid, end.event_name(), now_ms, &data).into_final();
    store(connection, event).await?;
    sqlx::query(
        "UPDATE calls SET state = $2, ended_ms = $3, fault = $4,
             duration_ms = CASE WHEN started_ms IS NULL THEN 0 ELSE NULL END,
             billsec_ms = CASE WHEN answered_ms IS NULL THEN 0 ELSE NULL END
         WHERE call_uuid = $1",
    )
    .bind(call_uuid.to_string())
    .bind(end.state().as_str())
    .bind(sql_ms(now_ms))
    .bind(reason)
    .execute(connection)
    .await?;
    Ok(true)
}
