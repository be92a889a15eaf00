//! `GET /api/audit`: who changed what.

use super::WebState;
use super::auth::Caller;
use super::error::ApiError;
use super::openapi::example;
use super::query::{limit, query_fields};
use super::timestamp::{self, Time};
use crate::tdb::{AuditEntry, AuditFilter};
use axum::Json;
use axum::extract::{RawQuery, State};
use iradialer_core::value::{CallUuid, TenantId};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

/// Changes of every tenant or of one, the latest first
#[utoipa::path(
    get, path = "/api/audit", tag = "audit",
    params(AuditQuery),
    responses(
        (status = 200, description = "A page of them", body = AuditPage),
    ),
)]
pub(super) async fn list(
    State(state): State<WebState>,
    _admin: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<AuditPage>, ApiError> {
    let mut fields = query_fields(query.as_deref().unwrap_or(""))?;
    let filter = AuditFilter {
        tenant_id: fields.parsed("tenant", TenantId::parse),
        from_ms: fields.parsed("from", timestamp::parse),
        before: fields.parsed("cursor", CallUuid::parse),
        limit: limit(&mut fields),
    };
    fields.finish_query::<AuditQuery>()?;
    let entries = state.app.tdb.audit(&filter).await?;
    let last = entries.last();
    let last = last.filter(|_| entries.len() == filter.limit as usize);
    Ok(Json(AuditPage {
        next_cursor: last.map(|entry| entry.audit_id.clone()),
        entries: entries.into_iter().map(show).collect(),
    }))
}

/// Which entries.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read field by field")]
struct AuditQuery {
    /// The `next_cursor` of the page before.
    cursor: Option<uuid::Uuid>,
    /// Only those since then.
    #[param(format = DateTime)]
    from: Option<String>,
    /// How many.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// Only of this tenant.
    tenant: Option<String>,
}

/// A page of the audit log.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(AuditPage::example())))]
pub(super) struct AuditPage {
    /// The latest first.
    entries: Vec<ShownEntry>,
    /// The `cursor` of the next page; null: there is none.
    #[schema(value_type = Option<uuid::Uuid>)]
    next_cursor: Option<String>,
}

/// A change.
#[derive(Serialize, ToSchema)]
pub(super) struct ShownEntry {
    /// What was done, such as `flow.put`.
    action: String,
    /// Who did it: a token's id, or a user's name on the machine.
    actor: String,
    /// What there is now; null: nothing.
    after: Option<Value>,
    at: Time,
    #[schema(value_type = uuid::Uuid)]
    audit_id: String,
    /// What there was; null: nothing.
    before: Option<Value>,
    /// The request's, of the API.
    request_id: Option<String>,
    /// What it was done to.
    subject: String,
    tenant_id: String,
    /// `api`, `nats`, `command_line` or `configuration`.
    via: &'static str,
}

impl AuditPage {
    fn example() -> Self {
        let entry = ShownEntry {
            action: "flow.put".to_owned(),
            actor: example::uuid().to_string(),
            after: Some(json!({"version": 2, "hash": "9f86d081"})),
            at: Time::example(),
            audit_id: example::uuid().to_string(),
            before: Some(json!({"version": 1, "hash": "44136fa3"})),
            request_id: Some(example::uuid().to_string()),
            subject: "hello".to_owned(),
            tenant_id: "acme".to_owned(),
            via: "api",
        };
        AuditPage {
            entries: vec![entry],
            next_cursor: None,
        }
    }
}

fn show(entry: AuditEntry) -> ShownEntry {
    ShownEntry {
        action: entry.action,
        actor: entry.author.actor,
        after: entry.became,
        at: Time::of(entry.at_ms),
        audit_id: entry.audit_id,
        before: entry.was,
        request_id: entry.author.request_id,
        subject: entry.subject,
        tenant_id: entry.tenant_id.to_string(),
        via: entry.author.via.as_str(),
    }
}
