//! Delivers events to webhooks.
//!
//! Every delivery is a row of the TDB until it is done or dead, so a restart loses none; it may make
//! one twice, which the receiver sees by its `webhook-id`. The events of a call go out in order, the
//! next when the one before is done or dead. Receivers are independent: each has its own few places and
//! its breaker, and one that is slow or dead holds up nobody else.

mod address;
mod alert;
pub(crate) mod body;
mod client;
mod receivers;
mod schedule;
mod signature;

pub use address::AddressGuard;
pub use alert::OperatorHook;
pub use client::{Meaning, Message, Outcome, WebhookClient};
pub use signature::{BadSecret, Signer};

use crate::app::App;
use crate::config::Secret;
use crate::roles::RoleError;
use crate::tdb::{Delivery, TdbError, Tried, Verdict};
use alert::Alerts;
use iradialer_core::value::CallUuid;
use receivers::{Receivers, Sign};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The loop looks this often even if nothing wakes it.
const TICK_MS: u64 = 5_000;
/// What the address of a call's events begins with that go to a subject of the bus.
pub(crate) const BUS: &str = "nats:";
/// How often it looks for deliveries that a clock which was ahead has put off.
const MEND_EVERY: Duration = Duration::from_secs(30);
/// How long to wait after a fault of the database.
const FAULT_DELAY_MS: u64 = 1_000;
/// A receiver that fails is left alone after each failure for the first wait of the schedule, and no longer than this.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// How long deliveries that are under way at the end are waited for.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// The dispatcher, ready to run.
pub struct Dispatcher {
    courier: Arc<Courier>,
    /// The calls that have a delivery under way, each with its receiver.
    under_way: HashMap<CallUuid, String>,
    receivers: Receivers,
    /// When to look next, ms since the Unix epoch.
    next_look_ms: u64,
    /// When it last looked for what to mend.
    mended: Option<Instant>,
    done: mpsc::UnboundedSender<Done>,
    finished: mpsc::UnboundedReceiver<Done>,
}

/// A delivery is over.
struct Done {
    call: CallUuid,
    /// When the call's next is due, ms since the Unix epoch.
    next_ms: Option<u64>,
    sign: Sign,
}

impl Dispatcher {
    /// A dispatcher that signs with `secret` (`whsec_…`), and with the one before it where there is one.
    ///
    /// # Errors
    /// Where the secret is none, or no HTTP client can be set up.
    pub fn new(app: App, secret: &Secret) -> Result<Dispatcher, RoleError> {
        let before = app.config.webhooks.previous_secret.iter();
        let secrets = std::iter::once(secret).chain(before);
        let signer = Signer::new(secrets.map(Secret::reveal)).map_err(RoleError::new)?;
        let client = WebhookClient::new(&app.config.webhooks).map_err(RoleError::new)?;
        let alerts = Alerts::new(app.config.webhooks.alert_url.as_deref());
        let first_wait = app.config.webhooks.retry_after.first();
        let rest = first_wait.map_or(LONGEST_REST, |wait| LONGEST_REST.min(*wait));
        let (done, finished) = mpsc::unbounded_channel();
        Ok(Dispatcher {
            courier: Arc::new(Courier {
                app,
                signer,
                client,
                alerts,
            }),
            under_way: HashMap::new(),
            receivers: Receivers::new(rest),
            next_look_ms: 0,
            mended: None,
            done,
            finished,
        })
    }

    /// Delivers until `stop`, then waits a moment for the answers to what is under way.
    pub async fn run(mut self, stop: CancellationToken) {
        let courier = Arc::clone(&self.courier);
        while !stop.is_cancelled() {
            let looked = tokio::select! {
                () = courier.app.wake.dispatcher.notified() => self.look_at_all().await,
                () = sleep(self.until_next_look()) => self.look_at_all().await,
                Some(done) = self.finished.recv() => self.go_on_after(done).await,
                () = stop.cancelled() => Ok(()),
            };
            if let Err(error) = looked {
                tracing::error!(%error, "webhooks can't be read, trying again until they can");
                self.next_look_ms = courier.app.clock.now_ms() + FAULT_DELAY_MS;
            }
        }
        let _ = timeout(LAST_ANSWERS, self.wait_for_answers()).await;
    }

    fn until_next_look(&self) -> Duration {
        let now_ms = self.courier.app.clock.now_ms();
        Duration::from_millis(self.next_look_ms.saturating_sub(now_ms))
    }

    /// Sends what is due, to every receiver.
    async fn look_at_all(&mut self) -> Result<(), TdbError> {
        let now_ms = self.courier.app.clock.now_ms();
        self.next_look_ms = now_ms + TICK_MS;
        self.mend(now_ms).await?;
        for due in self.courier.app.tdb.due_receivers().await? {
            if let Some(rest) = self.receivers.rest(&due.receiver, Instant::now()) {
                self.look_after(rest);
                continue;
            }
            if due.next_ms <= now_ms {
                self.look_at(&due.receiver).await?;
            }
            // A receiver of whom one delivery is due may have others that are due later.
            let next_ms = self.courier.app.tdb.next_due_after(&due.receiver, now_ms);
            if let Some(next_ms) = next_ms.await? {
                self.next_look_ms = self.next_look_ms.min(next_ms);
            }
        }
        Ok(())
    }

    fn look_after(&mut self, rest: Duration) {
        let rest_ms = u64::try_from(rest.as_millis()).unwrap_or(u64::MAX);
        let then_ms = self.courier.app.clock.now_ms().saturating_add(rest_ms + 1);
        self.next_look_ms = self.next_look_ms.min(then_ms);
    }

    async fn mend(&mut self, now_ms: u64) -> Result<(), TdbError> {
        if self.mended.is_some_and(|at| at.elapsed() < MEND_EVERY) {
            return Ok(());
        }
        let deliveries = self.courier.app.tdb.mend_deliveries(now_ms).await?;
        if deliveries > 0 {
            tracing::warn!(
                deliveries,
                "webhooks were to wait for a clock that was ahead: they are due now"
            );
        }
        self.mended = Some(Instant::now());
        Ok(())
    }

    /// A place has become free: for the call's next event or another call.
    async fn go_on_after(&mut self, done: Done) -> Result<(), TdbError> {
        if let Some(next_ms) = done.next_ms {
            self.next_look_ms = self.next_look_ms.min(next_ms);
        }
        let Some(receiver) = self.under_way.remove(&done.call) else {
            return Ok(());
        };
        let now = Instant::now();
        self.receivers.ends(&receiver, done.sign, now);
        match self.receivers.rest(&receiver, now) {
            Some(rest) => {
                self.look_after(rest);
                Ok(())
            }
            None => self.look_at(&receiver).await,
        }
    }

    /// Sends what the receiver is to get now, as far as it has places.
    async fn look_at(&mut self, receiver: &str) -> Result<(), TdbError> {
        let busy = self.receivers.under_way(receiver);
        let free = self.receivers.room(receiver, Instant::now());
        if free == 0 {
            return Ok(());
        }
        // Those under way are still due, and stand at the front.
        let limit = u32::try_from(busy + free).unwrap_or(u32::MAX);
        let now_ms = self.courier.app.clock.now_ms();
        let tdb = &self.courier.app.tdb;
        let due = tdb.due_deliveries(receiver, limit, now_ms).await?;
        let fresh: Vec<Delivery> = due
            .into_iter()
            .filter(|delivery| !self.under_way.contains_key(&delivery.call.call_uuid))
            .take(free)
            .collect();
        for delivery in fresh {
            self.send(delivery, receiver);
        }
        Ok(())
    }

    fn send(&mut self, delivery: Delivery, receiver: &str) {
        let call = delivery.call.call_uuid;
        self.under_way.insert(call, receiver.to_owned());
        self.receivers.begins(receiver);
        let courier = Arc::clone(&self.courier);
        let tell = self.done.clone();
        let task = tokio::spawn(async move { courier.deliver(delivery).await });
        tokio::spawn(async move {
            // A delivery that panicked is due as before; the next look finds it.
            let (next_ms, sign) = task.await.unwrap_or((None, Sign::None));
            let _ = tell.send(Done {
                call,
                next_ms,
                sign,
            });
        });
    }

    async fn wait_for_answers(&mut self) {
        while !self.under_way.is_empty() {
            if let Some(done) = self.finished.recv().await {
                self.under_way.remove(&done.call);
            }
        }
    }
}

/// Makes one delivery and notes how it went.
struct Courier {
    app: App,
    signer: Signer,
    client: WebhookClient,
    alerts: Alerts,
}

impl Courier {
    /// Returns when the call's next delivery is due, ms since the Unix epoch, and what this one says of its
    /// receiver.
    async fn deliver(&self, delivery: Delivery) -> (Option<u64>, Sign) {
        let (call, seq) = (delivery.call.call_uuid, delivery.event.seq);
        let tdb = &self.app.tdb;
        let (noted, sign) = match self.is_gone(&delivery).await {
            true => {
                let ended = tdb.deliveries_end(call, self.app.clock.now_ms()).await;
                (ended, Sign::None)
            }
            false => {
                let (tried, sign) = self.attempt(&delivery).await;
                let now_ms = self.app.clock.now_ms();
                (tdb.delivery_tried(call, seq, tried, now_ms).await, sign)
            }
        };
        match noted {
            Ok(next_ms) => (next_ms, sign),
            Err(error) => {
                tracing::error!(%call, seq, %error, "a delivery could not be noted and will be made again");
                sleep(Duration::from_millis(FAULT_DELAY_MS)).await;
                (None, sign)
            }
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
            verdict: self.judge(delivery, &outcome),
            status: outcome.status,
            error: outcome.error,
            answer: outcome.answer,
            begun_ms,
            took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        (tried, sign)
    }

    /// Whether the receiver wanted no more before this event was there.
    async fn is_gone(&self, delivery: &Delivery) -> bool {
        let call = delivery.call.call_uuid;
        let gone = self.app.tdb.receiver_is_gone(call).await;
        gone.unwrap_or_else(|error| {
            tracing::warn!(%call, %error, "an event goes out that may not be wanted any more");
            false
        })
    }

    async fn post(&self, delivery: &Delivery) -> Outcome {
        let config = &self.app.config;
        let answer = match self.app.tdb.answer_before(&delivery.event).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(call = %delivery.call.call_uuid, %error, "an event goes out without its SIP facts");
                None
            }
        };
        let prefix = &config.webhooks.event_prefix;
        let body = body::body(delivery, answer, &config.cluster, prefix);
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
        let token = delivery.call.request.call_params.get("token");
        self.client
            .post(Message {
                url: &delivery.url,
                id: &id,
                timestamp_s,
                signature: self.signer.sign(&id, timestamp_s, &body),
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
                    let with = (&self.client, &self.signer);
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

#[cfg(test)]
pub(crate) mod tests;
