//! `/api/flows`: the tenant's stored flows and their versions.

use super::auth::Caller;
use super::body::read_object;
use super::error::{ApiError, FlowFinding};
use super::query::{in_query, limit, query_fields, whole};
use super::{WebState, timestamp};
use crate::flows::{OwnFlow, Unresolved};
use crate::tdb::StoredFlow;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use iradialer_core::flow::{self, Finding, Flow, MAX_FLOW_BYTES};
use iradialer_core::value::{FieldError, FlowHash, FlowName};
use serde_json::{Map, Value, json};

/// How much white space and the like a document may have beyond what it says, in bytes.
const MAX_BODY_BYTES: usize = 2 * MAX_FLOW_BYTES;

/// The newest version of each flow, by name
#[utoipa::path(
    get, path = "/api/flows", tag = "flows",
    responses(
        (status = 200),
    ),
)]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut fields = query_fields(query.as_deref().unwrap_or(""))?;
    let limit = limit(&mut fields);
    let after = fields.parsed("cursor", FlowName::parse);
    fields.finish("cursor, limit").map_err(in_query)?;
    let after = after.as_ref().map_or("", FlowName::as_str);
    let flows = state.app.tdb.flows(&caller.tenant_id, after, limit).await?;
    let last = flows.last().filter(|_| flows.len() == limit as usize);
    Ok(Json(json!({
        "next_cursor": last.map(|flow| &flow.name),
        "flows": flows.iter().map(show).collect::<Vec<_>>(),
    })))
}

/// One flow with its document
#[utoipa::path(
    get, path = "/api/flows/{name}", tag = "flows",
    params(("name" = String, Path)),
    responses(
        (status = 200),
        (status = 404, description = "unknown_flow"),
    ),
)]
pub(super) async fn one(
    State(state): State<WebState>,
    caller: Caller,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let name = FlowName::parse("path.name", &name)?;
    let mut fields = query_fields(query.as_deref().unwrap_or(""))?;
    // 0 is no version: the newest.
    let version = whole(&mut fields, "version", 1, u32::MAX, 0);
    fields.finish("version").map_err(in_query)?;
    let version = Some(version).filter(|version| *version > 0);
    let (tdb, tenant) = (&state.app.tdb, &caller.tenant_id);
    let unknown = || ApiError::UnknownFlow(name.to_string(), version);
    let stored = tdb.flow(tenant, &name, version).await?;
    let stored = stored.ok_or_else(unknown)?;
    let document = tdb.flow_document(tenant, &stored.hash).await?;
    let document = document.ok_or_else(unknown)?;
    let mut shown = show(&stored);
    shown["flow"] = serde_json::from_str(&document.text).map_err(|error| {
        tracing::error!(%tenant, %name, %error, "a stored flow can't be read");
        ApiError::Unavailable
    })?;
    Ok(Json(shown))
}

/// Stores a flow: a new version, unless the newest says the same
#[utoipa::path(
    put, path = "/api/flows/{name}", tag = "flows",
    params(("name" = String, Path)),
    request_body = Object,
    responses(
        (status = 200),
        (status = 201),
        (status = 422, description = "invalid_flow"),
    ),
)]
pub(super) async fn put(
    State(state): State<WebState>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let name = FlowName::parse("path.name", &name)?;
    let members = read_object(&headers, body, MAX_BODY_BYTES).await?;
    let checked = check_all(&state, &caller, members).await?;
    let own = match checked.flow {
        Some(own) if !checked.findings.iter().any(Finding::is_error) => own,
        _ => return Err(ApiError::BadFlow(checked.findings)),
    };
    if own.flow.name != name.as_str() {
        let expected = format!("the name it is stored under, \"{name}\"");
        return Err(FieldError::new("name", expected, &own.flow.name).into());
    }
    let (tdb, now_ms) = (&state.app.tdb, state.app.clock.now_ms());
    let (tenant, author) = (&caller.tenant_id, caller.author());
    let stored = tdb.put_flow(tenant, &name, own.document, author, now_ms);
    let (stored, is_new) = stored.await?;
    let mut shown = show(&stored);
    shown["findings"] = json!(FlowFinding::of_all(&checked.findings));
    let status = match is_new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    Ok((status, Json(shown)))
}

/// Takes every version of a flow away
#[utoipa::path(
    delete, path = "/api/flows/{name}", tag = "flows",
    params(("name" = String, Path)),
    responses(
        (status = 200),
        (status = 404, description = "unknown_flow"),
    ),
)]
pub(super) async fn delete(
    State(state): State<WebState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let name = FlowName::parse("path.name", &name)?;
    let (tdb, now_ms) = (&state.app.tdb, state.app.clock.now_ms());
    let deleted = tdb.delete_flow(&caller.tenant_id, &name, caller.author(), now_ms);
    match deleted.await? {
        true => Ok(Json(
            json!({"status": "OK", "status_code": 0, "name": name}),
        )),
        false => Err(ApiError::UnknownFlow(name.to_string(), None)),
    }
}

/// What is wrong with a flow
#[utoipa::path(
    post, path = "/api/flows/check", tag = "flows",
    request_body = Object,
    responses(
        (status = 200),
    ),
)]
pub(super) async fn check(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let members = read_object(&headers, body, MAX_BODY_BYTES).await?;
    let findings = check_all(&state, &caller, members).await?.findings;
    Ok(Json(json!({
        "valid": !findings.iter().any(Finding::is_error),
        "findings": FlowFinding::of_all(&findings),
    })))
}

/// A flow that was looked at by itself and with those that it leads to.
struct Checked {
    /// Errors first.
    findings: Vec<Finding>,
    /// The flow, where it could be read.
    flow: Option<OwnFlow>,
}

async fn check_all(
    state: &WebState,
    caller: &Caller,
    members: Map<String, Value>,
) -> Result<Checked, ApiError> {
    let canonical = FlowHash::canonical(&Value::Object(members));
    let (own, mut findings) = match OwnFlow::parse(canonical.as_bytes()) {
        Ok(read) => read,
        Err(findings) => {
            return Ok(Checked {
                findings,
                flow: None,
            });
        }
    };
    let (tenant, name) = (&caller.tenant_id, own.name("name")?);
    match state.flows.own(tenant, name, &own).await {
        Ok(resolved) => drop(findings.splice(0..0, resolved.check_gotos(&own.flow))),
        Err(Unresolved::Tdb(error)) => return Err(error.into()),
        Err(other) => findings.insert(0, of_gotos(&own.flow, &other)),
    }
    Ok(Checked {
        findings,
        flow: Some(own),
    })
}

/// Where in `flow` what keeps it from being followed is to be mended.
fn of_gotos(flow: &Flow, why: &Unresolved) -> Finding {
    let node = match why {
        Unresolved::LeadsNowhere { from, to } if *from == flow.name => flow.goto_node(to),
        _ => None,
    };
    Finding {
        severity: flow::Severity::Error,
        path: node.map_or_else(String::new, |node| format!("nodes.{node}.goto.flow")),
        message: match why {
            Unresolved::LeadsNowhere { from, to } if *from == flow.name => {
                format!("there is no flow \"{to}\"")
            }
            other => other.to_string(),
        },
    }
}

fn show(flow: &StoredFlow) -> Value {
    json!({
        "name": flow.name,
        "version": flow.version,
        "hash": flow.hash,
        "created_at": timestamp::show(flow.created_ms),
    })
}
