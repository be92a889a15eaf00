//! The queue: the calls in state `queued`.

pub(super) mod pick;

use super::call::uuid;
use super::explain::note;
use super::row::{self, get, number, optional_number, optional_parsed, parsed, sql_ms};
use super::{CallRequest, Pin, Row, Tdb, TdbError};
use iradialer_core::value::{
    CallUuid, CallerNumber, CampaignName, DialNumber, NodeId, TenantId, TrunkName,
};
use serde_json::json;
use sqlx::AssertSqlSafe;
use std::collections::HashMap;

/// A call that may be dialled now.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuedCall {
    /// The call.
    pub call_uuid: CallUuid,
    /// Which try the next one is, from 1.
    pub attempt: u32,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its campaign.
    pub campaign_name: CampaignName,
    /// The number to dial.
    pub to_number: DialNumber,
    /// The caller's number, or empty.
    pub from_number: CallerNumber,
    /// What else was asked for.
    pub request: CallRequest,
    /// 0 to 9; a higher one is dialled first.
    pub priority: u8,
    /// When it was accepted, ms since the Unix epoch.
    pub created_ms: u64,
    /// When it is given up.
    pub expires_ms: Option<u64>,
    /// The call that waits to be connected with it, and the switch that holds that one.
    pub waited_for: Option<(CallUuid, Pin)>,
}

/// Calls that switches have or may have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveCounts {
    /// By trunk.
    pub by_trunk: HashMap<TrunkName, u32>,
    /// By tenant and campaign; calls begun at a switch have none.
    pub by_campaign: HashMap<(TenantId, CampaignName), u32>,
}

/// What a look at the queue costs at every step of every call: answered from an index.
pub(super) const NEXT_CHANGE: &str = "
    SELECT
        (SELECT MIN(not_before_ms) FROM calls
         WHERE state = 'queued' AND not_before_ms > $1) AS begins,
        (SELECT MIN(expires_ms) FROM calls
         WHERE state = 'queued' AND expires_ms IS NOT NULL) AS expires";
pub(super) const CALLS_SINCE: &str = "
    SELECT state, COUNT(*) AS calls, CAST(SUM(billsec_ms) AS BIGINT) AS billsec_ms FROM (
        SELECT state, billsec_ms FROM calls WHERE tenant_id = $1 AND created_ms >= $2
        ORDER BY created_ms DESC, call_uuid DESC LIMIT $3) AS latest
    GROUP BY state";
/// Each half of the queue has an index of its own. A CAST, as a SUM is NUMERIC to PostgreSQL.
pub(super) const COUNTS: &str = "
    SELECT tenant_id, campaign_name, CAST(SUM(queued) AS BIGINT) AS queued FROM (
        SELECT tenant_id, campaign_name, COUNT(*) AS queued FROM calls
        WHERE state = 'queued' AND attempt = 1 GROUP BY tenant_id, campaign_name
        UNION ALL
        SELECT tenant_id, campaign_name, COUNT(*) AS queued FROM calls
        WHERE state = 'queued' AND attempt > 1 GROUP BY tenant_id, campaign_name) AS halves
    GROUP BY tenant_id, campaign_name ORDER BY tenant_id, campaign_name";
pub(super) const COUNTS_OF_TENANT: &str = "
    SELECT tenant_id, campaign_name, CAST(SUM(queued) AS BIGINT) AS queued FROM (
        SELECT tenant_id, campaign_name, COUNT(*) AS queued FROM calls
        WHERE state = 'queued' AND attempt = 1 AND tenant_id = $1 GROUP BY tenant_id, campaign_name
        UNION ALL
        SELECT tenant_id, campaign_name, COUNT(*) AS queued FROM calls
        WHERE state = 'queued' AND attempt > 1 AND tenant_id = $1 GROUP BY tenant_id, campaign_name) AS halves
    GROUP BY tenant_id, campaign_name ORDER BY tenant_id, campaign_name";
pub(super) const PICK_WAITED_FOR: &str = "
    SELECT call_uuid, attempt, tenant_id, campaign_name, to_number, from_number, request, priority,
        created_ms, expires_ms, parent_uuid, pinned_node, pinned_incarnation
    FROM calls
    WHERE state = 'queued' AND parent_uuid IS NOT NULL AND tenant_id = $1 AND campaign_name = $2
      AND not_before_ms <= $3 AND (expires_ms IS NULL OR expires_ms > $3)
    ORDER BY priority DESC, not_before_ms, call_uuid LIMIT $4";
pub(super) const MEND_WAITS: &str = "
    UPDATE calls SET not_before_ms = $1, retry_ms = NULL
    WHERE state = 'queued' AND attempt > 1 AND not_before_ms = retry_ms AND not_before_ms > $2";
pub(super) const LIVE_COUNTS: &str = "
    SELECT tenant_id, campaign_name, trunk, COUNT(*) AS live FROM calls
    WHERE state IN ('assigned', 'dialing', 'ringing', 'answered')
    GROUP BY tenant_id, campaign_name, trunk";

impl Tdb {
    /// The next calls of one campaign that may be dialled now, by priority, then by since when they may be
    /// dialled; one that came back from a try keeps its age. The router asks for each campaign that has
    /// room, so none can push the others out.
    pub async fn pick(
        &self,
        tenant: &TenantId,
        campaign: &CampaignName,
        limit: u32,
        now_ms: u64,
    ) -> Result<Vec<QueuedCall>, TdbError> {
        let rows = sqlx::query(AssertSqlSafe(pick::sql(limit)))
            .bind(tenant.as_str())
            .bind(campaign.as_str())
            .bind(sql_ms(now_ms))
            .fetch_all(&self.readers)
            .await?;
        let first = rows.iter().take(limit as usize);
        first.map(QueuedCall::from_row).collect()
    }

    /// The same, but only those that a call that is up waits to be connected with.
    pub async fn pick_waited_for(
        &self,
        tenant: &TenantId,
        campaign: &CampaignName,
        limit: u32,
        now_ms: u64,
    ) -> Result<Vec<QueuedCall>, TdbError> {
        let rows = sqlx::query(PICK_WAITED_FOR)
            .bind(tenant.as_str())
            .bind(campaign.as_str())
            .bind(sql_ms(now_ms))
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(QueuedCall::from_row).collect()
    }

    /// Puts calls off that are still queued: none is dialled before the time that goes with it. `why` is
    /// kept with each, for its explanation.
    pub async fn postpone(
        &self,
        calls: Vec<(CallUuid, u64)>,
        why: &'static str,
        now_ms: u64,
    ) -> Result<(), TdbError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    for (call_uuid, not_before_ms) in calls {
                        let row = sqlx::query(
                            "UPDATE calls SET not_before_ms = $2
                             WHERE call_uuid = $1 AND state = 'queued' AND not_before_ms < $2
                             RETURNING attempt",
                        )
                        .bind(call_uuid.to_string())
                        .bind(sql_ms(not_before_ms))
                        .fetch_optional(&mut *connection)
                        .await?;
                        let Some(row) = row else { continue };
                        let attempt = number(&row, "attempt")?;
                        let data = json!({"reason": why, "until_ms": not_before_ms});
                        note(connection, call_uuid, attempt, "put_off", &data, now_ms).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Makes calls due that came back from a try and would wait for longer than `longest_ms`, which none is
    /// ever made to: the clock that their wait was written by was ahead. Those that were put off, or asked
    /// for later, wait on. Returns how many it were.
    pub async fn mend_waits(&self, longest_ms: u64, now_ms: u64) -> Result<u64, TdbError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let mended = sqlx::query(MEND_WAITS)
                        .bind(sql_ms(now_ms))
                        .bind(sql_ms(now_ms.saturating_add(longest_ms)))
                        .execute(connection)
                        .await?;
                    Ok(mended.rows_affected())
                })
            })
            .await
    }

    /// When the queue next changes by itself: the nearest `not_before` or `expires_at` after `now_ms`
    /// (or an expiry that is already due).
    pub async fn next_queue_change(&self, now_ms: u64) -> Result<Option<u64>, TdbError> {
        let row = sqlx::query(NEXT_CHANGE)
            .bind(sql_ms(now_ms))
            .fetch_one(&self.readers)
            .await?;
        let times = [
            optional_number::<u64>(&row, "begins")?,
            optional_number::<u64>(&row, "expires")?,
        ];
        Ok(times.into_iter().flatten().min())
    }

    /// How many calls are queued, counted up to `at_most`.
    pub async fn queue_length(&self, at_most: u64) -> Result<u64, TdbError> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS length
             FROM (SELECT 1 FROM calls WHERE state = 'queued' LIMIT $1) AS queued",
        )
        .bind(sql_ms(at_most))
        .fetch_one(&self.readers)
        .await?;
        number(&row, "length")
    }

    /// The tenant's calls accepted since that time, the last of them, at most `limit`: by state, how many, and how
    /// long they were up, ms.
    pub async fn calls_since(
        &self,
        tenant: &TenantId,
        since_ms: u64,
        limit: u32,
    ) -> Result<Vec<(String, u64, u64)>, TdbError> {
        let rows = sqlx::query(CALLS_SINCE)
            .bind(tenant.as_str())
            .bind(sql_ms(since_ms))
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                let billsec_ms = optional_number(row, "billsec_ms")?;
                Ok((
                    get(row, "state")?,
                    number(row, "calls")?,
                    billsec_ms.unwrap_or(0),
                ))
            })
            .collect()
    }

    /// How many calls are queued by campaign, of the tenant or all.
    pub async fn queue_counts(
        &self,
        tenant: Option<&TenantId>,
    ) -> Result<Vec<(TenantId, String, u64)>, TdbError> {
        let query = match tenant {
            Some(tenant) => sqlx::query(COUNTS_OF_TENANT).bind(tenant.as_str().to_owned()),
            None => sqlx::query(COUNTS),
        };
        let rows = query.fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| {
                let tenant = parsed(row, "tenant_id", |t| TenantId::parse("tenant_id", t).ok())?;
                Ok((tenant, get(row, "campaign_name")?, number(row, "queued")?))
            })
            .collect()
    }

    /// The calls that switches have or may have, by trunk and by campaign.
    pub async fn live_counts(&self) -> Result<LiveCounts, TdbError> {
        let rows = sqlx::query(LIVE_COUNTS).fetch_all(&self.readers).await?;
        let mut counts = LiveCounts::default();
        for row in &rows {
            let live: u32 = number(row, "live")?;
            let trunk = optional_parsed(row, "trunk", |t| TrunkName::parse("trunk", t).ok())?;
            if let Some(trunk) = trunk {
                *counts.by_trunk.entry(trunk).or_default() += live;
            }
            let tenant = parsed(row, "tenant_id", |t| TenantId::parse("tenant_id", t).ok())?;
            let campaign: String = get(row, "campaign_name")?;
            if let Ok(campaign) = CampaignName::parse("campaign_name", &campaign) {
                *counts.by_campaign.entry((tenant, campaign)).or_default() += live;
            }
        }
        Ok(counts)
    }
}

impl QueuedCall {
    fn from_row(row: &Row) -> Result<Self, TdbError> {
        Ok(QueuedCall {
            call_uuid: parsed(row, "call_uuid", uuid)?,
            attempt: number(row, "attempt")?,
            tenant_id: parsed(row, "tenant_id", |t| TenantId::parse("tenant_id", t).ok())?,
            campaign_name: parsed(row, "campaign_name", |t| {
                CampaignName::parse("campaign_name", t).ok()
            })?,
            to_number: parsed(row, "to_number", |t| DialNumber::parse("to_number", t).ok())?,
            from_number: parsed(row, "from_number", |t| {
                CallerNumber::parse("from_number", t).ok()
            })?,
            request: row::json(row, "request")?,
            priority: number(row, "priority")?,
            created_ms: number(row, "created_ms")?,
            expires_ms: optional_number(row, "expires_ms")?,
            waited_for: waited_for(row)?,
        })
    }
}

fn waited_for(row: &Row) -> Result<Option<(CallUuid, Pin)>, TdbError> {
    let Some(parent) = optional_parsed(row, "parent_uuid", uuid)? else {
        return Ok(None);
    };
    let pin = Pin {
        node_id: parsed(row, "pinned_node", |t| NodeId::parse("node_id", t).ok())?,
        incarnation: parsed(row, "pinned_incarnation", uuid)?,
    };
    Ok(Some((parent, pin)))
}
