//! `GET /api/docs`: the API's description for a person, from the binary alone. Nothing of it comes from elsewhere, and its
//! policy lets nothing else in.

use super::WebState;
use axum::http::HeaderName;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::IntoResponse;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What a page may do: run and show what is served here, and read the description.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// The page and its parts.
pub(super) fn routes() -> OpenApiRouter<WebState> {
    OpenApiRouter::new()
        .routes(routes!(page))
        .routes(routes!(style))
        .routes(routes!(script))
}

type Headers = [(HeaderName, &'static str); 4];

fn headers(content_type: &'static str) -> Headers {
    let referrer = HeaderName::from_static("referrer-policy");
    [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (referrer, "no-referrer"),
    ]
}

/// This API for a person to read
#[utoipa::path(get, path = "/api/docs", tag = "service",
    responses((status = 200, description = "A page", body = String, content_type = "text/html")))]
async fn page() -> impl IntoResponse {
    let page = include_str!("docs/page.html");
    (headers("text/html; charset=utf-8"), page)
}

/// How that page looks
#[utoipa::path(get, path = "/api/docs/page.css", tag = "service",
    responses((status = 200, description = "A style sheet", body = String, content_type = "text/css")))]
async fn style() -> impl IntoResponse {
    let style = include_str!("docs/page.css");
    (headers("text/css; charset=utf-8"), style)
}

/// What that page does
#[utoipa::path(get, path = "/api/docs/page.js", tag = "service",
    responses((status = 200, description = "A script", body = String, content_type = "text/javascript")))]
async fn script() -> impl IntoResponse {
    let script = include_str!("docs/page.js");
    (headers("text/javascript; charset=utf-8"), script)
}
