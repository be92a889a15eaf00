//! Bearer tokens.

use super::WebState;
use super::error::ApiError;
use crate::tdb::{TokenInfo, hash_token};
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use iradialer_core::value::TenantId;

/// How often the last use of a token is noted, ms.
const NOTE_USE_EVERY_MS: u64 = 60_000;
/// The longest token that is looked up, in bytes.
const MAX_LEN: usize = 200;

/// Whose request it is. A handler that takes this is reached with a valid token only.
pub(super) struct Caller {
    /// The token's tenant.
    pub tenant_id: TenantId,
}

impl FromRequestParts<WebState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, ApiError> {
        let mut given = parts.headers.get_all(AUTHORIZATION).iter();
        let header = given.next().ok_or(ApiError::NoToken)?;
        if given.next().is_some() {
            return Err(ApiError::BadToken);
        }
        let token = header
            .to_str()
            .ok()
            .and_then(bearer)
            .ok_or(ApiError::BadToken)?;
        // Looked up by its hash, so how long it takes tells nothing about a token.
        let info = state.app.tdb.token(&hash_token(token)).await?;
        let info = info
            .filter(|info| info.revoked_ms.is_none())
            .ok_or(ApiError::BadToken)?;
        note_use(state, &info);
        Ok(Caller {
            tenant_id: info.tenant_id,
        })
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

/// Notes the use without holding up the request.
fn note_use(state: &WebState, info: &TokenInfo) {
    let now_ms = state.app.clock.now_ms();
    let is_fresh = |used_ms: u64| now_ms.saturating_sub(used_ms) < NOTE_USE_EVERY_MS;
    if info.last_used_ms.is_some_and(is_fresh) {
        return;
    }
    let (tdb, token_id) = (state.app.tdb.clone(), info.token_id.clone());
    tokio::spawn(async move {
        if let Err(error) = tdb.touch_token(&token_id, now_ms).await {
            tracing::warn!(%error, "the last use of a token was not noted");
        }
    });
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
}
