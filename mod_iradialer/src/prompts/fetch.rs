//! Audio from addresses, as HTTP has it: kept as long as its server says, and asked about again then.

use super::cache::{Entry, Hash};
use super::{Prompts, Why, url_key};
use crate::audio::Audio;
use crate::http::HttpError;
use reqwest::StatusCode;
use reqwest::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, LAST_MODIFIED,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The longest file, bytes: 15 minutes of telephone audio that nobody has compressed.
pub const MOST_BYTES: usize = 16 << 20;
/// How long audio is taken for what its server still has, where it says nothing.
const FRESH_S: u64 = 300;
/// The longest it is, and the shortest: a campaign's calls do not ask for each of them.
const FRESH_RANGE_S: std::ops::RangeInclusive<u64> = 1..=86_400;
/// How long old audio is played whose server can't be asked, ms.
const STALE_MS: u64 = 24 * 3_600_000;
/// And how soon it is asked again, ms.
const ASK_AGAIN_MS: u64 = 30_000;
/// How long a server has to begin its answer, and to end it.
const HEAD: Duration = Duration::from_secs(8);
const BODY: Duration = Duration::from_secs(30);
/// How long one has whose audio is here, old as it is.
const HEAD_OF_KNOWN: Duration = Duration::from_secs(2);
/// A server that can't be reached is tried again after so long, and twice as long each time,
const AGAIN: Duration = Duration::from_millis(250);
/// for so long.
const TRIES: Duration = Duration::from_secs(10);

/// What a server answered.
enum Fetched {
    /// It is what it was.
    Same(Terms),
    /// This.
    New(Vec<u8>, Terms),
}

/// What it says of its answer.
struct Terms {
    fresh_s: u64,
    may_store: bool,
    etag: Option<String>,
    last_modified: Option<String>,
}

impl Prompts {
    /// The audio of an address.
    pub(super) async fn fetched(self: Arc<Self>, url: String) -> Result<Arc<Audio>, Why> {
        let key = url_key(&url);
        let known = match self.cache.find(&key) {
            Some(entry) => self.content(entry.hash).await.map(|audio| (entry, audio)),
            None => None,
        };
        let now_ms = (self.env.now_ms)();
        if let Some((_, audio)) = known.as_ref().filter(|(entry, _)| entry.is_fresh(now_ms)) {
            return Ok(audio.clone());
        }
        let answer = match &known {
            Some((entry, _)) => self.ask(&url, Some(entry)).await,
            None => self.ask_patiently(&url).await,
        };
        match (answer, known) {
            (Ok(Fetched::Same(mut terms)), Some((entry, audio))) => {
                terms.etag = terms.etag.or(entry.etag);
                terms.last_modified = terms.last_modified.or(entry.last_modified);
                let entry = terms.entry(entry.hash, now_ms);
                self.slow(move |this| {
                    this.store(&key, entry, None);
                    Ok(())
                })
                .await?;
                Ok(audio)
            }
            (Ok(Fetched::Same(_)), None) => {
                Err(Why::Unfetched("status 304 to a plain question".to_owned()))
            }
            (Ok(Fetched::New(bytes, terms)), _) => {
                self.slow(move |this| {
                    let entry = terms.entry(Hash::of(&bytes), now_ms);
                    this.take_in(&key, entry, bytes, terms.may_store)
                })
                .await
            }
            (Err(HttpError::Unreachable(why)), Some((entry, audio)))
                if now_ms.saturating_sub(entry.checked_ms) < STALE_MS =>
            {
                (self.env.log)(&format!("prompt {url}: {why}; the old one is played"));
                let fresh_until_ms = now_ms + ASK_AGAIN_MS;
                let entry = Entry {
                    fresh_until_ms,
                    ..entry
                };
                self.cache.note(&key, entry);
                Ok(audio)
            }
            (Err(error), _) => Err(Why::Unfetched(error.to_string())),
        }
    }

    /// Asks for what is not here, again where nobody answers.
    async fn ask_patiently(&self, url: &str) -> Result<Fetched, HttpError> {
        let (until, mut wait) = (Instant::now() + TRIES, AGAIN);
        loop {
            match self.ask(url, None).await {
                Err(HttpError::Unreachable(_)) if Instant::now() + wait < until => {}
                answer => return answer,
            }
            sleep(wait).await;
            wait *= 2;
        }
    }

    async fn ask(&self, url: &str, known: Option<&Entry>) -> Result<Fetched, HttpError> {
        let mut headers = HeaderMap::new();
        let mut say = |name: HeaderName, value: Option<&String>| {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                headers.insert(name, value);
            }
        };
        say(IF_NONE_MATCH, known.and_then(|entry| entry.etag.as_ref()));
        say(
            IF_MODIFIED_SINCE,
            known.and_then(|entry| entry.last_modified.as_ref()),
        );
        let within = known.map_or(HEAD, |_| HEAD_OF_KNOWN);
        let answer = self.http.get(url, headers, within).await?;
        let (status, terms) = (answer.status, Terms::of(&answer.headers));
        if status == StatusCode::NOT_MODIFIED {
            return Ok(Fetched::Same(terms));
        }
        if status.is_server_error()
            || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status)
        {
            return Err(HttpError::Unreachable(format!("status {status}")));
        }
        if status.is_redirection() {
            let detail = format!("status {status}: a redirect is not followed");
            return Err(HttpError::Refused(detail));
        }
        if status != StatusCode::OK {
            return Err(HttpError::Refused(format!("status {status}")));
        }
        check_type(&answer.headers)?;
        let late = || format!("no whole answer within {} s", BODY.as_secs());
        let body = timeout(BODY, answer.body(MOST_BYTES)).await;
        let body = body.unwrap_or_else(|_| Err(HttpError::Unreachable(late())))?;
        Ok(Fetched::New(body, terms))
    }
}

/// A page that says that there is no such file is none; what the file really is shows when it is decoded.
fn check_type(headers: &HeaderMap) -> Result<(), HttpError> {
    let Some(found) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let text = found.to_str().unwrap_or_default().to_ascii_lowercase();
    let kind = text.split(';').next().unwrap_or_default().trim();
    let may_be = kind.starts_with("audio/")
        || ["application/octet-stream", "binary/octet-stream", ""].contains(&kind);
    match may_be {
        true => Ok(()),
        false => Err(HttpError::Refused(format!("expected audio, got {kind}"))),
    }
}

impl Terms {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::to_owned);
        let control = text(CACHE_CONTROL).unwrap_or_default().to_ascii_lowercase();
        let control: Vec<&str> = control.split(',').map(str::trim).collect();
        let max_age = control
            .iter()
            .find_map(|part| part.strip_prefix("max-age="));
        let says = |what| control.contains(&what);
        let fresh_s = match max_age.and_then(|text| text.parse().ok()) {
            _ if says("no-store") || says("no-cache") => 0,
            Some(seconds) => seconds,
            None => FRESH_S,
        };
        Terms {
            fresh_s: fresh_s.clamp(*FRESH_RANGE_S.start(), *FRESH_RANGE_S.end()),
            may_store: !says("no-store"),
            etag: text(ETAG),
            last_modified: text(LAST_MODIFIED),
        }
    }

    fn entry(&self, hash: Hash, now_ms: u64) -> Entry {
        Entry {
            hash,
            checked_ms: now_ms,
            fresh_until_ms: now_ms + self.fresh_s * 1_000,
            etag: self.etag.clone(),
            last_modified: self.last_modified.clone(),
        }
    }
}
