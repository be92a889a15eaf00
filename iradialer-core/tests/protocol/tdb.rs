//! The TDB: each function is one transaction, durable when it returns. A process may be killed before
//! it, and after it before it knows.

use crate::world::{Protection, World};
use iradialer_core::call::{CallState, EndedBy, Ending, final_state};
use iradialer_core::value::CallUuid;
use iradialer_core::wire::{EndedAttempt, EventBody, Hangup, SwitchEvent};

/// How many trunks a campaign has.
const TRUNKS: usize = 2;

/// The tables.
#[derive(Default)]
pub struct Tdb {
    pub calls: Vec<Call>,
    /// Every assignment there ever was.
    pub attempts: Vec<Assignment>,
    lease: LeaseRow,
}

/// The row of a call.
#[derive(Debug, Clone)]
pub struct Call {
    pub uuid: CallUuid,
    /// The request's idempotency key.
    pub key: usize,
    pub state: CallState,
    pub attempt: u32,
    pub assigned: Option<Assignment>,
    pub assigned_ms: u64,
    pub not_before_ms: u64,
    pub started: bool,
    pub cancel_requested: bool,
    pub trunks_tried: usize,
    pub events: Vec<StoredEvent>,
}

/// The row of an event; attempt 0 for the gateway's own.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    pub attempt: u32,
    pub seq: u32,
    pub name: &'static str,
    pub is_final: bool,
}

/// A try at a call given to one life of one switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub call: CallUuid,
    pub attempt: u32,
    pub attempt_id: CallUuid,
    pub trunk: usize,
    pub switch: usize,
    pub incarnation: CallUuid,
    pub journal_id: CallUuid,
    pub epoch: u64,
    pub at_ms: u64,
}

#[derive(Default)]
struct LeaseRow {
    holder: Option<usize>,
    epoch: u64,
    /// By its holder's wall clock: nobody else's goes by it.
    expires_ms: u64,
}

/// The lease as it stands: it changes with each taking and each renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenLease {
    pub epoch: u64,
    pub expires_ms: u64,
}

/// What became of a try that was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requeued {
    Queued,
    Canceled,
    Stale,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    Stored,
    Duplicate,
    Early,
}

impl Tdb {
    /// The call of that UUID.
    pub fn call(&mut self, uuid: CallUuid) -> Option<&mut Call> {
        self.calls.iter_mut().find(|call| call.uuid == uuid)
    }

    /// As `tdb::accept`: the same key is the same call.
    pub fn accept(&mut self, uuid: CallUuid, key: usize, unique: bool) -> CallUuid {
        let before = self.calls.iter().find(|call| unique && call.key == key);
        if let Some(before) = before {
            return before.uuid;
        }
        self.calls.push(Call {
            uuid,
            key,
            state: CallState::Queued,
            attempt: 1,
            assigned: None,
            assigned_ms: 0,
            not_before_ms: 0,
            started: false,
            cancel_requested: false,
            trunks_tried: 0,
            events: Vec::new(),
        });
        uuid
    }

    /// As `tdb::lease::seen_lease`.
    pub fn seen_lease(&self) -> Option<SeenLease> {
        self.lease.holder.map(|_| SeenLease {
            epoch: self.lease.epoch,
            expires_ms: self.lease.expires_ms,
        })
    }

    /// Who holds the lease, dead or alive.
    pub fn holder(&self) -> Option<usize> {
        self.lease.holder
    }

    /// As `tdb::lease::take_lease`: if it is free, was this one's, or still stands as in `stale`.
    pub fn take_lease(
        &mut self,
        holder: usize,
        stale: Option<SeenLease>,
        for_ms: u64,
        now_ms: u64,
    ) -> Option<u64> {
        let seen = self.seen_lease();
        let lease = &mut self.lease;
        let own = lease.holder == Some(holder);
        if seen.is_some() && !own && stale != seen {
            return None;
        }
        lease.holder = Some(holder);
        lease.epoch = (lease.epoch + 1).max(now_ms / 1_000);
        lease.expires_ms = now_ms + for_ms;
        Some(lease.epoch)
    }

    /// As `tdb::lease::renew_lease`.
    pub fn renew_lease(&mut self, holder: usize, epoch: u64, for_ms: u64, now_ms: u64) -> bool {
        let lease = &mut self.lease;
        let held = lease.holder == Some(holder) && lease.epoch == epoch;
        if held {
            let expires_ms = now_ms + for_ms;
            let same = u64::from(lease.expires_ms == expires_ms);
            lease.expires_ms = expires_ms + same;
        }
        held
    }

    /// As `tdb::attempt::assign`, whose times are those the router read before.
    pub fn assign(&mut self, assignment: &Assignment, now_ms: u64, compare: bool) -> bool {
        let leads = self.is_led_by(assignment.epoch);
        let Some(call) = self.call(assignment.call) else {
            return false;
        };
        let same = call.state == CallState::Queued && call.attempt == assignment.attempt;
        if compare && !(same && leads) {
            return false;
        }
        if call.state != CallState::Queued && call.state.is_final() {
            return false;
        }
        call.state = CallState::Assigned;
        call.assigned = Some(assignment.clone());
        call.assigned_ms = now_ms;
        self.attempts.push(assignment.clone());
        true
    }

    /// As `tdb::attempt::mark_dialing`: whether the switch must be told to drop the call.
    pub fn mark_dialing(&mut self, uuid: CallUuid, attempt: u32) -> bool {
        let Some(call) = self.call(uuid).filter(|call| call.attempt == attempt) else {
            return false;
        };
        if call.state == CallState::Assigned {
            call.state = CallState::Dialing;
        }
        !call.state.is_final() && call.cancel_requested
    }

    /// As `tdb::lead::Lead::holds`.
    fn is_led_by(&self, epoch: u64) -> bool {
        self.lease.epoch == epoch
    }

    /// As `tdb::attempt::requeue`; `live_too`: also an attempt that was said to be live.
    pub fn requeue(
        &mut self,
        epoch: u64,
        uuid: CallUuid,
        attempt: u32,
        not_before_ms: u64,
        live_too: bool,
    ) -> Requeued {
        if !self.is_led_by(epoch) {
            return Requeued::Stale;
        }
        let Some(call) = self.call(uuid) else {
            return Requeued::Stale;
        };
        let undialled = match call.state {
            CallState::Assigned => true,
            CallState::Dialing => live_too,
            _ => false,
        };
        let taken_back = call.attempt == attempt && undialled && !call.started;
        if !taken_back {
            return Requeued::Stale;
        }
        call.back_into_the_queue(not_before_ms);
        if !call.cancel_requested {
            return Requeued::Queued;
        }
        call.end("canceled", CallState::Canceled);
        Requeued::Canceled
    }

    /// As `tdb::redial::give_up` for a request that did not ask for more.
    pub fn end(
        &mut self,
        epoch: u64,
        uuid: CallUuid,
        attempt: u32,
        state: CallState,
        name: &'static str,
        final_stays: bool,
    ) -> bool {
        if !self.is_led_by(epoch) {
            return false;
        }
        let Some(call) = self.call(uuid) else {
            return false;
        };
        if call.attempt != attempt || (call.state.is_final() && final_stays) {
            return false;
        }
        call.end(name, state);
        true
    }

    /// As `tdb::ending::request_cancel`: the switch to ask, if one has the call.
    pub fn request_cancel(&mut self, key: usize) -> Option<(usize, CallUuid)> {
        let call = self.calls.iter_mut().find(|call| call.key == key)?;
        if call.state.is_final() {
            return None;
        }
        call.cancel_requested = true;
        match (call.state, &call.assigned) {
            (CallState::Queued, _) | (_, None) => {
                call.end("canceled", CallState::Canceled);
                None
            }
            (_, Some(assigned)) => Some((assigned.switch, call.uuid)),
        }
    }

    /// As the collector's answer to a `ConfirmQuery`: whether every event of the attempt is stored.
    pub fn has_all_of(&mut self, ended: &EndedAttempt, count: bool) -> bool {
        let Some(call) = self.call(ended.call_uuid) else {
            return false;
        };
        let of_it = || call.events.iter().filter(|e| e.attempt == ended.attempt);
        match count {
            true => of_it().count() == ended.last_seq as usize,
            false => of_it().any(|event| event.seq == ended.last_seq),
        }
    }
}

impl Call {
    fn back_into_the_queue(&mut self, not_before_ms: u64) {
        self.state = CallState::Queued;
        self.attempt += 1;
        self.assigned = None;
        self.started = false;
        self.not_before_ms = self.not_before_ms.max(not_before_ms);
    }

    fn end(&mut self, name: &'static str, state: CallState) {
        let seq = 1 + self.events.iter().filter(|e| e.attempt == 0).count() as u32;
        self.events.push(StoredEvent {
            attempt: 0,
            seq,
            name,
            is_final: true,
        });
        self.state = state;
    }
}

/// As `tdb::event::apply`, with the trunk failover in it.
pub fn apply(world: &mut World, event: &SwitchEvent, hold: bool) -> Applied {
    let final_stays = world.has(Protection::FinalStays);
    let before_ringing = world.has(Protection::FailoverBeforeRinging);
    let unload_is_final = world.has(Protection::UnloadIsNoRefusal);
    let now_ms = world.now_ms;
    let Some(call) = world.tdb.call(event.call_uuid) else {
        return Applied::Duplicate;
    };
    let of_attempt = || call.events.iter().filter(|e| e.attempt == event.attempt);
    let last = of_attempt().map(|stored| stored.seq).max().unwrap_or(0);
    if event.seq <= last && of_attempt().any(|stored| stored.seq == event.seq) {
        return Applied::Duplicate;
    }
    if event.seq > last + 1 && hold {
        return Applied::Early;
    }
    let current = event.attempt == call.attempt;
    let next = next_state(&event.body)
        .filter(|next| current && (call.state.may_become(*next) || !final_stays));
    let again = match &event.body {
        EventBody::Hangup(hangup) if next.is_some_and(CallState::is_final) => {
            !call.cancel_requested && may_try_again(call, hangup, before_ringing, unload_is_final)
        }
        _ => false,
    };
    let is_final = !again && next.is_some_and(CallState::is_final);
    call.events.push(StoredEvent {
        attempt: event.attempt,
        seq: event.seq,
        name: event.body.name(),
        is_final,
    });
    if current && matches!(event.body, EventBody::Started { .. }) {
        call.started = true;
    }
    if again {
        call.trunks_tried += 1;
        call.back_into_the_queue(now_ms);
    } else if let Some(next) = next {
        call.state = next;
    }
    Applied::Stored
}

fn next_state(body: &EventBody) -> Option<CallState> {
    match body {
        EventBody::Started { .. } => Some(CallState::Dialing),
        EventBody::Ringing { .. } => Some(CallState::Ringing),
        EventBody::Answered { .. } => Some(CallState::Answered),
        EventBody::Hangup(hangup) => Some(final_state(Ending {
            answered: hangup.answered,
            by: hangup.by,
            sip_status: hangup.sip_status,
        })),
        _ => None,
    }
}

/// Whether another trunk may be dialled: only after an explicit refusal before ringing.
fn may_try_again(
    call: &Call,
    hangup: &Hangup,
    before_ringing: bool,
    unload_is_final: bool,
) -> bool {
    let refused = match hangup.by {
        EndedBy::Callee => matches!(hangup.sip_status, Some(500 | 502..=504)),
        EndedBy::Switch => !unload_is_final,
        _ => false,
    };
    refused
        && !hangup.answered
        && !(hangup.rang && before_ringing)
        && call.trunks_tried + 1 < TRUNKS
}
