//! `GET /api/audit`: who changed what.

use super::auth::Caller;
use super::error::ApiError;
use super::query::{in_query, limit, query_fields};
use super::{WebState, timestamp};
use crate::tdb::{AuditEntry, AuditFilter};
use axum::Json;
use axum::extract::{RawQuery, State};
use iradialer_core::value::{CallUuid, TenantId};
use serde_json::{Value, json};

/// Changes of every tenant or of one, the latest first
#[utoipa::path(
    get, path = "/api/audit", tag = "audit",
    responses(
        (status = 200),
    ),
)]
pub(super) async fn list(
    State(state): State<WebState>,
    _admin: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut fields = query_fields(query.as_deref().unwrap_or(""))?;
    let filter = AuditFilter {
        tenant_id: fields.parsed("tenant", TenantId::parse),
        from_ms: fields.parsed("from", timestamp::parse),
        before: fields.parsed("cursor", CallUuid::parse),
        limit: limit(&mut fields),
    };
    let known = "tenant, from, cursor, limit";
    fields.finish(known).map_err(in_query)?;
    let entries = state.app.tdb.audit(&filter).await?;
    let last = entries.last();
    let last = last.filter(|_| entries.len() == filter.limit as usize);
    Ok(Json(json!({
        "next_cursor": last.map(|entry| &entry.audit_id),
        "entries": entries.iter().map(show).collect::<Vec<_>>(),
    })))
}

fn show(entry: &AuditEntry) -> Value {
    json!({
        "audit_id": entry.audit_id,
        "at": timestamp::show(entry.at_ms),
        "tenant_id": entry.tenant_id,
        "via": entry.author.via.as_str(),
        "actor": entry.author.actor,
        "request_id": entry.author.request_id,
        "action": entry.action,
        "subject": entry.subject,
        "before": entry.was,
        "after": entry.became,
    })
}
