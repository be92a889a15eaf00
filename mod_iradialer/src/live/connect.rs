//! Live requests that connect a call with another one.

use super::not_taken;
use crate::call::{Call, Job, Work};
use crate::engine::Engine;
use crate::pairing::{Pairing, pair};
use crate::prompts::Sounds;
use crate::transfer::Manner;
use crate::transfer::course::Wanted;
use iradialer_core::flow::Sound;
use iradialer_core::live::{Answer, ConfUuid, DirectBridge, Refused, TransferCall, name};
use iradialer_core::value::{CallUuid, FieldError, TenantId};
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};

/// Conferences of two: who waits in one, and whom a second call was paired with.
#[derive(Default)]
pub struct Conferences(Mutex<HashMap<(TenantId, ConfUuid), Room>>);

struct Room {
    /// The calls' attempts, each on the switch when it came.
    first: CallUuid,
    second: Option<(CallUuid, Weak<Pairing>)>,
}

impl Engine {
    /// Has a live call connected with another one, once each has done what was asked of it before.
    pub(super) fn join_call(&self, call: &Arc<Call>, other: CallUuid) -> Result<Answer, Refused> {
        let _in_turn = self.conferences.0.lock();
        let tenant = &call.command.tenant_id;
        let found = self.registry.call(other);
        let Some(other) = found.filter(|other| other.command.tenant_id == *tenant) else {
            let message = format!("there is no live call {other} on this switch");
            return Err(Refused::new(name::UNKNOWN_CALL, message));
        };
        put_together(call, &other)?;
        Ok(answer_for(&other))
    }

    /// The same with the call that gave the conference its name, or that was made for it, or that waits in it.
    /// Where there is none the call is the one that waits; it stays at its desk meanwhile.
    pub(super) fn join_conference(
        &self,
        call: &Arc<Call>,
        conference: &ConfUuid,
    ) -> Result<Answer, Refused> {
        // Held while both get their seats, so that all calls have theirs in one order, and no two wait for
        // each other at the desks of two.
        let mut rooms = self.conferences.0.lock();
        rooms.retain(|_, room| room.is_used(self));
        let key = (call.command.tenant_id.clone(), conference.clone());
        let attempt = call.command.attempt_id;
        if let Some(other) = self.called(call, conference) {
            put_together(call, &other)?;
            return Ok(answer_for(&other));
        }
        match rooms.get_mut(&key) {
            Some(room) if room.is_full() => {
                let message = format!("two calls are in {conference}");
                Err(Refused::new(name::CONFERENCE_FULL, message))
            }
            Some(room) if room.first != attempt && self.registry.attempt(room.first).is_some() => {
                let first = self.registry.attempt(room.first);
                let first = first.ok_or_else(|| not_taken(crate::desk::NotTaken::Ended))?;
                let pairing = put_together(call, &first)?;
                room.second = Some((attempt, pairing));
                Ok(answer_for(&first))
            }
            _ => {
                // It may be connected later only if it may be now.
                let ticket = call.desk.reserve().map_err(not_taken)?;
                call.desk.withdraw(ticket);
                let (first, second) = (attempt, None);
                rooms.insert(key, Room { first, second });
                Ok(Answer::ok(format!("it waits in {conference} for another")))
            }
        }
    }

    /// The live call that a conference is named after, or was made for, but for this one.
    fn called(&self, call: &Call, conference: &ConfUuid) -> Option<Arc<Call>> {
        let is_other = |other: &Arc<Call>| {
            other.command.attempt_id != call.command.attempt_id
                && other.command.tenant_id == call.command.tenant_id
        };
        let uuid = conference.as_str().strip_prefix("CONF-");
        let uuid = uuid.and_then(|text| CallUuid::parse("conf_uuid", text).ok());
        let named = uuid.and_then(|uuid| self.registry.call(uuid));
        let of = |other: &Arc<Call>| {
            let direct = other.direct.as_ref();
            direct.is_some_and(|direct| direct.conf_uuid.as_ref() == Some(conference))
        };
        named.filter(is_other).or_else(|| {
            let mut all = self.registry.all().into_iter();
            all.find(|other| of(other) && is_other(other))
        })
    }
}

impl Room {
    fn is_full(&self) -> bool {
        let pairing = self.second.as_ref().map(|(_, pairing)| pairing);
        pairing.is_some_and(|pairing| pairing.strong_count() > 0)
    }

    /// Whether anybody waits in it or is connected by it. Those who were parted are at their desks.
    fn is_used(&self, engine: &Engine) -> bool {
        match &self.second {
            Some(_) => self.is_full(),
            None => engine.registry.attempt(self.first).is_some(),
        }
    }
}

/// Puts a seat on the desks of both, or on none.
fn put_together(first: &Call, second: &Call) -> Result<Weak<Pairing>, Refused> {
    if first.command.attempt_id == second.command.attempt_id {
        let uuid = first.command.call_uuid.to_string();
        return Err(Refused::mistake(FieldError::new(
            "event_data.second_uuid",
            "another call",
            &uuid,
        )));
    }
    let of_second = |why| {
        let refused = not_taken(why);
        let message = format!("call {}: {}", second.command.call_uuid, refused.message);
        Refused { message, ..refused }
    };
    let at_first = first.desk.reserve().map_err(not_taken)?;
    let at_second = match second.desk.reserve() {
        Ok(ticket) => ticket,
        Err(why) => {
            first.desk.withdraw(at_first);
            return Err(of_second(why));
        }
    };
    let (own, other) = pair(second.command.attempt_id);
    let pairing = own.pairing();
    let job = |seat| Job {
        work: Work::Join(seat),
        sounds: Arc::new(Sounds::new()),
        event_subject: None,
    };
    // Where one of them is gone meanwhile its seat is, and the other one goes on.
    if let Err(why) = first.desk.fill(at_first, job(own)) {
        second.desk.withdraw(at_second);
        return Err(not_taken(why));
    }
    second.desk.fill(at_second, job(other)).map_err(of_second)?;
    Ok(pairing)
}

fn answer_for(other: &Call) -> Answer {
    let uuid = other.command.call_uuid;
    Answer::ok(format!(
        "it is connected with {uuid} when both have their turn"
    ))
}

/// What goes to the desk for a transfer. It plays nothing.
pub(super) fn transfer_work(to: TransferCall) -> (Work, BTreeSet<Sound>, &'static str) {
    if to.deflect {
        let message = "the carrier is asked to connect them when its turn comes";
        return (
            Work::Transfer(Manner::Refer(to.destination)),
            BTreeSet::new(),
            message,
        );
    }
    dial(Wanted {
        destination: to.destination,
        from_number: None,
        trunk: None,
        timeout_s: to.timeout_s,
        whisper: Vec::new(),
    })
}

/// The same for one that names its trunk. No caller's number is the trunk's own, as with a call.
pub(super) fn direct_work(to: DirectBridge) -> (Work, BTreeSet<Sound>, &'static str) {
    dial(Wanted {
        destination: to.to_number,
        from_number: Some(to.from_number),
        trunk: Some(to.gateway),
        timeout_s: to.dial_timeout_s,
        whisper: Vec::new(),
    })
}

fn dial(wanted: Wanted) -> (Work, BTreeSet<Sound>, &'static str) {
    let message = "the other one is dialled when its turn comes";
    (
        Work::Transfer(Manner::Dial(wanted)),
        BTreeSet::new(),
        message,
    )
}
