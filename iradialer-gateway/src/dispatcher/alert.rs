//! Tells the operator of webhooks that are about to be given up, while there is still time to mend the receiver.

use super::body;
use super::client::{Meaning, Message, WebhookClient};
use super::signature::Signer;
use crate::config::{Secret, WebhookConfig};
use crate::roles::RoleError;
use crate::tdb::Delivery;
use iradialer_core::value::CallUuid;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often one receiver is told of.
const EVERY: Duration = Duration::from_secs(3600);
/// The waits before the tries at the operator's own webhook.
const TRIES: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_secs(30),
];

/// Tells of each receiver once in a while.
pub struct Alerts {
    url: Option<Arc<str>>,
    told: Mutex<HashMap<String, Instant>>,
}

impl Alerts {
    /// To the log, and to this address too.
    pub fn new(url: Option<&str>) -> Alerts {
        Alerts {
            url: url.map(Arc::from),
            told: Mutex::new(HashMap::new()),
        }
    }

    /// The delivery failed again, and its next try, at `next_ms`, is its last.
    pub fn last_try(
        &self,
        delivery: &Delivery,
        error: &str,
        next_ms: u64,
        (client, signer): (&WebhookClient, &Signer),
        now_ms: u64,
    ) {
        let tenant = &delivery.call.tenant_id;
        let origin = delivery.origin();
        if !self.is_news(format!("{tenant} {origin}"), Instant::now()) {
            return;
        }
        tracing::error!(
            %tenant, origin, call = %delivery.call.call_uuid, seq = delivery.event.seq, error,
            "WEBHOOKS ARE ABOUT TO BE GIVEN UP: one more try, then they are dead letters"
        );
        let Some(url) = self.url.clone() else {
            return;
        };
        let body = json!({
            "event_name": "iradialer::webhook_failing",
            "event_data": {
                "tenant_id": tenant,
                "origin": origin,
                "webhook_id": body::message_id(delivery),
                "tries": delivery.tries.saturating_add(1),
                "error": error,
                "timestamp": body::timestamp(now_ms),
                "last_try_at": body::timestamp(next_ms),
            },
        });
        let (client, signer) = (client.clone(), signer.clone());
        tokio::spawn(async move {
            tell(
                &client,
                &signer,
                &url,
                body.to_string().as_bytes(),
                now_ms / 1000,
            )
            .await;
        });
    }

    /// Whether it was not told of in the last hour; from now on it was.
    fn is_news(&self, receiver: String, now: Instant) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| now.duration_since(*at) < EVERY);
        match told.contains_key(&receiver) {
            true => false,
            false => told.insert(receiver, now).is_none(),
        }
    }
}

/// The operator's own webhook, for what else is worth telling.
pub struct OperatorHook {
    client: WebhookClient,
    signer: Signer,
    url: Option<Arc<str>>,
}

impl OperatorHook {
    /// `webhooks.alert_url`, signed with `secret` and the one before it.
    ///
    /// # Errors
    /// Where the secret is none, or no HTTP client can be set up.
    pub fn new(config: &WebhookConfig, secret: &Secret) -> Result<Self, RoleError> {
        let secrets = std::iter::once(secret).chain(&config.previous_secret);
        Ok(OperatorHook {
            client: WebhookClient::new(config).map_err(RoleError::new)?,
            signer: Signer::new(secrets.map(Secret::reveal)).map_err(RoleError::new)?,
            url: config.alert_url.as_deref().map(Arc::from),
        })
    }

    /// Tells it, in nobody's way; a few tries are made. `now_ms` is ms since the Unix epoch.
    pub fn tell(&self, event: &str, mut data: Value, now_ms: u64) {
        let Some(url) = self.url.clone() else {
            return;
        };
        data["timestamp"] = json!(body::timestamp(now_ms));
        let body = json!({ "event_name": event, "event_data": data }).to_string();
        let (client, signer) = (self.client.clone(), self.signer.clone());
        tokio::spawn(async move {
            tell(&client, &signer, &url, body.as_bytes(), now_ms / 1000).await;
        });
    }
}

async fn tell(client: &WebhookClient, signer: &Signer, url: &str, body: &[u8], now_s: u64) {
    let id = CallUuid::fresh().to_string();
    for wait in TRIES {
        sleep(wait).await;
        let timestamp_s = now_s + wait.as_secs();
        let outcome = client
            .post(Message {
                url,
                id: &id,
                timestamp_s,
                signature: signer.sign(&id, timestamp_s, body),
                token: None,
                body: body.to_vec(),
            })
            .await;
        if outcome.meaning == Meaning::Delivered {
            return;
        }
        let error = outcome.error.unwrap_or_default();
        tracing::error!(
            error,
            "webhooks.alert_url: the operator's webhook was not taken"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_told_of_once_an_hour() {
        let alerts = Alerts::new(None);
        let now = Instant::now();
        assert!(alerts.is_news("a".to_owned(), now));
        assert!(!alerts.is_news("a".to_owned(), now));
        assert!(alerts.is_news("b".to_owned(), now));
        assert!(alerts.is_news("a".to_owned(), now + EVERY));
    }
}
