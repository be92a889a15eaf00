//! Gives every request an id: in the header `x-request-id` of its answer, and in the body of a refusal.

use super::error::Refusal;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use iradialer_core::value::CallUuid;
use serde_json::Value;
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
    if let Some(mut refusal) = response.extensions_mut().remove::<Refusal>() {
        let status = refusal.body.get("status").and_then(Value::as_str);
        tracing::debug!(parent: &span, code = response.status().as_u16(), status, "refused");
        refusal
            .body
            .insert("request_id".to_owned(), Value::from(id.as_str()));
        *response.body_mut() = Body::from(Value::from(refusal.body).to_string());
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
