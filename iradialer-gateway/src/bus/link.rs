//! The connection to NATS.

use crate::config::NatsConfig;
use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, Event, ServerError};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest pause between two attempts.
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(2);
/// How often a silent connection is tried; two unanswered in a row end it.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// How many different refusals of the server are told.
const MOST_REFUSALS: usize = 64;
/// Messages a subscription may hold before the server's are dropped.
const SUBSCRIPTION_CAPACITY: usize = 16_384;

/// Why there will be no connection however long one waits.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The URL is none.
    #[error(
        "nats.url: expected nats://HOST:PORT or tls://HOST:PORT (several separated by commas), got \"{url}\""
    )]
    Url {
        /// What was configured.
        url: String,
    },
    /// The server does not know us.
    #[error(
        "nats.user, nats.password: the NATS server at {url} refuses the user \"{user}\" with this password"
    )]
    Refused {
        /// The server.
        url: String,
        /// The user.
        user: String,
    },
    /// TLS with the server can't be set up.
    #[error("nats.url: TLS with the NATS server at {url} failed: {detail}")]
    Tls {
        /// The server.
        url: String,
        /// What the TLS library says.
        detail: String,
    },
}

/// Connects to NATS, and again for ever when the connection is lost. Where the server is not there
/// yet this returns at once and goes on trying, because calls are accepted without it; only what
/// no waiting mends is an error.
pub async fn connect(config: &NatsConfig, name: &str) -> Result<Client, LinkError> {
    let servers = parse_servers(&config.url)?;
    match options(config, name).connect(servers.clone()).await {
        Ok(client) => Ok(client),
        Err(error) => match error.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                Err(LinkError::Refused {
                    url: config.url.clone(),
                    user: config.user.clone(),
                })
            }
            ConnectErrorKind::Tls => Err(LinkError::Tls {
                url: config.url.clone(),
                detail: error.to_string(),
            }),
            _ => {
                tracing::warn!(url = %config.url, %error, "NATS can't be reached, trying again until it can");
                connect_in_background(config, name, servers).await
            }
        },
    }
}

/// Connects once and gives up, for those who want to know why there is no connection.
pub async fn connect_once(config: &NatsConfig, name: &str) -> Result<Client, ConnectError> {
    let servers = parse_servers(&config.url)
        .map_err(|error| ConnectError::with_source(ConnectErrorKind::ServerParse, error))?;
    options(config, name)
        .max_reconnects(Some(1))
        .connect(servers)
        .await
}

async fn connect_in_background(
    config: &NatsConfig,
    name: &str,
    servers: Vec<async_nats::ServerAddr>,
) -> Result<Client, LinkError> {
    options(config, name)
        .retry_on_initial_connect()
        .connect(servers)
        .await
        .map_err(|_| LinkError::Url {
            url: config.url.clone(),
        })
}

fn parse_servers(url: &str) -> Result<Vec<async_nats::ServerAddr>, LinkError> {
    let servers: Result<Vec<async_nats::ServerAddr>, _> =
        url.split(',').map(|part| part.trim().parse()).collect();
    match servers {
        Ok(servers) if !url.trim().is_empty() => Ok(servers),
        _ => Err(LinkError::Url {
            url: url.to_owned(),
        }),
    }
}

fn options(config: &NatsConfig, name: &str) -> ConnectOptions {
    let log = Arc::new(ConnectionLog::default());
    let options = ConnectOptions::new()
        .name(name)
        .connection_timeout(CONNECT_TIMEOUT)
        .ping_interval(PING_INTERVAL)
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        .max_reconnects(None)
        .reconnect_delay_callback(reconnect_delay)
        .event_callback(move |event| {
            let log = Arc::clone(&log);
            async move { log.note(event) }
        });
    if config.user.is_empty() {
        options
    } else {
        options.user_and_password(config.user.clone(), config.password.reveal().to_owned())
    }
}

fn reconnect_delay(attempt: usize) -> Duration {
    let doubled = Duration::from_millis(50).saturating_mul(1 << attempt.min(6));
    doubled.min(MAX_RECONNECT_DELAY)
}

/// Whether the server says with this that our user may not do something; it names the subject.
fn is_refusal(text: &str) -> bool {
    text.to_ascii_lowercase()
        .starts_with("permissions violation")
}

/// Says once that the connection is lost and once that it is back, not at every attempt between.
#[derive(Default)]
struct ConnectionLog {
    lost: AtomicBool,
    told: AtomicBool,
    refusals: Mutex<HashSet<String>>,
}

impl ConnectionLog {
    /// Notes a refusal; whether it is a new one, as far as we remember.
    fn told_refusals(&self, text: &str) -> bool {
        let mut known = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        known.len() < MOST_REFUSALS && known.insert(text.to_owned())
    }

    fn note(&self, event: Event) {
        match event {
            Event::Connected => {
                self.told.store(false, Ordering::Relaxed);
                if self.lost.swap(false, Ordering::Relaxed) {
                    tracing::info!("the connection to NATS is back");
                } else {
                    tracing::info!("connected to NATS");
                }
            }
            Event::Disconnected => {
                if !self.lost.swap(true, Ordering::Relaxed) {
                    tracing::warn!("the connection to NATS is lost, trying again until it is back");
                }
            }
            Event::ServerError(ServerError::AuthorizationViolation) => {
                tracing::error!("NATS refuses our user or password");
            }
            Event::ServerError(ServerError::Other(text)) if is_refusal(&text) => {
                // The server says it again with every try: once is enough.
                if self.told_refusals(&text) {
                    tracing::error!(
                        "NATS refuses: {text}; nats.user lacks this right (docs/nats.md)"
                    );
                }
            }
            Event::ClientError(error) => {
                if !self.told.swap(true, Ordering::Relaxed) {
                    tracing::debug!(%error, "NATS");
                }
            }
            Event::SlowConsumer(subscription) => {
                tracing::error!(
                    subscription,
                    "messages from NATS were dropped: the gateway can't keep up"
                );
            }
            other => tracing::warn!(event = %other, "NATS"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_url_that_is_none_is_named() {
        for url in ["", "  ", "nats://a b:1", "http://x:1"] {
            let error = parse_servers(url).unwrap_err().to_string();
            assert!(error.starts_with("nats.url: expected nats://"), "{error}");
        }
        assert_eq!(
            parse_servers("nats://127.0.0.1:4222, tls://n2:4222")
                .unwrap()
                .len(),
            2
        );
    }

    #[test]
    fn the_delay_between_attempts_is_bounded() {
        assert_eq!(reconnect_delay(0), Duration::from_millis(50));
        assert_eq!(reconnect_delay(usize::MAX), MAX_RECONNECT_DELAY);
    }
}
