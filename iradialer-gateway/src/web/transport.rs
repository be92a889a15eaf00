//! What lies around every answer: compression of long ones, and which pages of other origins may read them.

use axum::http::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, RETRY_AFTER,
};
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Version};
use std::time::Duration;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate, SizeAbove};
use tower_http::cors::CorsLayer;

/// The shortest answer that is worth compressing, in bytes. A token, once it is shown, is in a shorter one: what is
/// secret is never compressed together with what a client has sent.
const MIN_BYTES: u16 = 2_048;
/// How long a browser may keep to what it was told of other origins.
const PREFLIGHT: Duration = Duration::from_secs(600);

type Texts = fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool;

/// Compresses long texts, with little effort. What comes bit by bit is left alone.
pub(super) fn compression() -> CompressionLayer<And<SizeAbove, Texts>> {
    let texts: Texts = |_, _, headers, _| {
        let kind = headers
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        kind.is_some_and(|kind| {
            let kinds = [
                "application/json",
                "text/html",
                "text/css",
                "text/javascript",
            ];
            kinds.iter().any(|known| kind.starts_with(known))
        })
    };
    CompressionLayer::new()
        .gzip(true)
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(MIN_BYTES).and(texts))
}

/// Lets pages of these origins read the API; without any there is nothing to let in, and no header says otherwise.
pub(super) fn cors(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = origins
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    let ours = |name: &'static str| HeaderName::from_static(name);
    (!origins.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([
                Method::GET,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
            ])
            .allow_headers([
                AUTHORIZATION,
                CONTENT_TYPE,
                IF_NONE_MATCH,
                ours("idempotency-key"),
                ours("last-event-id"),
                ours("x-request-id"),
                ours("x-tenant-id"),
            ])
            .expose_headers([
                ETAG,
                RETRY_AFTER,
                ours("idempotency-replayed"),
                ours("x-request-id"),
            ])
            .max_age(PREFLIGHT)
    })
}
