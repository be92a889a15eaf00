//! Gives every request an id: in the header `x-request-id` of its answer, in the body of a refusal, in the log, and with
//! the call that it asks for. A client may give its own.

use super::error::Refusal;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use iradialer_core::value::CallUuid;
use tracing::Instrument;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, for its handler.
#[derive(Clone)]
pub(super) struct RequestId(pub String);

/// The longest id of a client's, in characters.
const MAX_LEN: usize = 64;

/// The client's own id; none where it gives several, or one that does not fit everywhere that it is shown.
fn given(headers: &HeaderMap) -> Option<String> {
    let mut all = headers.get_all(HEADER).iter();
    let (id, others) = (all.next()?, all.next());
    let id = id.to_str().ok().filter(|_| others.is_none())?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    let is_short = (1..=MAX_LEN).contains(&id.len());
    (is_short && id.bytes().all(fits)).then(|| id.to_owned())
}

/// The middleware around every route.
pub(super) async fn attach(mut request: Request, next: Next) -> Response {
    let id = given(request.headers()).unwrap_or_else(|| CallUuid::fresh().to_string());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_s_own_id_is_taken_where_it_is_plain() {
        let of = |ids: &[&str]| {
            let mut headers = HeaderMap::new();
            for id in ids {
                headers.append(HEADER, HeaderValue::from_str(id).unwrap());
            }
            given(&headers)
        };
        assert_eq!(of(&["job-7:3.a_B"]).as_deref(), Some("job-7:3.a_B"));
        assert!(of(&[&"x".repeat(64)]).is_some());
        for ids in [
            &[][..],
            &[""],
            &["a b"],
            &["a\tb"],
            &["a\"b"],
            &["<a>"],
            &["a", "b"],
            &[&"x".repeat(65)],
        ] {
            assert_eq!(of(ids), None, "{ids:?}");
        }
    }
}
