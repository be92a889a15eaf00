//! The do-not-call list: numbers that the calls of a campaign, or of all a tenant's, may not be placed to.

pub(super) mod list;

pub use list::{DncEntry, DncFilter, DncSource, NewDnc};

use super::call::{Call, uuid};
use super::row::{get, number, optional_parsed, sql_ms};
use super::{Connection, Row, Tdb, TdbError};
use iradialer_core::flow::DncScope;
use iradialer_core::value::{CallUuid, CampaignName, DialNumber, TenantId};
use serde_json::{Value, json};

/// Why a number may not be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoNotCall {
    /// Whether for all campaigns of the tenant, or for this one.
    pub scope: DncScope,
    /// Why it is on the list: `opted_out` by the step `dnc`, else what whoever put it there says.
    pub reason: String,
    /// When, ms since the Unix epoch.
    pub added_ms: u64,
    /// The call it was in.
    pub call_uuid: Option<CallUuid>,
}

impl Tdb {
    /// Whether the campaign may not call the number, and why; without one, whether the tenant may not.
    pub async fn do_not_call(
        &self,
        tenant: &TenantId,
        campaign: Option<&CampaignName>,
        number: &DialNumber,
    ) -> Result<Option<DoNotCall>, TdbError> {
        let campaign = campaign.map_or("", CampaignName::as_str);
        self.listed(tenant, campaign, number.as_str()).await
    }

    /// The same of an accepted call.
    pub async fn do_not_call_of(&self, call: &Call) -> Result<Option<DoNotCall>, TdbError> {
        self.listed(&call.tenant_id, &call.campaign_name, &call.to_number)
            .await
    }

    async fn listed(
        &self,
        tenant: &TenantId,
        campaign: &str,
        number: &str,
    ) -> Result<Option<DoNotCall>, TdbError> {
        // The tenant's own entry comes first.
        let row = sqlx::query(
            "SELECT campaign_name AS dnc_campaign, reason, added_ms, call_uuid FROM do_not_call
             WHERE tenant_id = $1 AND number = $2 AND campaign_name IN ('', $3)
             ORDER BY campaign_name LIMIT 1",
        )
        .bind(tenant.as_str())
        .bind(digits(number))
        .bind(campaign)
        .fetch_optional(&self.readers)
        .await?;
        row.map(|row| DoNotCall::from_row(&row)).transpose()
    }
}

impl DoNotCall {
    fn from_row(row: &Row) -> Result<Self, TdbError> {
        Ok(DoNotCall {
            scope: match get::<String>(row, "dnc_campaign")?.is_empty() {
                true => DncScope::Tenant,
                false => DncScope::Campaign,
            },
            reason: get(row, "reason")?,
            added_ms: number(row, "added_ms")?,
            call_uuid: optional_parsed(row, "call_uuid", uuid)?,
        })
    }

    /// For the explanation of a call.
    pub fn facts(&self) -> Value {
        json!({
            "scope": self.scope,
            "reason": self.reason,
            "listed_ms": self.added_ms,
            "listed_in_call": self.call_uuid,
        })
    }
}

/// Why a call that is queued at that try may not be placed. `None` too where it is not queued at it.
pub(super) async fn of_queued(
    connection: &mut Connection,
    call_uuid: CallUuid,
    attempt: u32,
) -> Result<Option<DoNotCall>, TdbError> {
    let row = sqlx::query(
        "SELECT dnc.campaign_name AS dnc_campaign, dnc.reason, dnc.added_ms, dnc.call_uuid
         FROM calls JOIN do_not_call AS dnc
           ON dnc.tenant_id = calls.tenant_id AND dnc.number = LTRIM(calls.to_number, '+')
          AND dnc.campaign_name IN ('', calls.campaign_name)
         WHERE calls.call_uuid = $1 AND calls.attempt = $2 AND calls.state = 'queued'
         ORDER BY dnc.campaign_name LIMIT 1",
    )
    .bind(call_uuid.to_string())
    .bind(i64::from(attempt))
    .fetch_optional(connection)
    .await?;
    row.map(|row| DoNotCall::from_row(&row)).transpose()
}

/// The person of a call wants no more of them. Said twice, the first time counts.
pub(super) async fn opt_out(
    connection: &mut Connection,
    call_uuid: CallUuid,
    number: &str,
    scope: DncScope,
    at_ms: u64,
) -> Result<(), TdbError> {
    let number = digits(number);
    if number.is_empty() {
        tracing::warn!(%call_uuid, "somebody opted out whose number is not known");
        return Ok(());
    }
    let row = sqlx::query("SELECT tenant_id, campaign_name FROM calls WHERE call_uuid = $1")
        .bind(call_uuid.to_string())
        .fetch_one(&mut *connection)
        .await?;
    let campaign: String = match scope {
        DncScope::Tenant => String::new(),
        // A call that was begun at a switch has none: then it holds for all.
        DncScope::Campaign => get(&row, "campaign_name")?,
    };
    sqlx::query(
        "INSERT INTO do_not_call (tenant_id, number, campaign_name, reason, source, added_ms, call_uuid)
         VALUES ($1, $2, $3, 'opted_out', 'flow', $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(get::<String>(&row, "tenant_id")?)
    .bind(number)
    .bind(campaign)
    .bind(sql_ms(at_ms))
    .bind(call_uuid.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// A number is the same with and without its `+`.
fn digits(number: &str) -> &str {
    number.trim_start_matches('+')
}
