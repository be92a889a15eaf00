//! Delivers events to webhooks.
//!
//! Every delivery is a row of the TDB until it is done or dead, so a restart loses none; it may make
//! one twice, which the receiver sees by its `webhook-id`. The events of a call go out in order, the
//! next when the one before is done or dead. Receivers are independent: each has its own few places,
//! and one that is slow or dead holds up nobody else.

mod address;
mod body;
mod client;
mod schedule;
mod signature;

pub use address::AddressGuard;
pub use client::{Meaning, Message, Outcome, WebhookClient};
pub use signature::{BadSecret, Signer};

use crate::app::App;
use crate::config::Secret;
use crate::roles::RoleError;
use crate::tdb::{Delivery, TdbError, Tried, Verdict};
use iradialer_core::value::CallUuid;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How many deliveries a receiver may be sent at once, each of another call.
const PER_RECEIVER: usize = 16;
/// How many deliveries may be under way in all.
const IN_ALL: usize = 1_024;
/// The loop looks this often even if nothing wakes it.
const TICK_MS: u64 = 5_000;
/// How often it looks for deliveries that a clock which was ahead has put off.
const MEND_EVERY: Duration = Duration::from_secs(30);
/// How long to wait after a fault of the database.
const FAULT_DELAY_MS: u64 = 1_000;
/// How long deliveries that are under way at the end are waited for.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// The dispatcher, ready to run.
pub struct Dispatcher {
    courier: Arc<Courier>,
    /// The calls that have a delivery under way, each with its receiver.
    under_way: HashMap<CallUuid, String>,
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
        let (done, finished) = mpsc::unbounded_channel();
        Ok(Dispatcher {
            courier: Arc::new(Courier {
                app,
                signer,
                client,
            }),
            under_way: HashMap::new(),
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
        match self.under_way.remove(&done.call) {
            Some(receiver) => self.look_at(&receiver).await,
            None => Ok(()),
        }
    }

    /// Sends what the receiver is to get now, as far as it has places.
    async fn look_at(&mut self, receiver: &str) -> Result<(), TdbError> {
        let busy = self
            .under_way
            .values()
            .filter(|other| *other == receiver)
            .count();
        let free = PER_RECEIVER
            .saturating_sub(busy)
            .min(IN_ALL.saturating_sub(self.under_way.len()));
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
        let courier = Arc::clone(&self.courier);
        let tell = self.done.clone();
        let task = tokio::spawn(async move { courier.deliver(delivery).await });
        tokio::spawn(async move {
            // A delivery that panicked is due as before; the next look finds it.
            let next_ms = task.await.unwrap_or(None);
            let _ = tell.send(Done { call, next_ms });
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
}

impl Courier {
    /// Returns when the call's next delivery is due, ms since the Unix epoch.
    async fn deliver(&self, delivery: Delivery) -> Option<u64> {
        let (call, seq) = (delivery.call.call_uuid, delivery.event.seq);
        let tdb = &self.app.tdb;
        let noted = match self.is_gone(&delivery).await {
            true => tdb.deliveries_end(call, self.app.clock.now_ms()).await,
            false => {
                let tried = self.attempt(&delivery).await;
                let now_ms = self.app.clock.now_ms();
                tdb.delivery_tried(call, seq, tried, now_ms).await
            }
        };
        match noted {
            Ok(next_ms) => next_ms,
            Err(error) => {
                tracing::error!(%call, seq, %error, "a delivery could not be noted and will be made again");
                sleep(Duration::from_millis(FAULT_DELAY_MS)).await;
                None
            }
        }
    }

    async fn attempt(&self, delivery: &Delivery) -> Tried {
        let (begun, begun_ms) = (Instant::now(), self.app.clock.now_ms());
        iradialer_core::failpoint::hit("dispatcher.send.before");
        let outcome = self.post(delivery).await;
        iradialer_core::failpoint::hit("dispatcher.send.after");
        Tried {
            verdict: self.judge(delivery, &outcome),
            status: outcome.status,
            error: outcome.error,
            answer: outcome.answer,
            begun_ms,
            took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
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
mod tests;
