//! A tenant's calls, page by page. Each combination of filters has an index of its own, read from the page's place
//! on: what is not shown is not read, however many calls there are.

use super::call::Call;
use super::row::sql_ms;
use super::{Tdb, TdbError};
use iradialer_core::call::CallState;
use iradialer_core::value::{CallUuid, TenantId};
use sqlx::AssertSqlSafe;

/// Which calls to list: newest first.
#[derive(Debug, Clone, Default)]
pub struct CallFilter {
    /// Only in this state.
    pub state: Option<CallState>,
    /// Only of this campaign.
    pub campaign_name: Option<String>,
    /// Only created at or after this time.
    pub from_ms: Option<u64>,
    /// Only after this one in the list: its creation time and UUID.
    pub after: Option<(u64, CallUuid)>,
    /// The most to return.
    pub limit: u32,
}

/// The page's part of the tenant's list.
const PAGE: &str = "
    tenant_id = $1 AND created_ms >= $2 AND (created_ms, call_uuid) < ($3, $4)";
const ORDER: &str = "ORDER BY created_ms DESC, call_uuid DESC LIMIT $5";

/// The query for what a filter asks for: $1 to $5 as in the page, $6 the campaign, or without one the state.
pub(super) fn listing(filter: &CallFilter) -> String {
    match (&filter.campaign_name, filter.state) {
        (None, None) => format!("SELECT * FROM calls WHERE {PAGE} {ORDER}"),
        (None, Some(_)) => of_parts(&[part("state = $6")]),
        // A campaign's calls are in the index by state: each state's part of the page is read, and the first of
        // them taken.
        (Some(_), state) => {
            let of_state = |state: &CallState| {
                part(&format!(
                    "campaign_name = $6 AND state = '{}'",
                    state.as_str()
                ))
            };
            let states = state
                .as_ref()
                .map_or(&CallState::ALL[..], std::slice::from_ref);
            of_parts(&states.iter().map(of_state).collect::<Vec<_>>())
        }
    }
}

/// A part of a page. It asks for nothing that is not in the index that is meant: SQLite, which has no figures of its
/// tables, would as soon take another one and look at each call.
fn part(also: &str) -> String {
    format!("SELECT created_ms, call_uuid FROM calls WHERE {PAGE} AND {also} {ORDER}")
}

fn of_parts(parts: &[String]) -> String {
    let named = parts.iter().enumerate();
    let named = named.map(|(number, part)| format!("SELECT * FROM ({part}) AS part_{number}"));
    let parts = named.collect::<Vec<_>>().join(" UNION ALL ");
    format!(
        "WITH page AS (SELECT created_ms, call_uuid FROM ({parts}) AS parts {ORDER})
         SELECT calls.* FROM page JOIN calls ON calls.call_uuid = page.call_uuid
         ORDER BY page.created_ms DESC, page.call_uuid DESC"
    )
}

impl Tdb {
    /// The tenant's calls that fit, newest first.
    pub async fn calls(
        &self,
        tenant: &TenantId,
        filter: &CallFilter,
    ) -> Result<Vec<Call>, TdbError> {
        let (after_ms, after_uuid) = match filter.after {
            Some((ms, uuid)) => (sql_ms(ms), uuid.to_string()),
            None => (i64::MAX, String::new()),
        };
        let mut query = sqlx::query(AssertSqlSafe(listing(filter)))
            .bind(tenant.as_str())
            .bind(sql_ms(filter.from_ms.unwrap_or(0)))
            .bind(after_ms)
            .bind(after_uuid)
            .bind(i64::from(filter.limit));
        match (&filter.campaign_name, filter.state) {
            (Some(campaign), _) => query = query.bind(campaign.as_str()),
            (None, Some(state)) => query = query.bind(state.as_str()),
            (None, None) => {}
        }
        let rows = query.fetch_all(&self.readers).await?;
        rows.iter().map(Call::from_row).collect()
    }
}
