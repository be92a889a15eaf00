//! `/api/tokens`: the tenant's tokens. Nobody gives more than they have.

use super::auth::Caller;
use super::body::read_object;
use super::error::ApiError;
use super::fields::Fields;
use super::{WebState, timestamp};
use crate::access::{Scopes, TokenRole};
use crate::config::MAX_REQUESTS;
use crate::tdb::{TokenInfo, TokenSpec, check_token_name};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use iradialer_core::value::{CallUuid, FieldError};
use serde_json::{Map, Value, json};

/// What a token is made of.
const FIELDS: &str = "name, role, scopes, expires_at, requests_per_s, burst";

/// `GET /api/tokens`: oldest first.
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let tokens = state.app.tdb.tokens_of(&caller.tenant_id).await?;
    let tokens: Vec<Value> = tokens.iter().map(show).collect();
    Ok(Json(json!({ "tokens": tokens })))
}

/// `POST /api/tokens`: makes one and shows it, the only time it is seen.
pub(super) async fn create(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let members = read_object(&headers, body, state.app.config.web.max_body_bytes).await?;
    let now_ms = state.app.clock.now_ms();
    let spec = read(members, &caller, now_ms).map_err(ApiError::BadFields)?;
    check_gift(&caller, &spec)?;
    let made = state.app.tdb.create_token(spec, caller.author(), now_ms);
    let (token, info) = made.await?;
    let mut shown = show(&info);
    shown["token"] = Value::from(token);
    Ok((StatusCode::CREATED, Json(shown)))
}

/// `DELETE /api/tokens/{token_id}`: revokes one, at once.
pub(super) async fn revoke(
    State(state): State<WebState>,
    caller: Caller,
    Path(token_id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let token_id = CallUuid::parse("path.token_id", &token_id)?.to_string();
    let (tdb, now_ms) = (&state.app.tdb, state.app.clock.now_ms());
    let found = tdb.token_of(&caller.tenant_id, &token_id).await?;
    let found = found.ok_or_else(|| ApiError::UnknownToken(token_id.clone()))?;
    check_role(&caller, found.spec.role)?;
    let is_new = tdb.revoke_token(&token_id, caller.author(), now_ms).await?;
    let status = match is_new {
        true => "OK",
        false => "The token was revoked before",
    };
    Ok(Json(
        json!({ "status": status, "status_code": 0, "token_id": token_id }),
    ))
}

fn read(
    members: Map<String, Value>,
    caller: &Caller,
    now_ms: u64,
) -> Result<TokenSpec, Vec<FieldError>> {
    let mut fields = Fields::new(members);
    let name = fields.text("name").unwrap_or_default();
    if let Err(mistake) = check_token_name("name", &name) {
        fields.note(mistake);
    }
    let role = fields.parsed("role", TokenRole::parse);
    let scopes = scopes(&mut fields);
    let expires_ms = fields.parsed("expires_at", |field, text| {
        let at_ms = timestamp::parse(field, text)?;
        match at_ms > now_ms {
            true => Ok(at_ms),
            false => Err(FieldError::new(field, "a time to come", text)),
        }
    });
    let requests_per_s = limit(&mut fields, "requests_per_s", 0);
    let burst = limit(&mut fields, "burst", 1);
    fields.finish(FIELDS)?;
    Ok(TokenSpec {
        tenant_id: caller.tenant_id.clone(),
        name,
        role: role.unwrap_or(TokenRole::Tenant),
        scopes,
        expires_ms,
        requests_per_s,
        burst,
    })
}

fn scopes(fields: &mut Fields) -> Scopes {
    let Some(value) = fields.value("scopes") else {
        return Scopes::default();
    };
    let names = value.as_array().and_then(|names| {
        let names = names.iter().map(Value::as_str);
        names.collect::<Option<Vec<_>>>()
    });
    let scopes = match names {
        Some(names) => Scopes::parse("scopes", names),
        None => {
            let expected = "a list of texts such as \"calls:read\"";
            Err(FieldError::new("scopes", expected, &value.to_string()))
        }
    };
    scopes.unwrap_or_else(|mistake| {
        fields.note(mistake);
        Scopes::default()
    })
}

fn limit(fields: &mut Fields, name: &str, least: u32) -> Option<u32> {
    let is_given = fields.has(name);
    let number = fields.number(name, least..=MAX_REQUESTS, least);
    is_given.then_some(number)
}

/// Refuses a token that may more than the one it is made with.
fn check_gift(caller: &Caller, spec: &TokenSpec) -> Result<(), ApiError> {
    check_role(caller, spec.role)?;
    let own = &caller.token.spec;
    let refuse = |why: &str| Err(ApiError::Forbidden(why.to_owned()));
    if !own.scopes.cover(&spec.scopes) {
        return refuse("scopes: a token can't be made that may more than yours");
    }
    let is_limited = spec.requests_per_s.is_some() || spec.burst.is_some();
    if is_limited && own.role != TokenRole::Admin {
        return refuse("requests_per_s, burst: only admins set the limits of a token");
    }
    let outlives = |own_ms| spec.expires_ms.is_none_or(|expires_ms| expires_ms > own_ms);
    if own.role != TokenRole::Admin && own.expires_ms.is_some_and(outlives) {
        return refuse("expires_at: a token can't be made that outlives yours");
    }
    Ok(())
}

fn check_role(caller: &Caller, role: TokenRole) -> Result<(), ApiError> {
    let own = caller.token.spec.role;
    match own.may_give(role) {
        true => Ok(()),
        false => {
            let (own, role) = (own.as_str(), role.as_str());
            let message = format!("A token with the role {own} has no say over one with {role}");
            Err(ApiError::Forbidden(message))
        }
    }
}

fn show(token: &TokenInfo) -> Value {
    let spec = &token.spec;
    let time = |ms: Option<u64>| ms.map(timestamp::show);
    json!({
        "token_id": token.token_id,
        "tenant_id": spec.tenant_id,
        "name": spec.name,
        "role": spec.role.as_str(),
        "scopes": spec.scopes.to_string().split_whitespace().collect::<Vec<_>>(),
        "requests_per_s": spec.requests_per_s,
        "burst": spec.burst,
        "created_at": timestamp::show(token.created_ms),
        "expires_at": time(spec.expires_ms),
        "last_used_at": time(token.last_used_ms),
        "revoked_at": time(token.revoked_ms),
    })
}
