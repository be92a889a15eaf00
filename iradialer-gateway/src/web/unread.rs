//! What nobody has read of a request's body. A server that answers and closes while its client is still sending cuts the
//! answer off; one that answers and goes on would take the rest of the body for the next request, so it closes, and
//! the client's next request is lost. So the rest is taken off the wire before the answer, or the answer says that the
//! connection ends with it.

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::{CONNECTION, EXPECT};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Frame, SizeHint};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout;

/// How much is taken off the wire, in bytes, and for how long.
const MOST: usize = 1024 * 1024;
const LONGEST: Duration = Duration::from_secs(2);

/// A body that can still be read when its handler is done with it.
#[derive(Clone)]
struct Shared(Arc<Mutex<Inner>>);

struct Inner {
    body: Body,
    /// Whether anybody has asked for any of it: only then a client that waits to be asked sends it.
    asked_for: bool,
    is_over: bool,
}

impl Shared {
    fn new(body: Body) -> Self {
        let is_over = body.is_end_stream();
        Shared(Arc::new(Mutex::new(Inner {
            body,
            asked_for: false,
            is_over,
        })))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.with(|inner| {
            inner.asked_for = true;
            let polled = Pin::new(&mut inner.body).poll_frame(context);
            inner.is_over |= matches!(polled, Poll::Ready(None | Some(Err(_))));
            polled
        })
    }

    /// Reads the rest and drops it. Returns whether that was all.
    async fn read_out(&self, headers: &HeaderMap) -> bool {
        let waits = headers.contains_key(EXPECT);
        if self.with(|inner| inner.is_over || inner.body.is_end_stream()) {
            return true;
        }
        if self.with(|inner| waits && !inner.asked_for) {
            return false;
        }
        let read = async {
            let mut bytes = 0;
            while let Some(frame) = poll_fn(|context| self.poll(context)).await {
                let Ok(frame) = frame else {
                    return false;
                };
                bytes += frame.data_ref().map_or(0, Bytes::len);
                if bytes > MOST {
                    return false;
                }
            }
            true
        };
        timeout(LONGEST, read).await.unwrap_or(false)
    }
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.poll(context)
    }

    fn is_end_stream(&self) -> bool {
        self.with(|inner| inner.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|inner| inner.body.size_hint())
    }
}

/// Has the request answered, and nothing of its body left.
pub(super) async fn take(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let (headers, shared) = (parts.headers.clone(), Shared::new(body));
    let request = Request::from_parts(parts, Body::new(shared.clone()));
    let mut answer = next.run(request).await;
    if !shared.read_out(&headers).await {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(CONNECTION, close);
    }
    answer
}
