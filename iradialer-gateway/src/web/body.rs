//! Reads the body of a request: bounded in size and time, strict JSON, an object.

use super::error::ApiError;
use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use futures::StreamExt;
use iradialer_core::strict_json::{self, Limits};
use iradialer_core::value::FieldError;
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::time::timeout;

/// How long a body may take to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// How much more than allowed is read and dropped, in bytes.
const MAX_DISCARDED: usize = 1024 * 1024;
/// How deep its JSON may be; a flow in a request needs 9.
const MAX_DEPTH: usize = 20;

/// The members of the JSON object that the body is.
pub(super) async fn read_object(
    headers: &HeaderMap,
    body: Body,
    max_bytes: usize,
) -> Result<Map<String, Value>, ApiError> {
    check_content_type(headers)?;
    check_encoding(headers)?;
    let read = timeout(BODY_TIMEOUT, read_bytes(body, max_bytes)).await;
    let bytes = read
        .map_err(|_| ApiError::TooSlow)?
        .ok_or(ApiError::TooLarge(max_bytes))?;
    if std::str::from_utf8(&bytes).is_err() {
        let shown = String::from_utf8_lossy(&bytes);
        return Err(ApiError::BadJson(FieldError::new(
            "body",
            "JSON in UTF-8",
            &shown,
        )));
    }
    let limits = Limits {
        bytes: max_bytes,
        depth: MAX_DEPTH,
    };
    match strict_json::read(&bytes, limits) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(other) => Err(ApiError::BadJson(FieldError::new(
            "body",
            "a JSON object",
            &other.to_string(),
        ))),
        Err(refusal) => Err(ApiError::BadJson(FieldError {
            field: match refusal.path.as_str() {
                "" => "body".to_owned(),
                path => path.to_owned(),
            },
            expected: format!("well-formed JSON at most {MAX_DEPTH} deep, each key once"),
            got: refusal.message,
        })),
    }
}

/// The body, or nothing where it is larger or the connection broke, when nobody reads the answer.
async fn read_bytes(body: Body, max_bytes: usize) -> Option<Vec<u8>> {
    let mut chunks = body.into_data_stream();
    let (mut bytes, mut size) = (Vec::new(), 0);
    // What is too much is taken off the wire all the same, up to a bound: a client that is still
    // sending when the connection closes would not see the answer.
    while size <= max_bytes + MAX_DISCARDED {
        let Some(chunk) = chunks.next().await else {
            return (size <= max_bytes).then_some(bytes);
        };
        let chunk = chunk.ok()?;
        size += chunk.len();
        if size <= max_bytes {
            bytes.extend_from_slice(&chunk);
        }
    }
    None
}

/// A body that does not say what it is is taken for JSON.
fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    for value in headers.get_all(CONTENT_TYPE) {
        let text = value.to_str().unwrap_or("unreadable bytes");
        let kind = text.split(';').next().unwrap_or(text).trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(ApiError::NotJson(text.chars().take(60).collect()));
        }
    }
    Ok(())
}

/// A body comes as it is: what is compressed may be much larger than it looks.
fn check_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    for value in headers.get_all(CONTENT_ENCODING) {
        let text = value.to_str().unwrap_or("unreadable bytes");
        if !text.trim().eq_ignore_ascii_case("identity") {
            return Err(ApiError::Encoded(text.chars().take(60).collect()));
        }
    }
    Ok(())
}
