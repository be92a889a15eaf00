//! Gives every request an id: in the header `x-request-id` of its answer, and in the body of a refusal.

use super::error::Refusal;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use iradialer_core::value::CallUuid;
use tracing::Instrument;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, for its handler.
#[derive(Clone)]
pub(super) struct RequestId(pub String);

/// The middleware around every route.
pub(super) async fn attach(mut request: Request, next: Next) -> Response {
    let id = CallUuid::fresh().to_string();
    request.extensions_mut().insert(RequestId(id.clone()));
    let span = tracing::info_span!("request", %id, method = %request.method(), path = request.uri().path());
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(Refusal(mut answer)) = response.extensions_mut().remove::<Refusal>() {
        let (code, status) = (response.status().as_u16(), &answer.status);
        tracing::debug!(parent: &span, code, status, "refused");
        answer.request_id = id.clone();
        let body = serde_json::to_vec(&answer).unwrap_or_default();
        *response.body_mut() = Body::from(body);
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}
