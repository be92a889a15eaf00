//! The module's way to other people's web servers: prompts are fetched and applications asked through it.
//!
//! Whoever writes a flow names the address, so what only this switch can reach is out of bounds unless the
//! operator lists it. No redirect is followed and no proxy asked, an answer is read up to its bound, and no
//! server holds more than its share of what may be under way at once.

mod guard;

pub use guard::Guard;

use parking_lot::Mutex;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{RequestBuilder, Response, StatusCode, Url, redirect};
use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a server is given to take a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// It will be the same the next time.
    #[error("{0}")]
    Refused(String),
    /// It may go better later.
    #[error("{0}")]
    Unreachable(String),
}

/// An answer: its head, and the body as it comes.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    response: Response,
    _place: Place,
}

/// The client.
pub struct Http {
    client: Result<reqwest::Client, String>,
    guard: Guard,
    prompts: Limits,
    applications: Limits,
}

/// How much may be under way at once.
struct Limits {
    all: Arc<Semaphore>,
    each: usize,
    origins: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// One of what may be under way, given back when dropped.
struct Place {
    _origin: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Limits {
    fn new(all: usize, each: usize) -> Self {
        Limits {
            all: Arc::new(Semaphore::new(all)),
            each,
            origins: Mutex::default(),
        }
    }

    /// Waits for a place. A server's own come first, so that a slow one takes none from the others.
    async fn place(&self, origin: String) -> Place {
        let own = {
            let mut origins = self.origins.lock();
            let known = origins.get(&origin).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                origins.retain(|_, own| own.strong_count() > 0);
                let own = Arc::new(Semaphore::new(self.each));
                origins.insert(origin, Arc::downgrade(&own));
                own
            })
        };
        Place {
            _origin: never_closed(own).await,
            _all: never_closed(self.all.clone()).await,
        }
    }
}

async fn never_closed(semaphore: Arc<Semaphore>) -> OwnedSemaphorePermit {
    match semaphore.acquire_owned().await {
        Ok(permit) => permit,
        Err(_) => unreachable!("nobody closes it"),
    }
}

impl Http {
    /// A client that reaches what `guard` lets through.
    pub fn new(guard: Guard) -> Self {
        // A library in a host may not be the first: whoever installed a provider before is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("iradialer/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .dns_resolver(guard.clone())
                .connect_timeout(CONNECT)
                .pool_idle_timeout(IDLE)
        };
        // Where no certificate authority is found, an address of https:// fails, and nothing else.
        let client = builder()
            .build()
            .or_else(|_| builder().tls_certs_only([]).build());
        Http {
            client: client.map_err(|error| described(&error)),
            guard,
            prompts: Limits::new(64, 4),
            applications: Limits::new(512, 128),
        }
    }

    /// What it may reach.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Fetches audio, with headers that say what is known of it already. The head of the answer comes within
    /// `within`, counted from when there is a place for it.
    pub async fn get(
        &self,
        url: &str,
        headers: HeaderMap,
        within: Duration,
    ) -> Result<Answer, HttpError> {
        let url = self.checked(url)?;
        let place = self.prompts.place(origin(&url)).await;
        let request = self
            .client()?
            .get(url)
            .headers(headers)
            .header(ACCEPT, "audio/*");
        let sent = tokio::time::timeout(within, send(request)).await;
        let response = sent.unwrap_or_else(|_| Err(too_late("no answer", within)))?;
        Ok(Answer::new(response, place))
    }

    /// Posts JSON and reads the answer, of at most `most` bytes, all within `within`.
    pub async fn post(
        &self,
        url: &str,
        body: String,
        most: usize,
        within: Duration,
    ) -> Result<(u16, Vec<u8>), HttpError> {
        let whole = async {
            let url = self.checked(url)?;
            let place = self.applications.place(origin(&url)).await;
            let request = self
                .client()?
                .post(url)
                .header(CONTENT_TYPE, "application/json")
                .header(ACCEPT, "application/json")
                .body(body);
            let answer = Answer::new(send(request).await?, place);
            let status = answer.status.as_u16();
            if answer.status.is_redirection() {
                let detail = format!("status {status}: a redirect is not followed");
                return Err(HttpError::Refused(detail));
            }
            Ok((status, answer.body(most).await?))
        };
        let done = tokio::time::timeout(within, whole).await;
        done.unwrap_or_else(|_| Err(too_late("no whole answer", within)))
    }

    fn client(&self) -> Result<&reqwest::Client, HttpError> {
        let client = self.client.as_ref();
        client.map_err(|error| HttpError::Refused(error.clone()))
    }

    fn checked(&self, url: &str) -> Result<Url, HttpError> {
        let refuse = |error: String| HttpError::Refused(error);
        let url: Url = url
            .parse()
            .map_err(|error| refuse(format!("expected an address: {error}")))?;
        self.guard
            .check_literal(&url)
            .map_err(|error| refuse(error.to_string()))?;
        Ok(url)
    }
}

impl Answer {
    fn new(response: Response, place: Place) -> Self {
        Answer {
            status: response.status(),
            headers: response.headers().clone(),
            response,
            _place: place,
        }
    }

    /// The whole body, if it has at most `most` bytes; what comes after is not read.
    pub async fn body(mut self, most: usize) -> Result<Vec<u8>, HttpError> {
        let too_long = |got: u64| {
            let detail = format!("expected at most {most} bytes, got {got} or more");
            Err(HttpError::Refused(detail))
        };
        if let Some(len) = self
            .response
            .content_length()
            .filter(|len| *len > most as u64)
        {
            return too_long(len);
        }
        let mut body = Vec::new();
        while let Some(chunk) = self
            .response
            .chunk()
            .await
            .map_err(|error| HttpError::Unreachable(described(&error)))?
        {
            if body.len() + chunk.len() > most {
                return too_long((body.len() + chunk.len()) as u64);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

async fn send(request: RequestBuilder) -> Result<Response, HttpError> {
    request.send().await.map_err(|error| {
        let text = described(&error);
        match guard::refused(&error) {
            true => HttpError::Refused(text),
            false => HttpError::Unreachable(text),
        }
    })
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn too_late(what: &str, within: Duration) -> HttpError {
    HttpError::Unreachable(format!("{what} within {} ms", within.as_millis()))
}

/// The innermost reason, which is the one that tells something, without the address.
fn described(error: &reqwest::Error) -> String {
    let mut inner: &dyn Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
pub mod test_server;
#[cfg(test)]
mod tests;
