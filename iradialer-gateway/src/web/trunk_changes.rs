//! Trunks added, replaced, changed and deleted, and the file that a switch needs of one. They are the operator's.

use super::WebState;
use super::auth::Caller;
use super::body::read_object;
use super::campaigns::{caller_ranges, optional_bool, optional_number, same_name, texts};
use super::error::ApiError;
use super::fields::Fields;
use super::openapi::example;
use super::trunks::{self, ShownTrunk};
use crate::catalogue::{
    Definition, PARAMS, TrunkDefinition, USUAL_PROFILE, VARIABLES, is_profile, is_value,
};
use crate::operations::campaigns::MAX_CALLS;
use crate::operations::trunks::{MAX_CPS, TrunkPatch};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use iradialer_core::value::{FieldError, NodeId, TrunkName};
use iradialer_core::wire::DtmfWay;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What a trunk is made of.
const FIELDS: &str =
    "name, enabled, max_cps, max_calls, dtmf, caller_ranges, nodes, sip_profile, params, variables";
/// The most JSON of `params` and of `variables`, in bytes.
const MAX_OBJECT: usize = 16 * 1024;

/// A trunk was deleted.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(DeletedTrunk::example())))]
pub(super) struct DeletedTrunk {
    #[schema(value_type = String)]
    name: TrunkName,
    /// `OK`.
    status: &'static str,
    /// 0.
    status_code: u8,
}

impl DeletedTrunk {
    fn example() -> Self {
        DeletedTrunk {
            name: example::name(),
            status: "OK",
            status_code: 0,
        }
    }
}

/// What a trunk is to be.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
pub(super) struct NewTrunk {
    /// Numbers that its calls may show, `FIRST-LAST`; up to 100.
    caller_ranges: Option<Vec<String>>,
    /// `rfc4733`, `info` or `inband`.
    #[schema(default = "rfc4733")]
    dtmf: Option<String>,
    #[schema(default = true)]
    enabled: Option<bool>,
    /// Calls at once.
    #[schema(minimum = 1, maximum = 100_000)]
    max_calls: u32,
    /// Calls a second.
    #[schema(exclusive_minimum = 0, maximum = 1_000)]
    max_cps: f64,
    /// Where the path has it, the same or nothing.
    name: Option<String>,
    /// The switches that have it; none: any.
    nodes: Option<Vec<String>>,
    /// Parameters of its gateway.
    params: Option<BTreeMap<String, String>>,
    #[schema(default = "external")]
    sip_profile: Option<String>,
    /// Variables of its channels.
    variables: Option<BTreeMap<String, String>>,
}

/// What is changed of a trunk.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
pub(super) struct TrunkChange {
    enabled: Option<bool>,
    #[schema(minimum = 1, maximum = 100_000)]
    max_calls: Option<u32>,
    #[schema(exclusive_minimum = 0, maximum = 1_000)]
    max_cps: Option<f64>,
}

/// Adds a trunk
#[utoipa::path(
    post, path = "/api/trunks", tag = "trunks",
    request_body = NewTrunk,
    responses(
        (status = 201, description = "It was added", body = ShownTrunk),
        (status = 409, description = "in_file, trunk_exists"),
    ),
)]
pub(super) async fn post(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<ShownTrunk>), ApiError> {
    caller.must_be_operator()?;
    let members = read_object(&headers, body, state.app.config.web.max_body_bytes).await?;
    let mut fields = Fields::new(members);
    let name = fields.required("name", "the name of the trunk", TrunkName::parse);
    let definition = read(fields).map_err(ApiError::BadFields)?;
    let name = name.ok_or(ApiError::BadFields(Vec::new()))?;
    caller
        .desk(&state)
        .put_trunk(&name, definition, true)
        .await?;
    state.app.wake.router.notify_one();
    Ok((
        StatusCode::CREATED,
        Json(trunks::shown_one(&state, &caller, &name).await?),
    ))
}

/// Adds a trunk, or replaces one that was added
#[utoipa::path(
    put, path = "/api/trunks/{name}", tag = "trunks",
    params(("name" = String, Path)),
    request_body = NewTrunk,
    responses(
        (status = 200, description = "It was replaced", body = ShownTrunk),
        (status = 201, description = "It was added", body = ShownTrunk),
        (status = 409, description = "in_file"),
    ),
)]
pub(super) async fn put(
    State(state): State<WebState>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<ShownTrunk>), ApiError> {
    caller.must_be_operator()?;
    let name = TrunkName::parse("path.name", &name)?;
    let members = read_object(&headers, body, state.app.config.web.max_body_bytes).await?;
    let mut fields = Fields::new(members);
    same_name(&mut fields, name.as_str());
    let definition = read(fields).map_err(ApiError::BadFields)?;
    let is_new = caller
        .desk(&state)
        .put_trunk(&name, definition, false)
        .await?;
    let status = match is_new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    state.app.wake.router.notify_one();
    Ok((
        status,
        Json(trunks::shown_one(&state, &caller, &name).await?),
    ))
}

/// Changes whether a trunk is enabled, and its limits
#[utoipa::path(
    patch, path = "/api/trunks/{name}", tag = "trunks",
    params(("name" = String, Path)),
    request_body = TrunkChange,
    responses(
        (status = 200, description = "As it is now", body = ShownTrunk),
        (status = 404, description = "unknown_trunk"),
    ),
)]
pub(super) async fn patch(
    State(state): State<WebState>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ShownTrunk>, ApiError> {
    caller.must_be_operator()?;
    let name = TrunkName::parse("path.name", &name)?;
    let members = read_object(&headers, body, state.app.config.web.max_body_bytes).await?;
    let mut fields = Fields::new(members);
    let patch = TrunkPatch {
        enabled: optional_bool(&mut fields, "enabled"),
        max_cps: cps(&mut fields),
        max_calls: optional_number(&mut fields, "max_calls", MAX_CALLS),
    };
    let known = "enabled, max_cps, max_calls";
    fields.finish(known).map_err(ApiError::BadFields)?;
    caller.desk(&state).patch_trunk(&name, patch).await?;
    state.app.wake.router.notify_one();
    Ok(Json(trunks::shown_one(&state, &caller, &name).await?))
}

/// Deletes a trunk that was added
#[utoipa::path(
    delete, path = "/api/trunks/{name}", tag = "trunks",
    params(("name" = String, Path)),
    responses(
        (status = 200, description = "It is deleted", body = DeletedTrunk),
        (status = 404, description = "unknown_trunk"),
        (status = 409, description = "in_file, trunk_in_use"),
    ),
)]
pub(super) async fn delete(
    State(state): State<WebState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<DeletedTrunk>, ApiError> {
    caller.must_be_operator()?;
    let name = TrunkName::parse("path.name", &name)?;
    caller.desk(&state).delete_trunk(&name).await?;
    Ok(Json(DeletedTrunk {
        name,
        status: "OK",
        status_code: 0,
    }))
}

/// Where that is.
pub(super) const DEFINITION: &str = "/api/trunks/{name}/definition";

/// The file that each switch needs of a trunk
#[utoipa::path(
    get, path = "/api/trunks/{name}/definition", tag = "trunks",
    params(("name" = String, Path)),
    responses(
        (status = 200, description = "A file of FreeSWITCH's", body = String, content_type = "application/xml"),
        (status = 404, description = "unknown_trunk"),
        (status = 409, description = "in_file"),
    ),
)]
pub(super) async fn definition(
    State(state): State<WebState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    caller.must_be_operator()?;
    let name = TrunkName::parse("path.name", &name)?;
    let catalogue = state.app.catalogue();
    let trunk = catalogue.trunks.get(&name);
    let trunk = trunk.ok_or_else(|| ApiError::UnknownTrunk(name.to_string()))?;
    let definition = trunk.definition.as_ref().ok_or_else(|| {
        let message = format!(
            "The trunk {name} is in the configuration file: its gateway was not defined here"
        );
        crate::operations::Refusal::conflict("in_file", "name", message)
    })?;
    Ok((
        [(CONTENT_TYPE, "application/xml")],
        definition.to_xml(&name),
    ))
}

pub(super) fn read(mut fields: Fields) -> Result<TrunkDefinition, Vec<FieldError>> {
    let enabled = optional_bool(&mut fields, "enabled");
    let max_cps = cps(&mut fields);
    let max_calls = optional_number(&mut fields, "max_calls", MAX_CALLS);
    for (name, is_given) in [
        ("max_cps", max_cps.is_some()),
        ("max_calls", max_calls.is_some()),
    ] {
        if !is_given {
            fields.note(FieldError::missing(name, "a number"));
        }
    }
    let dtmf = fields.parsed("dtmf", |field, text| match text {
        "rfc4733" => Ok(DtmfWay::Rfc4733),
        "info" => Ok(DtmfWay::Info),
        "inband" => Ok(DtmfWay::Inband),
        other => Err(FieldError::new(field, "rfc4733, info or inband", other)),
    });
    let caller_ranges = caller_ranges(&mut fields);
    let nodes = texts(&mut fields, "nodes", NodeId::parse).unwrap_or_default();
    let sip_profile = fields.parsed("sip_profile", |field, text| match is_profile(text) {
        true => Ok(text.to_owned()),
        false => Err(FieldError::new(
            field,
            "2 to 30 letters, digits, '_' or '-'",
            text,
        )),
    });
    let params = values(&mut fields, "params", &PARAMS);
    let variables = values(&mut fields, "variables", &VARIABLES);
    fields.finish(FIELDS)?;
    Ok(TrunkDefinition {
        enabled: enabled.unwrap_or(true),
        max_cps: max_cps.unwrap_or(1.0),
        max_calls: max_calls.unwrap_or(1),
        dtmf: dtmf.unwrap_or_default(),
        caller_ranges,
        nodes,
        gateway: Definition {
            sip_profile: sip_profile.unwrap_or_else(|| USUAL_PROFILE.to_owned()),
            params,
            variables,
        },
    })
}

fn cps(fields: &mut Fields) -> Option<f64> {
    let value = fields.value("max_cps")?;
    let number = value.as_f64();
    match number.filter(|cps| *cps > 0.0 && *cps <= MAX_CPS) {
        Some(cps) => Some(cps),
        None => fields.refuse("max_cps", "calls a second, above 0, up to 1000", &value),
    }
}

/// Texts, numbers and booleans under names that are among `known`.
fn values(fields: &mut Fields, name: &str, known: &[&str]) -> BTreeMap<String, String> {
    let given = fields.object(name, MAX_OBJECT);
    checked_values(name, given, known, |mistake| fields.note(mistake))
}

/// The same of an object that was read.
pub(crate) fn checked_values(
    field: &str,
    given: Map<String, Value>,
    known: &[&str],
    mut note: impl FnMut(FieldError),
) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (name, value) in given {
        let shown: String = name.chars().take(60).flat_map(char::escape_debug).collect();
        let at = format!("{field}.{shown}");
        let text = match value {
            Value::String(text) => text,
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            // It may be a secret.
            _ => {
                note(FieldError::new(
                    at,
                    "a text, a number or a boolean",
                    "another value",
                ));
                continue;
            }
        };
        if !known.contains(&name.as_str()) {
            let expected = format!("one of {}", known.join(", "));
            note(FieldError::new(at, expected, &name));
        } else if !is_value(&text) {
            let expected = "up to 255 characters, none of them a control character";
            note(FieldError::new(at, expected, "another text"));
        } else {
            values.insert(name, text);
        }
    }
    values
}
