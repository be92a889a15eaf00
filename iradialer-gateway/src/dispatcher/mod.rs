//! Delivers events to webhooks.
//!
//! Every delivery is a row of the TDB until it is done or dead, so a restart loses none; it may make
//! one twice, which the receiver sees by its `webhook-id`. The events of a call go out in order, the
//! next when the one before is noted as done or dead. Receivers are independent: each has its own few places and
//! its breaker, and one that is slow or dead holds up nobody else. A place is free again with the answer; what the
//! answers say is noted for many deliveries at once.

mod address;
mod ahead;
mod alert;
pub(crate) mod body;
mod client;
mod courier;
mod lead;
mod notes;
mod prune;
mod receivers;
mod schedule;
mod signature;
mod tls;

pub use address::AddressGuard;
pub use alert::OperatorHook;
pub use client::{Meaning, Message, Outcome, WebhookClient};
pub use signature::{BadSecret, Signer, Signers};

use crate::app::App;
use crate::config::Secret;
use crate::roles::RoleError;
use crate::tdb::{Delivery, DueReceiver, TdbError, Tried};
use ahead::{Ahead, Wanted};
use alert::Alerts;
use courier::Courier;
use futures::FutureExt;
use iradialer_core::value::CallUuid;
use lead::{Claim, Lead};
use receivers::{Receivers, Sign};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// The loop looks at all receivers this often even if nothing wakes it.
const TICK: Duration = Duration::from_secs(5);
/// What the address of a call's events begins with that go to a subject of the bus.
pub(crate) const BUS: &str = "nats:";
/// How often it looks for deliveries that a clock which was ahead has put off.
const MEND_EVERY: Duration = Duration::from_secs(30);
/// How long to wait after a fault of the database.
const FAULT_DELAY: Duration = Duration::from_secs(1);
/// A receiver that fails is left alone after each failure for the first wait of the schedule, and no longer than this.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// How long deliveries that are under way at the end are waited for.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// How many answers and notes are gone through before receivers are looked at.
const DONE_AT_ONCE: usize = 256;
/// From one look at all receivers to the next there is at least this time, and three times that which it took to find
/// those of whom something is due: so events that come one by one cost no more than a third of the time.
const LOOK_PAUSE: Duration = Duration::from_millis(1);

/// The dispatcher, ready to run.
pub struct Dispatcher {
    claim: Claim,
    work: Work,
}

/// What it does while it has the right to.
struct Work {
    courier: Arc<Courier>,
    lead: Lead,
    ahead: Ahead,
    receivers: Receivers,
    /// When to look at all receivers next, but not before `may_look`.
    next_look: Instant,
    may_look: Instant,
    /// The receivers that are looked at by themselves, and when: something of theirs is due then, or they have rested.
    planned: BTreeMap<String, Instant>,
    /// When it last looked for what to mend.
    mended: Option<Instant>,
    done: mpsc::UnboundedSender<Done>,
    finished: mpsc::UnboundedReceiver<Done>,
    tries: mpsc::UnboundedSender<Tried>,
}

/// How far a delivery has come.
enum Done {
    /// Its receiver has answered, or has not.
    Answered { receiver: String, sign: Sign },
    /// What came of it is in the TDB, or could not be noted.
    Noted {
        call: CallUuid,
        /// When the call's next is due, ms since the Unix epoch, where it is not at once.
        next_ms: Option<u64>,
    },
}

impl Dispatcher {
    /// A dispatcher that signs with `secret` (`whsec_…`), and with the one before it where there is one; for tenants
    /// that have their own with those.
    ///
    /// # Errors
    /// Where the secret is none, or no HTTP client can be set up.
    pub fn new(app: App, secret: &Secret) -> Result<Dispatcher, RoleError> {
        let signers = Signers::new(secret, &app.config.webhooks).map_err(RoleError::new)?;
        let client = WebhookClient::new(&app.config.webhooks)?;
        let alerts = Alerts::new(app.config.webhooks.alert_url.as_deref());
        let first_wait = app.config.webhooks.retry_after.first();
        let rest = first_wait.map_or(LONGEST_REST, |wait| LONGEST_REST.min(*wait));
        let (done, finished) = mpsc::unbounded_channel();
        let (tries, to_note) = mpsc::unbounded_channel();
        tokio::spawn(notes::run(
            app.tdb.clone(),
            app.clock.clone(),
            to_note,
            done.clone(),
        ));
        let (claim, lead) = Claim::new(app.clone());
        let work = Work {
            lead,
            courier: Arc::new(Courier {
                app,
                signers,
                client,
                alerts,
            }),
            ahead: Ahead::default(),
            receivers: Receivers::new(rest),
            next_look: Instant::now(),
            may_look: Instant::now(),
            planned: BTreeMap::new(),
            mended: None,
            done,
            finished,
            tries,
        };
        Ok(Dispatcher { claim, work })
    }

    /// Delivers until `stop`, as long as no other dispatcher does, then waits a moment for the answers to what is under
    /// way.
    pub async fn run(self, stop: CancellationToken) {
        let over = CancellationToken::new();
        let claiming = self.claim.run(over.clone());
        let claiming = AbortOnDropHandle::new(tokio::spawn(claiming));
        self.work.run(stop).await;
        over.cancel();
        let _ = claiming.await;
    }
}

impl Work {
    async fn run(mut self, stop: CancellationToken) {
        let courier = Arc::clone(&self.courier);
        let app = &courier.app;
        if let Err(error) = app.tdb.close_breakers().await {
            tracing::debug!(%error, "the state of the receivers could not be noted");
        }
        let keep = app.config.webhooks.keep;
        let pruning = prune::run(app.tdb.clone(), app.clock.clone(), keep);
        let _pruning = AbortOnDropHandle::new(tokio::spawn(pruning));
        let mut done = Vec::with_capacity(DONE_AT_ONCE);
        let mut lead = self.lead.clone();
        while !stop.is_cancelled() {
            let leads = lead.is_ours();
            let looked = tokio::select! {
                () = courier.app.wake.dispatcher.notified() => {
                    self.next_look = Instant::now();
                    Ok(())
                }
                () = lead.changed(), if !leads => {
                    self.next_look = Instant::now();
                    Ok(())
                }
                () = sleep_until(self.next_look.max(self.may_look)), if leads => self.look_at_all().await,
                () = sleep_until(self.first_planned()), if leads && !self.planned.is_empty() => {
                    self.look_at_planned().await
                }
                _ = self.finished.recv_many(&mut done, DONE_AT_ONCE) => {
                    self.go_on_after(done.drain(..)).await
                }
                () = stop.cancelled() => Ok(()),
            };
            if let Err(error) = looked {
                tracing::error!(%error, "webhooks can't be read, trying again until they can");
                self.next_look = Instant::now();
                self.may_look = self.next_look + FAULT_DELAY;
                self.planned.clear();
            }
        }
        let _ = timeout(LAST_ANSWERS, self.wait_for_answers()).await;
    }

    /// Sends what is due, to every receiver.
    async fn look_at_all(&mut self) -> Result<(), TdbError> {
        let now_ms = self.courier.app.clock.now_ms();
        self.next_look = Instant::now() + TICK;
        self.mend(now_ms).await?;
        let begun = Instant::now();
        let due = self.courier.app.tdb.due_receivers(now_ms).await?;
        self.may_look = begun + LOOK_PAUSE.max(begun.elapsed() * 3);
        self.send_to(due).await
    }

    /// When the first receiver is looked at by itself.
    fn first_planned(&self) -> Instant {
        let first = self.planned.values().min();
        first.copied().unwrap_or_else(Instant::now)
    }

    /// Sends what is due to the receivers that were to be looked at about now.
    async fn look_at_planned(&mut self) -> Result<(), TdbError> {
        let now = Instant::now();
        let planned = self.planned.extract_if(.., |_, then| *then <= now);
        let receivers: Vec<String> = planned.map(|(receiver, _)| receiver).collect();
        let now_ms = self.courier.app.clock.now_ms();
        let due = self.courier.app.tdb.due_of(&receivers, now_ms).await?;
        self.send_to(due).await
    }

    /// Sends what is due. Nobody who takes webhooks waits for what is read of those that do not.
    async fn send_to(&mut self, mut due: Vec<DueReceiver>) -> Result<(), TdbError> {
        due.sort_by_key(|due| self.receivers.is_ill(&due.receiver));
        for due in due {
            let now = Instant::now();
            if let Some(rest) = self.receivers.rest(&due.receiver, now) {
                self.plan(due.receiver, now + rest);
                continue;
            }
            if let Some(newest_ms) = due.newest_ms {
                self.ahead.expect(&due.receiver, newest_ms);
                self.look_at(&due.receiver).await?;
            }
            if let Some(later_ms) = due.later_ms {
                self.plan_at_ms(due.receiver, later_ms);
            }
        }
        Ok(())
    }

    /// Has the receiver looked at then, if it is not before.
    fn plan(&mut self, receiver: String, then: Instant) {
        let planned = self.planned.entry(receiver).or_insert(then);
        *planned = then.min(*planned);
    }

    /// The same for a time of the TDB's. Of what is further off a look at all receivers learns first.
    fn plan_at_ms(&mut self, receiver: String, then_ms: u64) {
        let now_ms = self.courier.app.clock.now_ms();
        let wait = Duration::from_millis(then_ms.saturating_sub(now_ms));
        if wait <= TICK {
            self.plan(receiver, Instant::now() + wait);
        }
    }

    async fn mend(&mut self, now_ms: u64) -> Result<(), TdbError> {
        if self.mended.is_some_and(|at| at.elapsed() < MEND_EVERY) {
            return Ok(());
        }
        let longest = schedule::longest(&self.courier.app.config.webhooks.retry_after);
        let longest_ms = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX / 4);
        let tdb = &self.courier.app.tdb;
        let deliveries = tdb.mend_deliveries(longest_ms, now_ms).await?;
        if deliveries > 0 {
            tracing::warn!(
                deliveries,
                "webhooks were to wait for a clock that was ahead: they are due now"
            );
        }
        let now = Instant::now();
        for receiver in self.receivers.forget_idle(now) {
            self.show_breaker(receiver, false);
        }
        self.mended = Some(now);
        Ok(())
    }

    /// Places have become free, and calls may have their next event sent.
    async fn go_on_after(&mut self, done: impl Iterator<Item = Done>) -> Result<(), TdbError> {
        let now = Instant::now();
        let mut concerned = BTreeSet::new();
        for done in done {
            match done {
                Done::Answered { receiver, sign } => {
                    if let Some(is_open) = self.receivers.ends(&receiver, sign, now) {
                        self.show_breaker(receiver.clone(), is_open);
                    }
                    concerned.insert(receiver);
                }
                Done::Noted { call, next_ms } => {
                    let Some(receiver) = self.ahead.let_go(&call, next_ms.is_none()) else {
                        continue;
                    };
                    if let Some(next_ms) = next_ms {
                        self.plan_at_ms(receiver.clone(), next_ms);
                    }
                    concerned.insert(receiver);
                }
            }
        }
        // Nobody who takes webhooks waits for what is read of those that do not.
        let mut concerned: Vec<String> = concerned.into_iter().collect();
        concerned.sort_by_key(|receiver| self.receivers.is_ill(receiver));
        for receiver in concerned {
            match self.receivers.rest(&receiver, now) {
                Some(rest) => self.plan(receiver, now + rest),
                None => self.look_at(&receiver).await?,
            }
        }
        Ok(())
    }

    /// Has those see it who look at the TDB.
    fn show_breaker(&self, receiver: String, is_open: bool) {
        let app = self.courier.app.clone();
        tokio::spawn(async move {
            let since_ms = is_open.then(|| app.clock.now_ms());
            if let Err(error) = app.tdb.note_breaker(receiver, since_ms).await {
                tracing::debug!(%error, "the state of a receiver could not be noted");
            }
        });
    }

    /// Sends what the receiver is to get now, as far as it has places.
    async fn look_at(&mut self, receiver: &str) -> Result<(), TdbError> {
        if !self.lead.is_ours() {
            return Ok(());
        }
        self.send_what_was_read(receiver);
        let now = Instant::now();
        let room = self.receivers.room(receiver, now);
        let wanted = self.ahead.wanted(receiver, room, now);
        if let Wanted::Later(then) = wanted {
            self.plan(receiver.to_owned(), then);
        }
        if let Wanted::Now(limit) = wanted {
            let limit = u32::try_from(limit).unwrap_or(u32::MAX);
            let now_ms = self.courier.app.clock.now_ms();
            let tdb = &self.courier.app.tdb;
            let mut passed_over = 0;
            let ahead = &self.ahead;
            let due = tdb
                .due_deliveries(receiver, limit, now_ms, |call| {
                    let is_held = ahead.holds(call);
                    passed_over += u32::from(is_held);
                    !is_held
                })
                .await?;
            let all = due.len() + (passed_over as usize) < limit as usize;
            self.ahead.put(receiver, due, all, now);
            self.send_what_was_read(receiver);
        }
        self.ahead.tidy(receiver);
        Ok(())
    }

    fn send_what_was_read(&mut self, receiver: &str) {
        let now = Instant::now();
        while self.receivers.room(receiver, now) > 0
            && let Some(delivery) = self.ahead.next(receiver, now)
        {
            self.receivers.begins(receiver);
            self.send(delivery, receiver.to_owned());
        }
    }

    fn send(&self, delivery: Delivery, receiver: String) {
        let courier = Arc::clone(&self.courier);
        let (tell, tries) = (self.done.clone(), self.tries.clone());
        tokio::spawn(async move {
            let call = delivery.call.call_uuid;
            let delivered = AssertUnwindSafe(courier.deliver(&delivery)).catch_unwind();
            // A delivery that panicked is due as before; the next look finds it.
            let (tried, sign) = delivered.await.unwrap_or((None, Sign::None));
            let noted = tried.is_some_and(|tried| tries.send(tried).is_ok());
            let _ = tell.send(Done::Answered { receiver, sign });
            if !noted {
                let _ = tell.send(Done::Noted {
                    call,
                    next_ms: None,
                });
            }
        });
    }

    async fn wait_for_answers(&mut self) {
        let mut left = self.ahead.drop_waiting();
        while left > 0 {
            match self.finished.recv().await {
                Some(Done::Noted { .. }) => left -= 1,
                Some(Done::Answered { .. }) => {}
                None => return,
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
