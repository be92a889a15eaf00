//! Entity tags for what is asked for again and again and seldom changes: who has it already is told so (304), and spared
//! the rest.

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// What has one, and all below it.
const PATHS: [&str; 7] = [
    "/api/openapi.json",
    "/api/docs",
    "/api/flows",
    "/api/campaigns",
    "/api/trunks",
    "/api/nodes",
    "/api/regions",
];
/// The longest answer that has one, in bytes; such a long one is none of these.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Whether the answer of `GET` at this path has one.
pub(super) fn is_for(path: &str) -> bool {
    PATHS.iter().any(|known| {
        let rest = path.strip_prefix(known);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// The middleware around every route.
pub(super) async fn attach(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_read || !path.is_some_and(|path| is_for(path.as_str())) {
        return next.run(request).await;
    }
    let known = request.headers().get_all(IF_NONE_MATCH).iter();
    let known: Vec<HeaderValue> = known.cloned().collect();
    let response = next.run(request).await;
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_BYTES).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = tag(&bytes);
    let has_it = known.iter().any(|known| names(known, &tag));
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(ETAG, value);
        let ask_again = HeaderValue::from_static("private, no-cache");
        parts.headers.insert(CACHE_CONTROL, ask_again);
    }
    if has_it {
        parts.status = StatusCode::NOT_MODIFIED;
        forget_body(&mut parts.headers);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

fn forget_body(headers: &mut HeaderMap) {
    headers.remove(CONTENT_LENGTH);
    headers.remove(CONTENT_TYPE);
}

/// A weak one: the same answer may be compressed or not.
fn tag(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let hash: String = hash.iter().take(16).map(|b| format!("{b:02x}")).collect();
    format!("W/\"{hash}\"")
}

/// Whether the tag is among those of the header, strong or weak, or all are meant.
fn names(header: &HeaderValue, tag: &str) -> bool {
    let text = header.to_str().unwrap_or("");
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let mut tags = text.split(',').map(opaque);
    text.trim() == "*" || tags.any(|known| known == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_what_is_below_them() {
        for path in ["/api/flows", "/api/flows/{name}", "/api/openapi.json"] {
            assert!(is_for(path), "{path}");
        }
        for path in ["/api/calls", "/api/flowsheets", "/metrics", "/api/tokens"] {
            assert!(!is_for(path), "{path}");
        }
    }

    #[test]
    fn a_tag_is_known_weak_strong_and_among_others() {
        let tag = tag(b"{}");
        let strong = tag.trim_start_matches("W/");
        for known in [&tag, strong, &format!("\"x\", {tag}"), "*"] {
            assert!(
                names(&HeaderValue::from_str(known).unwrap(), &tag),
                "{known}"
            );
        }
        for other in ["\"x\"", "", "W/\"\""] {
            assert!(
                !names(&HeaderValue::from_str(other).unwrap(), &tag),
                "{other}"
            );
        }
    }
}
