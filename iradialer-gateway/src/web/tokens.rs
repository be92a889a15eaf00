//! `/api/tokens`: the tenant's tokens. Nobody gives more than they have.

use super::WebState;
use super::auth::Caller;
use super::body::read_object;
use super::error::ApiError;
use super::fields::Fields;
use super::openapi::example;
use super::openapi::params::OfToken;
use super::timestamp::{self, Time};
use crate::access::{Scopes, TokenRole};
use crate::config::MAX_REQUESTS;
use crate::tdb::{TokenInfo, TokenSpec, check_token_name};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use iradialer_core::value::{CallUuid, FieldError};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What a token is to be.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
pub(super) struct NewToken {
    /// The most requests at once; 1 to 1000000. Only admins set it. Without it `web.burst`.
    #[schema(minimum = 1, maximum = 1_000_000)]
    burst: Option<u32>,
    /// When it ends, an RFC 3339 time to come. Without it it does not.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// What it is for; up to 80 characters.
    name: Option<String>,
    /// The most requests a second; 0 to 1000000. Only admins set it. Without it `web.requests_per_s`.
    #[schema(minimum = 0, maximum = 1_000_000)]
    requests_per_s: Option<u32>,
    /// `admin`, `operator`, `tenant` or `read-only`.
    #[schema(default = "tenant")]
    role: Option<String>,
    /// What its role is narrowed down to, such as `calls:read`. Without any it is not.
    scopes: Option<Vec<String>>,
}

/// A token, without its secret but where it is made.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(ShownToken::example())))]
pub(crate) struct ShownToken {
    /// The most requests at once; null: `web.burst`.
    burst: Option<u32>,
    created_at: Time,
    /// When it ends; null: it does not.
    expires_at: Option<Time>,
    /// To the minute; null: not used yet.
    last_used_at: Option<Time>,
    /// What it is for.
    name: String,
    /// The most requests a second; null: `web.requests_per_s`.
    requests_per_s: Option<u32>,
    /// Since when it is refused; null: it is not.
    revoked_at: Option<Time>,
    /// `admin`, `operator`, `tenant` or `read-only`.
    role: &'static str,
    /// What its role is narrowed down to; none: it is not.
    scopes: Vec<String>,
    tenant_id: String,
    /// The token itself, in the answer to the request that makes it and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    token: Option<String>,
    /// What it is called by.
    #[schema(format = Uuid)]
    token_id: String,
}

impl ShownToken {
    /// With its secret, where it has just been made.
    pub(crate) fn of(token: &TokenInfo, secret: Option<String>) -> Self {
        let spec = &token.spec;
        let scopes = spec.scopes.to_string();
        ShownToken {
            burst: spec.burst,
            created_at: Time::of(token.created_ms),
            expires_at: spec.expires_ms.map(Time::of),
            last_used_at: token.last_used_ms.map(Time::of),
            name: spec.name.clone(),
            requests_per_s: spec.requests_per_s,
            revoked_at: token.revoked_ms.map(Time::of),
            role: spec.role.as_str(),
            scopes: scopes.split_whitespace().map(str::to_owned).collect(),
            tenant_id: spec.tenant_id.to_string(),
            token: secret,
            token_id: token.token_id.clone(),
        }
    }

    fn example() -> Self {
        ShownToken {
            burst: None,
            created_at: Time::example(),
            expires_at: Some(Time::example()),
            last_used_at: None,
            name: "reports".to_owned(),
            requests_per_s: None,
            revoked_at: None,
            role: TokenRole::ReadOnly.as_str(),
            scopes: vec!["calls:read".to_owned()],
            tenant_id: "acme".to_owned(),
            token: None,
            token_id: example::uuid().to_string(),
        }
    }
}

/// The tenant's tokens.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(TokenList::example())))]
pub(super) struct TokenList {
    /// The oldest first; revoked ones too.
    tokens: Vec<ShownToken>,
}

impl TokenList {
    fn example() -> Self {
        TokenList {
            tokens: vec![ShownToken::example()],
        }
    }
}

/// The token is refused from now on.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(Revoked::example())))]
pub(super) struct Revoked {
    /// `OK`, or that it was revoked before.
    status: &'static str,
    /// 0.
    status_code: u8,
    #[schema(format = Uuid)]
    token_id: String,
}

impl Revoked {
    fn example() -> Self {
        Revoked {
            status: "OK",
            status_code: 0,
            token_id: example::uuid().to_string(),
        }
    }
}

/// The tenant's tokens, the oldest first
#[utoipa::path(
    get, path = "/api/tokens", tag = "tokens",
    responses(
        (status = 200, description = "Each without its secret", body = TokenList),
    ),
)]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
) -> Result<Json<TokenList>, ApiError> {
    let tokens = state.app.tdb.tokens_of(&caller.tenant_id).await?;
    let tokens = tokens
        .iter()
        .map(|token| ShownToken::of(token, None))
        .collect();
    Ok(Json(TokenList { tokens }))
}

/// Makes a token and shows it, the only time it is seen
#[utoipa::path(
    post, path = "/api/tokens", tag = "tokens",
    request_body = NewToken,
    responses(
        (status = 201, description = "The token, with its secret", body = ShownToken),
    ),
)]
pub(super) async fn create(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<ShownToken>), ApiError> {
    let members = read_object(&headers, body, state.app.config.web.max_body_bytes).await?;
    let now_ms = state.app.clock.now_ms();
    let spec = read(members, &caller, now_ms).map_err(ApiError::BadFields)?;
    check_gift(&caller, &spec)?;
    let made = state.app.tdb.create_token(spec, caller.author(), now_ms);
    let (token, info) = made.await?;
    Ok((
        StatusCode::CREATED,
        Json(ShownToken::of(&info, Some(token))),
    ))
}

/// Revokes a token, at once
#[utoipa::path(
    delete, path = "/api/tokens/{token_id}", tag = "tokens",
    params(OfToken),
    responses(
        (status = 200, description = "It is revoked", body = Revoked),
        (status = 404, description = "unknown_token"),
    ),
)]
pub(super) async fn revoke(
    State(state): State<WebState>,
    caller: Caller,
    Path(token_id): Path<String>,
) -> Result<Json<Revoked>, ApiError> {
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
    Ok(Json(Revoked {
        status,
        status_code: 0,
        token_id,
    }))
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
    fields.finish_body::<NewToken>()?;
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
    let is_limited = |spec: &TokenSpec| spec.requests_per_s.is_some() || spec.burst.is_some();
    if is_limited(spec) && own.role != TokenRole::Admin {
        return refuse("requests_per_s, burst: only admins set the limits of a token");
    }
    if is_limited(own) && own.role != TokenRole::Admin {
        return refuse(
            "a token with limits of its own makes no other: each would have as much again",
        );
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
