//! Bearer tokens: whose request it is, whether that one may make it, and how often.

use super::WebState;
use super::error::ApiError;
use super::live::is_live_request;
use super::request_id::RequestId;
use super::token_use::{Counted, RateLimit};
use super::trunk_changes;
use crate::access::{Area, Right, Scope};
use crate::operations::Desk;
use crate::tdb::{Author, TokenInfo, Via, hash_token};
use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use iradialer_core::value::{FieldError, TenantId};

/// How often the last use of a token is noted, ms.
const NOTE_USE_EVERY_MS: u64 = 60_000;
/// The longest token that is looked up, in bytes.
const MAX_LEN: usize = 200;
/// The tenant that an admin or operator acts for.
const TENANT: &str = "x-tenant-id";
/// What is posted and changes nothing.
const CHECKS: [&str; 1] = ["/api/flows/check"];

/// Whose request it is. A handler that takes this is reached with a valid token only, and with one that may do
/// what the path and the method are for.
pub(super) struct Caller {
    /// The tenant that it acts for: the token's, or the one that an admin or operator has named.
    pub tenant_id: TenantId,
    /// Its token.
    pub token: TokenInfo,
    /// The request's id.
    pub request_id: Option<String>,
}

impl Caller {
    /// Refuses what only those may who look after the cluster.
    pub fn must_be_operator(&self) -> Result<(), ApiError> {
        let role = self.token.spec.role;
        match role.is_of_cluster() {
            true => Ok(()),
            false => {
                let role = role.as_str();
                let message =
                    format!("A token with the role {role} may not do this: it is the operator's");
                Err(ApiError::Forbidden(message))
            }
        }
    }

    /// The tenant whose things it looks at, where not at those of all: who looks after the cluster does, unless
    /// another tenant is named.
    pub fn of_one_tenant(&self) -> Option<&TenantId> {
        let own = &self.token.spec;
        let is_of_all = own.role.is_of_cluster() && own.tenant_id == self.tenant_id;
        (!is_of_all).then_some(&self.tenant_id)
    }

    /// Where it has the catalogue changed.
    pub fn desk<'d>(&self, state: &'d WebState) -> Desk<'d> {
        Desk {
            tdb: &state.app.tdb,
            catalogues: &state.app.catalogues,
            author: self.author(),
            now_ms: state.app.clock.now_ms(),
        }
    }

    /// Who it is, for the audit log.
    pub fn author(&self) -> Author {
        Author {
            via: Via::Api,
            actor: self.token.token_id.clone(),
            request_id: self.request_id.clone(),
        }
    }
}

impl FromRequestParts<WebState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, ApiError> {
        let info = valid_token(&parts.headers, state).await?;
        count(state, &info)?;
        let path = parts.extensions.get::<MatchedPath>();
        check_access(&info, &parts.method, path.map_or("", MatchedPath::as_str))?;
        let request_id = parts.extensions.get::<RequestId>();
        Ok(Caller {
            tenant_id: acts_for(&parts.headers, &info)?,
            token: info,
            request_id: request_id.map(|id| id.0.clone()),
        })
    }
}

/// What is known of the token that the request bears.
async fn valid_token(headers: &HeaderMap, state: &WebState) -> Result<TokenInfo, ApiError> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let header = given.next().ok_or(ApiError::NoToken)?;
    if given.next().is_some() {
        return Err(ApiError::BadToken);
    }
    let token = header.to_str().ok().and_then(bearer);
    let token = token.ok_or(ApiError::BadToken)?;
    // Looked up by its hash, so how long it takes tells nothing about a token.
    let info = state.app.tdb.token(&hash_token(token)).await?;
    let info = info
        .filter(|info| info.revoked_ms.is_none())
        .ok_or(ApiError::BadToken)?;
    match info.spec.expires_ms {
        Some(since_ms) if info.has_expired(state.app.clock.now_ms()) => {
            Err(ApiError::ExpiredToken(since_ms))
        }
        _ => Ok(info),
    }
}

/// The token of `Bearer TOKEN`.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    let fits = |token: &str| {
        (1..=MAX_LEN).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic())
    };
    (scheme.eq_ignore_ascii_case("bearer") && fits(token)).then_some(token)
}

/// Counts the request against the token's limit, and notes its use without holding up the request.
fn count(state: &WebState, info: &TokenInfo) -> Result<(), ApiError> {
    let (web, clock) = (&state.app.config.web, &state.app.clock);
    let limit = RateLimit {
        per_s: info.spec.requests_per_s.unwrap_or(web.requests_per_s),
        burst: info.spec.burst.unwrap_or(web.burst),
    };
    let counted = state.tokens.count(&info.token_id, limit, clock.steady_ms());
    match counted {
        Counted::TooMany { wait_ms } => {
            let wait_s = wait_ms.div_ceil(1_000).max(1);
            return Err(ApiError::TooManyRequests(
                u32::try_from(wait_s).unwrap_or(u32::MAX),
            ));
        }
        Counted::Passed { is_to_be_noted } if is_to_be_noted => {}
        Counted::Passed { .. } => return Ok(()),
    }
    // Another process may have noted it.
    let now_ms = clock.now_ms();
    let is_fresh = |used_ms: u64| now_ms.saturating_sub(used_ms) < NOTE_USE_EVERY_MS;
    if !info.last_used_ms.is_some_and(is_fresh) {
        let (tdb, token_id) = (state.app.tdb.clone(), info.token_id.clone());
        tokio::spawn(async move {
            if let Err(error) = tdb.touch_token(&token_id, now_ms).await {
                tracing::warn!(%error, "the last use of a token was not noted");
            }
        });
    }
    Ok(())
}

/// Whether the token's role and scopes let it do what the route (as it is written in the table of routes) is for.
fn check_access(info: &TokenInfo, method: &Method, route: &str) -> Result<(), ApiError> {
    let Some(needed) = needed(method, route) else {
        tracing::error!(route, "nobody may use this route: it is of no area");
        return Err(ApiError::Forbidden("This is for nobody".to_owned()));
    };
    let spec = &info.spec;
    let why = match (spec.role.may(needed), spec.scopes.allow(needed)) {
        (true, true) => return Ok(()),
        (false, _) => format!("the role {}", spec.role.as_str()),
        (true, false) => format!("the scopes {}", spec.scopes),
    };
    let message = format!("A token with {why} may not do this: it takes {needed}");
    Err(ApiError::Forbidden(message))
}

/// What it takes to use a route. One that is of no area is reached by nobody.
fn needed(method: &Method, route: &str) -> Option<Scope> {
    let name = route.strip_prefix("/api").unwrap_or(route);
    let name = name.strip_prefix('/')?.split('/').next()?;
    let is_call = matches!(
        name,
        "makecall" | "makecalls" | "makecalldirect" | "dropcall" | "stream"
    ) || is_live_request(route);
    let area = match is_call {
        true => Area::Calls,
        false => Area::ALL.into_iter().find(|area| area.as_str() == name)?,
    };
    let looks = matches!(*method, Method::GET | Method::HEAD) || CHECKS.contains(&route);
    // What a switch needs of a trunk has the password of its carrier in it.
    let right = match looks && route != trunk_changes::DEFINITION {
        true => Right::Read,
        false => Right::Write,
    };
    Some(Scope { area, right })
}

/// The tenant that the request is for.
fn acts_for(headers: &HeaderMap, info: &TokenInfo) -> Result<TenantId, ApiError> {
    let own = &info.spec.tenant_id;
    let mut given = headers.get_all(TENANT).iter();
    let Some(header) = given.next() else {
        return Ok(own.clone());
    };
    let field = format!("header.{TENANT}");
    if given.next().is_some() {
        return Err(FieldError::new(field, "a header given once", "several").into());
    }
    let text = String::from_utf8_lossy(header.as_bytes());
    let tenant = TenantId::parse(&field, &text)?;
    match tenant == *own || info.spec.role.is_of_cluster() {
        true => Ok(tenant),
        false => {
            let role = info.spec.role.as_str();
            let message = format!("A token with the role {role} acts for its own tenant only");
            Err(ApiError::Forbidden(message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bearer_scheme_and_a_plain_token() {
        assert_eq!(bearer("Bearer ira_x"), Some("ira_x"));
        assert_eq!(bearer("bearer ira_x"), Some("ira_x"));
        let long = format!("Bearer {}", "x".repeat(201));
        for header in [
            "",
            "Bearer",
            "Bearer ",
            "Basic eDp5",
            "Bearer a b",
            "ira_x",
            &long,
        ] {
            assert_eq!(bearer(header), None, "{header}");
        }
    }

    #[test]
    fn what_a_route_takes() {
        for (method, route, takes) in [
            (Method::POST, "/api/makecall", Some("calls:write")),
            (Method::GET, "/api/stream", Some("calls:read")),
            (Method::POST, "/api/makecalls", Some("calls:write")),
            (Method::POST, "/api/makecalldirect", Some("calls:write")),
            (Method::POST, "/api/bridgecalls", Some("calls:write")),
            (Method::POST, "/api/playfile", Some("calls:write")),
            (
                Method::GET,
                "/api/calls/{call_uuid}/explain",
                Some("calls:read"),
            ),
            (Method::HEAD, "/api/calls", Some("calls:read")),
            (Method::POST, "/api/flows/check", Some("flows:read")),
            (Method::PUT, "/api/flows/{name}", Some("flows:write")),
            (Method::GET, "/api/trunks", Some("trunks:read")),
            (
                Method::POST,
                "/api/webhooks/deadletters/replay",
                Some("webhooks:write"),
            ),
            (
                Method::DELETE,
                "/api/tokens/{token_id}",
                Some("tokens:write"),
            ),
            (Method::GET, "/api/audit", Some("audit:read")),
            (Method::GET, "/api/unheard-of", None),
            (Method::GET, "/elsewhere", None),
        ] {
            let needed = needed(&method, route).map(|scope| scope.to_string());
            assert_eq!(needed.as_deref(), takes, "{method} {route}");
        }
    }
}
