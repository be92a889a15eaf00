//! What is in the journal before anybody is told, and what an earlier life has left in it.

use super::{Engine, FateReply, Reply, refused};
use crate::admission::Refusal;
use crate::call::Call;
use crate::config::Config;
use crate::dialer::Job;
use crate::host::Host;
use crate::journal::{Env, Fault, Fence, Held, HostDir, Index, Intent, Journal, Record};
use crate::live::{Direct, DirectCalls};
use crate::outbox::Publisher;
use iradialer_core::call::{CallState, EndedBy};
use iradialer_core::ledger::Ledger;
use iradialer_core::value::CallUuid;
use iradialer_core::wire::{
    self, AttemptFate, DialCommand, EventBody, Hangup, HeldAttempt, HeldReply, MOST_ATTEMPTS,
    Query, RefusalReason, SwitchEvent,
};
use std::io;
use std::sync::Arc;

/// How long an attempt is remembered after its command has lost its force, ms: longer than a message is
/// ever held up.
const REMEMBERED_MS: u64 = 600_000;
/// A refused one is remembered so long, ms: past `not_after` its command has no force, unless somebody
/// sets the clock back by more.
const REFUSED_MS: u64 = 60_000;
/// A call that was asked of this switch by its UUID is remembered so long after it has ended, ms.
const DIRECT_REMEMBERED_MS: u64 = 86_400_000;
/// An ended attempt that is not confirmed is published again so long after the last time, ms.
const AGAIN_AFTER_MS: u64 = 10_000;

/// Opens the journal of the configuration, and says what it holds.
pub fn open_journal(
    config: &Config,
    host: &Arc<dyn Host>,
    publisher: Publisher,
) -> io::Result<(Journal, Index)> {
    let dir = config.journal_dir.as_deref().unwrap_or("".as_ref());
    let named =
        |error: io::Error| io::Error::other(format!("journal-dir: {}: {error}", dir.display()));
    let (log_to, clock) = (host.clone(), host.clone());
    let env = Env {
        log: Box::new(move |level, line| log_to.log(level, line)),
        now_ms: Box::new(move || clock.now_us() / 1000),
        publish: Box::new(move |event| publisher.durable(event)),
    };
    let disk = HostDir::lock(dir).map_err(named)?;
    Journal::open(Box::new(disk), env).map_err(named)
}

/// What is known of the attempts of earlier lives.
pub fn ledger_of(left_behind: &Index) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.epoch_is_current(left_behind.epoch);
    if let Some(youngest) = left_behind.forgotten {
        ledger.forget_up_to(youngest);
    }
    for fence in left_behind.fences.values() {
        match fence.dialled {
            true => ledger.end(fence.attempt_id),
            false => ledger.fence(fence.attempt_id),
        }
    }
    for (attempt, held) in &left_behind.held {
        match crashed_before_it_began(held) {
            true => ledger.doubt(*attempt),
            false => ledger.end(*attempt),
        }
    }
    ledger
}

/// The calls that were asked of earlier lives of this switch, and of this one.
pub fn direct_calls_of(left_behind: &Index) -> DirectCalls {
    let calls = DirectCalls::default();
    for fence in left_behind.fences.values() {
        if let Some(call_uuid) = fence.call_uuid {
            calls.remember_until(call_uuid, fence.until_ms);
        }
    }
    for held in left_behind.held.values().filter(|held| held.intent.direct) {
        calls.remember_until(held.intent.call_uuid, u64::MAX);
    }
    calls
}

fn crashed_before_it_began(held: &Held) -> bool {
    match held.events.first().map(|event| &event.body) {
        None => true,
        Some(EventBody::Hangup(hangup)) => hangup.by == EndedBy::Crash,
        Some(_) => false,
    }
}

impl Engine {
    /// Takes a dial command or refuses it; the answer goes to `reply` once it is in the journal, and that
    /// of a command that was taken when its channel is made. Never blocks.
    pub fn dial(&self, command: DialCommand, reply: Reply) {
        self.dial_as(command, None, reply);
    }

    /// As [`Engine::dial`], for a call that may have been asked of this switch.
    pub(crate) fn dial_as(&self, command: DialCommand, direct: Option<Direct>, reply: Reply) {
        let (now_us, steady_us) = (self.host.now_us(), self.host.steady_us());
        // A transfer that was begun is let finish, also where the switch drains.
        let awaited = command.bridge_to.is_some() && self.transfers.awaits(command.call_uuid);
        let admitted = self.admission.admit(&command, awaited, now_us, steady_us);
        match admitted {
            // What there is to know of the attempt is in the journal, or on its way there.
            Err(refusal) if refusal.reason == RefusalReason::Duplicate => reply(refused(refusal)),
            // The disk takes no record. The attempt is fenced for as long as this life lasts, and no
            // command for it reaches another.
            Err(refusal) if refusal.reason == RefusalReason::Faulty => reply(refused(refusal)),
            Err(refusal) => self.refuse(&command, refusal, reply),
            Ok(()) => {
                let call = self.call_of(command, direct);
                self.prepare(call, reply);
            }
        }
    }

    /// The call of a command that was admitted.
    pub(super) fn call_of(&self, command: DialCommand, direct: Option<Direct>) -> Arc<Call> {
        Call::new(
            command,
            self.config.read().prompts_dir.clone(),
            self.identity.clone(),
            self.host.clone(),
            self.outbox.clone(),
            self.copies.clone(),
            direct,
        )
    }

    /// Hands an admitted call that is ready over to be dialled.
    pub(crate) fn to_dialer(&self, call: Arc<Call>, reply: Reply) {
        if let Err((call, reply)) = self.dialer.submit(call, reply) {
            let refusal = Refusal::new(RefusalReason::Busy, "the dialer's queue is full");
            self.turn_away(&call.command, refusal, reply);
        }
    }

    /// Refuses an admitted command of which nothing was promised yet.
    pub(crate) fn turn_away(&self, command: &DialCommand, refusal: Refusal, reply: Reply) {
        self.admission.withdraw(command.attempt_id);
        self.refuse(command, refusal, reply);
    }

    /// As [`Engine::turn_away`], for one that has stepped aside.
    pub(crate) fn turn_away_waiting(&self, command: &DialCommand, refusal: Refusal, reply: Reply) {
        self.admission.withdraw_aside(command.attempt_id);
        self.refuse(command, refusal, reply);
    }

    /// Refuses a command that has left no trace yet. A switch that is offered more than it can do refuses
    /// thousands a second, and must not spend on them what its calls need.
    fn refuse(&self, command: &DialCommand, refusal: Refusal, reply: Reply) {
        let now_ms = self.host.now_us() / 1000;
        let from = match command.not_after_ms {
            u64::MAX => now_ms,
            not_after_ms => now_ms.max(not_after_ms),
        };
        let fence = Record::Fence(Fence {
            attempt_id: command.attempt_id,
            epoch: self.admission.own_epoch(),
            until_ms: from.saturating_add(REFUSED_MS),
            dialled: false,
            call_uuid: None,
        });
        let then = Box::new(move |done: Result<(), Fault>| {
            reply(refused(match done {
                Ok(()) => refusal,
                Err(fault) => faulty(&fault),
            }));
        });
        self.outbox.journal().promise_along(fence, then);
    }

    /// On a dialer's thread: has on the disk that these calls are about to be dialled, and begins them.
    pub(super) fn promise_and_begin(&self, jobs: Vec<Job>) {
        let now_ms = self.host.now_us() / 1000;
        let intents = jobs.iter().map(|(call, _)| intent(call, now_ms));
        let promised = self.outbox.journal().write(intents);
        for (call, reply) in jobs {
            match &promised {
                Ok(()) => self.begin(&call, reply),
                Err(fault) => {
                    self.admission.withdraw(call.command.attempt_id);
                    reply(refused(faulty(fault)));
                }
            }
        }
    }

    /// An admitted attempt can't be begun: its intent is taken back before anybody hears of it.
    pub(super) fn take_back(&self, command: &DialCommand, refusal: Refusal, reply: Reply) {
        self.admission.withdraw(command.attempt_id);
        let fence = self.fence(command.attempt_id, command.not_after_ms);
        let then = Box::new(move |_| reply(refused(refusal)));
        self.outbox.journal().settle(fence, then);
    }

    /// What became of an attempt. One that never came is fenced, in the journal too, before `reply` hears
    /// of it.
    pub fn fate(&self, query: &Query, reply: FateReply) {
        let (fate, write) = match self.admission.fate(query) {
            Ok(known) => known,
            Err(refusal) => return reply(Err(refusal)),
        };
        if !write {
            return reply(Ok(fate));
        }
        let record = match fate {
            AttemptFate::NeverDialled => self.fence(query.attempt_id, 0),
            _ => Record::Epoch(query.epoch),
        };
        let then = Box::new(move |done: Result<(), Fault>| {
            reply(done.map(|()| fate).map_err(|fault| faulty(&fault)));
        });
        self.outbox.journal().promise(record, then);
    }

    fn fence(&self, attempt_id: CallUuid, not_after_ms: u64) -> Record {
        self.fence_until(attempt_id, not_after_ms, false)
    }

    fn fence_until(&self, attempt_id: CallUuid, not_after_ms: u64, dialled: bool) -> Record {
        let now_ms = self.host.now_us() / 1000;
        // A command that never loses its force is an operator's, which nobody sends twice.
        let from = if not_after_ms == u64::MAX {
            now_ms
        } else {
            now_ms.max(not_after_ms)
        };
        Record::Fence(Fence {
            attempt_id,
            epoch: self.admission.own_epoch(),
            until_ms: from.saturating_add(REMEMBERED_MS),
            dialled,
            call_uuid: None,
        })
    }

    /// The collector has every event of an ended attempt.
    pub fn confirmed(&self, attempt: CallUuid) {
        let journal = self.outbox.journal();
        let Some(intent) = journal.intent(attempt) else {
            return;
        };
        let mut record = self.fence_until(attempt, intent.not_after_ms, true);
        if let (true, Record::Fence(fence)) = (intent.direct, &mut record) {
            fence.call_uuid = Some(intent.call_uuid);
            fence.until_ms = self.host.now_us() / 1000 + DIRECT_REMEMBERED_MS;
            self.direct.remember_until(intent.call_uuid, fence.until_ms);
        }
        journal.note(record);
    }

    /// The collector has not all events of an ended attempt: they are published again, if it had time.
    pub fn publish_again(&self, attempt: CallUuid) {
        let now_ms = self.host.now_us() / 1000;
        let journal = self.outbox.journal();
        for event in journal.due_again(attempt, now_ms, AGAIN_AFTER_MS) {
            self.outbox.again(event, now_ms);
        }
    }

    /// Which attempts are held, after `after`.
    pub fn held(&self, after: Option<CallUuid>) -> HeldReply {
        let mut attempts: Vec<_> = self
            .registry
            .all()
            .into_iter()
            .filter(|call| after.is_none_or(|after| call.command.attempt_id > after))
            .take(MOST_ATTEMPTS + 1)
            .map(|call| HeldAttempt {
                call_uuid: call.command.call_uuid,
                attempt: call.command.attempt,
                attempt_id: call.command.attempt_id,
                state: match call.snapshot().state {
                    "ringing" => CallState::Ringing,
                    "answered" => CallState::Answered,
                    _ => CallState::Dialing,
                },
            })
            .collect();
        let more = attempts.len() > MOST_ATTEMPTS;
        attempts.truncate(MOST_ATTEMPTS);
        HeldReply {
            journal_id: self.identity.journal_id,
            attempts,
            more,
        }
    }

    /// Publishes again what no collector has confirmed, and ends the attempts an earlier life died with.
    pub(super) fn take_up(&self, left_behind: Index) {
        let now_ms = self.host.now_us() / 1000;
        for held in left_behind.held.values() {
            for event in &held.events {
                self.outbox.again(event.clone(), now_ms);
            }
            if !held.is_over() {
                self.outbox.push(self.crash_of(held, now_ms));
            }
        }
    }

    fn crash_of(&self, held: &Held, now_ms: u64) -> SwitchEvent {
        let answered = |event: &&Arc<SwitchEvent>| matches!(event.body, EventBody::Answered { .. });
        let answered = held.events.iter().find(answered);
        let rang = |event: &Arc<SwitchEvent>| matches!(event.body, EventBody::Ringing { .. });
        // When it died is not known; when it was last heard of is.
        let last_ms = held
            .events
            .last()
            .map_or(held.intent.at_ms, |event| event.at_ms);
        let variables = held.events.iter().filter_map(|event| match &event.body {
            EventBody::DtmfCollected {
                var_name, digits, ..
            } => Some((var_name.clone(), digits.clone())),
            _ => None,
        });
        let hangup = Hangup {
            hangup_cause: "CRASH".into(),
            sip_status: answered.map(|_| 200),
            sip_phrase: answered.map(|_| "OK".to_owned()),
            by: EndedBy::Crash,
            answered: answered.is_some(),
            rang: held.events.iter().any(rang),
            duration_ms: last_ms.saturating_sub(held.intent.at_ms),
            billsec_ms: answered.map_or(0, |event| last_ms.saturating_sub(event.at_ms)),
            variables: variables.collect(),
            node: None,
            fault: Some("the switch died with the call".into()),
        };
        SwitchEvent {
            v: wire::VERSION,
            call_uuid: held.intent.call_uuid,
            attempt: held.intent.attempt,
            attempt_id: held.intent.attempt_id,
            seq: held.last_seq() + 1,
            tenant_id: held.intent.tenant_id.clone(),
            node_id: self.identity.node_id.clone(),
            incarnation: self.identity.incarnation,
            at_ms: now_ms,
            body: EventBody::Hangup(hangup),
        }
    }
}

pub(super) fn intent(call: &Call, at_ms: u64) -> Record {
    let command = &call.command;
    Record::Intent(Intent {
        call_uuid: command.call_uuid,
        attempt: command.attempt,
        attempt_id: command.attempt_id,
        tenant_id: command.tenant_id.clone(),
        epoch: command.epoch,
        not_after_ms: command.not_after_ms,
        at_ms,
        direct: call.direct.is_some(),
    })
}

pub(super) fn faulty(fault: &Fault) -> Refusal {
    let detail = format!("the journal can't be written: {}", fault.0);
    Refusal::new(RefusalReason::Faulty, detail)
}
