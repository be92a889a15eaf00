//! Which path goes where.

use super::error::ApiError;
use super::{
    WebState, accept, audit, calls, dnc, dropcall, explain, flows, health, live, request_id,
    tokens, trunks, webhooks,
};
use axum::Router;
use axum::http::{Method, Uri};
use axum::middleware;
use axum::routing::{delete, get, post};

/// Every route of the API. Every answer, also a refusal, passes through [`request_id`].
pub(super) fn routes(state: WebState) -> Router {
    Router::new()
        .route("/api/makecall", post(accept::makecall))
        .route("/api/dropcall", post(dropcall::dropcall))
        .merge(live::routes())
        .route("/api/calls", get(calls::list))
        .route("/api/calls/{call_uuid}", get(calls::one))
        .route("/api/calls/{call_uuid}/events", get(calls::events))
        .route("/api/calls/{call_uuid}/explain", get(explain::explain))
        .route(
            "/api/dnc",
            get(dnc::list).post(dnc::add).delete(dnc::remove),
        )
        .merge(webhooks::routes())
        .route("/api/flows", get(flows::list))
        .route("/api/flows/check", post(flows::check))
        .route(
            "/api/flows/{name}",
            get(flows::one).put(flows::put).delete(flows::delete),
        )
        .route("/api/trunks", get(trunks::list))
        .route("/api/trunks/{name}", get(trunks::one))
        .route("/api/tokens", get(tokens::list).post(tokens::create))
        .route("/api/tokens/{token_id}", delete(tokens::revoke))
        .route("/api/audit", get(audit::list))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn(request_id::attach))
        .with_state(state)
}

async fn no_such_path(uri: Uri) -> ApiError {
    ApiError::NoSuchPath(uri.path().to_owned())
}

async fn no_such_method(method: Method, uri: Uri) -> ApiError {
    ApiError::NoSuchMethod(method.to_string(), uri.path().to_owned())
}
