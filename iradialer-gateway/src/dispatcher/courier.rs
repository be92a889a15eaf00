//! Makes a delivery.

use super::alert::Alerts;
use super::client::{Meaning, Message, Outcome, WebhookClient};
use super::receivers::Sign;
use super::signature::Signers;
use super::{BUS, body, schedule};
use crate::app::App;
use crate::tdb::{Delivery, Tried, Verdict};
use tokio::time::Instant;

/// What it takes to make a delivery.
pub(super) struct Courier {
    pub(super) app: App,
    pub(super) signers: Signers,
    pub(super) client: WebhookClient,
    pub(super) alerts: Alerts,
}

impl Courier {
    /// Tries it. Returns what is to be noted, if anything is, and what it says of its receiver.
    pub(super) async fn deliver(&self, delivery: &Delivery) -> (Option<Tried>, Sign) {
        if delivery.is_gone {
            self.end(delivery).await;
            return (None, Sign::None);
        }
        let (tried, sign) = self.attempt(delivery).await;
        (Some(tried), sign)
    }

    /// The receiver wanted no more before this event was there.
    async fn end(&self, delivery: &Delivery) {
        let (call, now_ms) = (delivery.call.call_uuid, self.app.clock.now_ms());
        if let Err(error) = self.app.tdb.deliveries_end(call, now_ms).await {
            tracing::error!(%call, %error, "that nobody wants an event could not be noted, trying again");
            tokio::time::sleep(super::FAULT_DELAY).await;
        }
    }

    async fn attempt(&self, delivery: &Delivery) -> (Tried, Sign) {
        let (begun, begun_ms) = (Instant::now(), self.app.clock.now_ms());
        iradialer_core::failpoint::hit("dispatcher.send.before");
        let outcome = self.post(delivery).await;
        iradialer_core::failpoint::hit("dispatcher.send.after");
        let sign = match outcome.meaning {
            Meaning::Delivered | Meaning::Gone => Sign::Well,
            Meaning::Hopeless => Sign::None,
            Meaning::Failed { .. } => Sign::Ill,
        };
        let tried = Tried {
            call_uuid: delivery.call.call_uuid,
            seq: delivery.event.seq,
            tenant_id: delivery.call.tenant_id.clone(),
            origin: delivery.origin().to_owned(),
            verdict: self.judge(delivery, &outcome),
            status: outcome.status,
            error: outcome.error,
            answer: outcome.answer,
            begun_ms,
            took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        (tried, sign)
    }

    async fn post(&self, delivery: &Delivery) -> Outcome {
        let config = &self.app.config;
        let prefix = &config.webhooks.event_prefix;
        let body = body::body(delivery, &config.cluster, prefix);
        let id = body::message_id(delivery);
        let timestamp_s = self.app.clock.now_ms() / 1000;
        if let Some(subject) = delivery.url.strip_prefix(BUS) {
            let sent = self
                .app
                .switches
                .publish(subject.to_owned(), id, body)
                .await;
            return Outcome::on_the_bus(sent.map_err(|error| error.to_string()));
        }
        let signer = self.signers.of(&delivery.call.tenant_id);
        let token = delivery.call.call_params.get("token");
        self.client
            .post(Message {
                url: &delivery.url,
                id: &id,
                timestamp_s,
                signature: signer.sign(&id, timestamp_s, &body),
                token: token.and_then(serde_json::Value::as_str),
                body,
            })
            .await
    }

    fn judge(&self, delivery: &Delivery, outcome: &Outcome) -> Verdict {
        let (call, seq) = (delivery.call.call_uuid, delivery.event.seq);
        let error = outcome.error.as_deref().unwrap_or_default();
        let retry_after = match outcome.meaning {
            Meaning::Delivered => return Verdict::Delivered,
            Meaning::Gone => {
                tracing::info!(%call, seq, "a webhook is gone (410)");
                return Verdict::Gone;
            }
            Meaning::Hopeless => {
                tracing::warn!(%call, seq, error, "a webhook can't be delivered");
                return Verdict::Dead;
            }
            Meaning::Failed { retry_after } => retry_after,
        };
        let tries = delivery.tries.saturating_add(1);
        let schedule = &self.app.config.webhooks.retry_after;
        match schedule::next_wait(schedule, tries, retry_after, &mut rand::rng()) {
            Some(wait) => {
                tracing::debug!(%call, seq, tries, error, ?wait, "a webhook failed and will be tried again");
                let now_ms = self.app.clock.now_ms();
                let next_ms = now_ms.saturating_add(wait.as_millis() as u64);
                if usize::try_from(tries).is_ok_and(|tries| tries >= schedule.len()) {
                    let with = (&self.client, self.signers.of_operator());
                    self.alerts.last_try(delivery, error, next_ms, with, now_ms);
                }
                Verdict::Again { next_ms }
            }
            None => {
                tracing::warn!(%call, seq, tries, error, "a webhook is given up");
                Verdict::Dead
            }
        }
    }
}
