//! One delivery over HTTP.

use super::address::{AddressGuard, RefusedAddress};
use super::tls::Credentials;
use crate::config::WebhookConfig;
use crate::roles::RoleError;
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::{StatusCode, Url, redirect};
use std::error::Error;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// How much of a receiver's answer is read and kept, in bytes.
const MAX_ANSWER_BYTES: usize = 1024;
/// How much of it is told with the error, in characters.
const SHOWN_ANSWER: usize = 200;
/// How long a connection is kept open for the next event.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What is sent.
pub struct Message<'a> {
    /// Where to.
    pub url: &'a str,
    /// The message's id, the same at every try.
    pub id: &'a str,
    /// When this try is made, Unix time in seconds.
    pub timestamp_s: u64,
    /// The signature over id, timestamp and body.
    pub signature: String,
    /// The bearer token the receiver asks for.
    pub token: Option<&'a str>,
    /// The JSON body.
    pub body: Vec<u8>,
}

/// How a try went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What it means.
    pub meaning: Meaning,
    /// The HTTP status, if one came.
    pub status: Option<u16>,
    /// Why it failed, in a sentence.
    pub error: Option<String>,
    /// How the answer began, if one came: up to 1 KiB, in UTF-8 without a NUL.
    pub answer: Option<String>,
}

/// What a try's outcome means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The receiver answered 2xx.
    Delivered,
    /// The receiver answered 410: it wants nothing more of this call.
    Gone,
    /// It can't ever work: the URL, the token, an address that is not let through.
    Hopeless,
    /// It may work later.
    Failed {
        /// How long the receiver asks to be left alone.
        retry_after: Option<Duration>,
    },
}

impl Outcome {
    /// Of an event that was published on the bus.
    pub fn on_the_bus(sent: Result<(), String>) -> Outcome {
        match sent {
            Ok(()) => Outcome {
                meaning: Meaning::Delivered,
                status: None,
                error: None,
                answer: None,
            },
            Err(error) => Outcome::unanswered(Meaning::Failed { retry_after: None }, error),
        }
    }

    fn unanswered(meaning: Meaning, error: String) -> Outcome {
        Outcome {
            meaning,
            status: None,
            error: Some(error),
            answer: None,
        }
    }
}

/// The HTTP client of the dispatcher: no redirects, no proxies, guarded addresses, short timeouts.
#[derive(Clone)]
pub struct WebhookClient {
    http: reqwest::Client,
    guard: AddressGuard,
}

impl WebhookClient {
    /// A client with the timeouts and allowed addresses of the configuration.
    ///
    /// # Errors
    /// Where a file of certificates can't be used, or no client be set up.
    pub fn new(config: &WebhookConfig) -> Result<WebhookClient, RoleError> {
        // Another part of the process may have chosen the provider before; both are ring.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let guard = AddressGuard::new(&config.allow_addresses);
        let own = Credentials::read(&config.tls).map_err(RoleError::new)?;
        let builder = || {
            let builder = reqwest::Client::builder()
                .user_agent(concat!("iradialer/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .dns_resolver(guard.clone())
                .connect_timeout(config.connect_timeout)
                .timeout(config.timeout)
                .pool_idle_timeout(IDLE_TIMEOUT);
            match &own.identity {
                Some(identity) => builder.identity(identity.clone()),
                None => builder,
            }
        };
        let with_machines = builder().tls_certs_merge(own.authorities.clone()).build();
        let http = with_machines.or_else(|error| {
            tracing::warn!(
                %error,
                "no certificate authorities were found (on Debian: apt-get install ca-certificates): \
                 webhooks to https:// URLs will fail, except those of webhooks.ca_file"
            );
            builder().tls_certs_only(own.authorities.clone()).build()
        });
        let http = http.map_err(RoleError::new)?;
        Ok(WebhookClient { http, guard })
    }

    /// Tries once.
    pub async fn post(&self, message: Message<'_>) -> Outcome {
        let (url, headers) = match self.prepare(&message) {
            Ok(prepared) => prepared,
            Err(error) => return Outcome::unanswered(Meaning::Hopeless, error),
        };
        let sent = self
            .http
            .post(url)
            .headers(headers)
            .body(message.body)
            .send()
            .await;
        match sent {
            Ok(response) => read_outcome(response, message.timestamp_s).await,
            Err(error) => {
                let later = Meaning::Failed { retry_after: None };
                Outcome::unanswered(later, describe(&error))
            }
        }
    }

    fn prepare(&self, message: &Message<'_>) -> Result<(Url, HeaderMap), String> {
        let url: Url = message
            .url
            .parse()
            .map_err(|error| format!("event_url: {error}"))?;
        self.guard
            .check_literal(&url)
            .map_err(|refused| refused.to_string())?;
        let header = |text: &str| HeaderValue::from_str(text).map_err(|error| error.to_string());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(WEBHOOK_ID, header(message.id)?);
        headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(message.timestamp_s));
        headers.insert(WEBHOOK_SIGNATURE, header(&message.signature)?);
        if let Some(token) = message.token {
            let mut bearer = header(&format!("Bearer {token}")).map_err(|_| {
                "call_params.token: expected text that fits in an HTTP header".to_owned()
            })?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        Ok((url, headers))
    }
}

async fn read_outcome(response: reqwest::Response, now_s: u64) -> Outcome {
    let status = response.status();
    let retry_after = read_retry_after(response.headers(), now_s);
    // Also read after success: a connection whose answer was not read is not used again.
    let answer = shown(&read_start(response).await);
    let meaning = match status {
        StatusCode::GONE => Meaning::Gone,
        status if status.is_success() => Meaning::Delivered,
        _ => Meaning::Failed { retry_after },
    };
    let error = (meaning != Meaning::Delivered).then(|| {
        let start = answer.chars().take(SHOWN_ANSWER);
        let told: String = start.flat_map(char::escape_debug).collect();
        format!("{status}: \"{told}\"")
    });
    Outcome {
        meaning,
        status: Some(status.as_u16()),
        error,
        answer: Some(answer),
    }
}

/// The answer as a text that every database takes.
fn shown(answer: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(answer).replace('\0', "\u{fffd}");
    text.truncate(text.floor_char_boundary(MAX_ANSWER_BYTES));
    text
}

async fn read_start(mut response: reqwest::Response) -> Vec<u8> {
    let mut start = Vec::new();
    while start.len() < MAX_ANSWER_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                start.extend_from_slice(&chunk[..chunk.len().min(MAX_ANSWER_BYTES - start.len())]);
            }
            Ok(None) | Err(_) => break,
        }
    }
    start
}

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3).
fn read_retry_after(headers: &HeaderMap, now_s: u64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    let wait_s = at.unix_timestamp().checked_sub_unsigned(now_s)?;
    u64::try_from(wait_s).ok().map(Duration::from_secs)
}

/// What is said of a receiver that took the connection and closed it.
const CLOSED_EARLY: &str = "the receiver closed the connection before it got the request: does it ask for a \
    certificate (webhooks.client_cert)?";

/// The error and what caused it, without the URL, which may hold a secret.
fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() && !error.is_connect() {
        return "no answer in time".to_owned();
    }
    let mut cause: Option<&dyn Error> = error.source();
    let mut last = None;
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<RefusedAddress>() {
            return refused.to_string();
        }
        // Why it was closed is lost; of those that take connections only to close them, most want a certificate.
        if error.downcast_ref().is_some_and(hyper::Error::is_canceled) {
            return CLOSED_EARLY.to_owned();
        }
        last = Some(error.to_string());
        cause = error.source();
    }
    let what = if error.is_connect() {
        "no connection"
    } else {
        "the request failed"
    };
    match last {
        Some(detail) => format!("{what}: {detail}"),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            read_retry_after(&headers, 1_795_000_000)
        };
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read("soon"), None);
        assert_eq!(read("Fri, 21 Nov 2025 00:00:00 GMT"), None, "in the past");
        // 1795000000 is Wed, 18 Nov 2026 11:06:40.
        let wait = read("Wed, 18 Nov 2026 11:07:40 GMT");
        assert_eq!(wait, Some(Duration::from_secs(60)));
    }

    #[test]
    fn an_answer_is_kept_as_text() {
        assert_eq!(shown(b"a\0b\xff"), "a\u{fffd}b\u{fffd}");
        assert_eq!(shown(&[0xff; MAX_ANSWER_BYTES]).len(), 1023);
    }
}
