//! `/api/flows`: the tenant's stored flows and their versions.

use super::WebState;
use super::auth::Caller;
use super::body::read_object;
use super::error::{ApiError, FlowFinding};
use super::openapi::params::OfName;
use super::query::{limit, query_fields, whole};
use super::timestamp::Time;
use crate::flows::{OwnFlow, Unresolved};
use crate::tdb::StoredFlow;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use iradialer_core::flow::{self, Finding, Flow, MAX_FLOW_BYTES};
use iradialer_core::value::{FieldError, FlowHash, FlowName};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

/// How much white space and the like a document may have beyond what it says, in bytes.
const MAX_BODY_BYTES: usize = 2 * MAX_FLOW_BYTES;

/// Which flows.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read field by field")]
struct FlowsQuery {
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// How many.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// Which version.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read field by field")]
struct VersionQuery {
    /// This one; without it the newest.
    #[param(minimum = 1)]
    version: Option<u32>,
}

/// A flow: docs/flows.md.
#[derive(ToSchema)]
#[schema(value_type = Object)]
#[expect(dead_code, reason = "read by the language's own reader")]
struct FlowDocument(Value);

/// A version of a flow.
#[derive(Serialize, ToSchema)]
pub(super) struct ShownFlow {
    created_at: Time,
    /// The SHA-256 of the document without white space and with its keys in order.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
    name: String,
    #[schema(minimum = 1)]
    version: u32,
}

/// A page of flows.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(FlowList::example())))]
pub(super) struct FlowList {
    /// The newest version of each, by name.
    flows: Vec<ShownFlow>,
    /// The `cursor` of the next page; null: there is none.
    next_cursor: Option<String>,
}

/// A version of a flow with its document.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(OneFlow::example())))]
pub(super) struct OneFlow {
    created_at: Time,
    #[schema(value_type = FlowDocument)]
    flow: Value,
    /// The SHA-256 of the document without white space and with its keys in order.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
    name: String,
    #[schema(minimum = 1)]
    version: u32,
}

/// A flow that is stored.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(StoredAs::example())))]
pub(super) struct StoredAs {
    created_at: Time,
    /// Warnings.
    findings: Vec<FlowFinding>,
    /// The SHA-256 of the document without white space and with its keys in order.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
    name: String,
    #[schema(minimum = 1)]
    version: u32,
}

/// The flow is gone.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(FlowGone { name: "hello".to_owned(), status: "OK", status_code: 0 })))]
pub(super) struct FlowGone {
    name: String,
    status: &'static str,
    status_code: u8,
}

/// What is wrong with a flow.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(CheckedFlow { findings: Vec::new(), valid: true })))]
pub(super) struct CheckedFlow {
    /// Errors first.
    findings: Vec<FlowFinding>,
    /// Whether it can be stored and run.
    valid: bool,
}

/// The SHA-256 of `{}`.
const HASH: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

impl ShownFlow {
    fn example() -> Self {
        ShownFlow {
            created_at: Time::example(),
            hash: HASH.to_owned(),
            name: "hello".to_owned(),
            version: 1,
        }
    }
}

impl FlowList {
    fn example() -> Self {
        FlowList {
            flows: vec![ShownFlow::example()],
            next_cursor: None,
        }
    }
}

impl OneFlow {
    fn of(shown: ShownFlow, flow: Value) -> Self {
        OneFlow {
            created_at: shown.created_at,
            flow,
            hash: shown.hash,
            name: shown.name,
            version: shown.version,
        }
    }

    fn example() -> Self {
        OneFlow::of(ShownFlow::example(), json!({"name": "hello"}))
    }
}

impl StoredAs {
    fn of(shown: ShownFlow, findings: &[Finding]) -> Self {
        StoredAs {
            created_at: shown.created_at,
            findings: FlowFinding::of_all(findings),
            hash: shown.hash,
            name: shown.name,
            version: shown.version,
        }
    }

    fn example() -> Self {
        StoredAs::of(ShownFlow::example(), &[])
    }
}

/// The newest version of each flow, by name
#[utoipa::path(
    get, path = "/api/flows", tag = "flows",
    params(FlowsQuery),
    responses(
        (status = 200, description = "A page of them", body = FlowList),
    ),
)]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<FlowList>, ApiError> {
    let mut fields = query_fields(query.as_deref().unwrap_or(""))?;
    let limit = limit(&mut fields);
    let after = fields.parsed("cursor", FlowName::parse);
    fields.finish_query::<FlowsQuery>()?;
    let after = after.as_ref().map_or("", FlowName::as_str);
    let flows = state.app.tdb.flows(&caller.tenant_id, after, limit).await?;
    let last = flows.last().filter(|_| flows.len() == limit as usize);
    Ok(Json(FlowList {
        next_cursor: last.map(|flow| flow.name.to_string()),
        flows: flows.iter().map(show).collect(),
    }))
}

/// One flow with its document
#[utoipa::path(
    get, path = "/api/flows/{name}", tag = "flows",
    params(OfName, VersionQuery),
    responses(
        (status = 200, description = "The version", body = OneFlow),
        (status = 404, description = "unknown_flow"),
    ),
)]
pub(super) async fn one(
    State(state): State<WebState>,
    caller: Caller,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<OneFlow>, ApiError> {
    let name = FlowName::parse("path.name", &name)?;
    let mut fields = query_fields(query.as_deref().unwrap_or(""))?;
    // 0 is no version: the newest.
    let version = whole(&mut fields, "version", 1, u32::MAX, 0);
    fields.finish_query::<VersionQuery>()?;
    let version = Some(version).filter(|version| *version > 0);
    let (tdb, tenant) = (&state.app.tdb, &caller.tenant_id);
    let unknown = || ApiError::UnknownFlow(name.to_string(), version);
    let stored = tdb.flow(tenant, &name, version).await?;
    let stored = stored.ok_or_else(unknown)?;
    let document = tdb.flow_document(tenant, &stored.hash).await?;
    let document = document.ok_or_else(unknown)?;
    let flow = serde_json::from_str(&document.text).map_err(|error| {
        tracing::error!(%tenant, %name, %error, "a stored flow can't be read");
        ApiError::Unavailable
    })?;
    Ok(Json(OneFlow::of(show(&stored), flow)))
}

/// Stores a flow: a new version, unless the newest says the same
#[utoipa::path(
    put, path = "/api/flows/{name}", tag = "flows",
    params(OfName),
    request_body = FlowDocument,
    responses(
        (status = 200, description = "The newest version says the same", body = StoredAs),
        (status = 201, description = "A new version", body = StoredAs),
        (status = 422, description = "invalid_flow"),
    ),
)]
pub(super) async fn put(
    State(state): State<WebState>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<StoredAs>), ApiError> {
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
    let shown = StoredAs::of(show(&stored), &checked.findings);
    let status = match is_new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    Ok((status, Json(shown)))
}

/// Takes every version of a flow away
#[utoipa::path(
    delete, path = "/api/flows/{name}", tag = "flows",
    params(OfName),
    responses(
        (status = 200, description = "All of it is gone; the next version goes on with the numbers", body = FlowGone),
        (status = 404, description = "unknown_flow"),
    ),
)]
pub(super) async fn delete(
    State(state): State<WebState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<FlowGone>, ApiError> {
    let name = FlowName::parse("path.name", &name)?;
    let (tdb, now_ms) = (&state.app.tdb, state.app.clock.now_ms());
    let deleted = tdb.delete_flow(&caller.tenant_id, &name, caller.author(), now_ms);
    match deleted.await? {
        true => Ok(Json(FlowGone {
            name: name.to_string(),
            status: "OK",
            status_code: 0,
        })),
        false => Err(ApiError::UnknownFlow(name.to_string(), None)),
    }
}

/// What is wrong with a flow
#[utoipa::path(
    post, path = "/api/flows/check", tag = "flows",
    request_body = FlowDocument,
    responses(
        (status = 200, description = "What was found", body = CheckedFlow),
    ),
)]
pub(super) async fn check(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CheckedFlow>, ApiError> {
    let members = read_object(&headers, body, MAX_BODY_BYTES).await?;
    let findings = check_all(&state, &caller, members).await?.findings;
    Ok(Json(CheckedFlow {
        valid: !findings.iter().any(Finding::is_error),
        findings: FlowFinding::of_all(&findings),
    }))
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

fn show(flow: &StoredFlow) -> ShownFlow {
    ShownFlow {
        created_at: Time::of(flow.created_ms),
        hash: flow.hash.to_string(),
        name: flow.name.to_string(),
        version: flow.version,
    }
}
