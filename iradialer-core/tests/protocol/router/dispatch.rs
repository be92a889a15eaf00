//! One call on its way to one switch.

use super::{Asked, RouterStep, next, release, settle};
use crate::bus::{Inbox, Message, Payload, To, short};
use crate::switch::{self, names};
use crate::tdb::Assignment;
use crate::world::{Pid, Protection, What, World};
use iradialer_core::call::CallState;
use iradialer_core::value::{CallUuid, CallerNumber, ChannelVars};
use iradialer_core::wire::{self, DialCommand, DialReply, RefusalReason};

/// How long a dial command is waited for.
pub const TIMEOUT_MS: u64 = 3_000;
/// How long it is good for.
const NOT_AFTER_MS: u64 = 4_000;

/// As `router::Router::dispatch_what_fits`: rates and limits left out.
pub fn what_fits(world: &mut World, n: usize, epoch: u64, now_ms: u64) {
    for at in 0..world.tdb.calls.len() {
        let call = &world.tdb.calls[at];
        let (uuid, attempt, trunk) = (call.uuid, call.attempt, call.trunks_tried);
        let due = call.state == CallState::Queued && call.not_before_ms <= now_ms;
        if !due || world.routers[n].in_hand.contains(&uuid) {
            continue;
        }
        let Some(switch) = choose(world, n, at + attempt as usize) else {
            continue;
        };
        let Some(seen) = world.routers[n].seen[switch] else {
            continue;
        };
        world.routers[n].in_hand.push(uuid);
        let attempt_id = match world.has(Protection::FreshAttemptId) {
            true => world.uuid(),
            false => uuid,
        };
        let assignment = Assignment {
            call: uuid,
            attempt,
            attempt_id,
            trunk,
            switch,
            incarnation: seen.incarnation,
            journal_id: seen.journal_id,
            epoch,
            at_ms: world.now_ms,
        };
        next(world, n, RouterStep::Assign { assignment, now_ms });
    }
}

fn choose(world: &World, n: usize, turn: usize) -> Option<usize> {
    let now_ms = world.steady_ms(Pid::Router(n));
    let takes = |switch: &usize| {
        let seen = world.routers[n].seen[*switch].as_ref();
        seen.is_some_and(|seen| !seen.shunned && now_ms <= seen.seen_ms + super::LOST_AFTER_MS)
    };
    [turn % 2, (turn + 1) % 2].into_iter().find(takes)
}

/// As `router::dispatch::assign_and_send`, up to the commit.
pub fn assign(world: &mut World, n: usize, assignment: Assignment, now_ms: u64) {
    let not_after_ms = now_ms + NOT_AFTER_MS;
    let compare = world.has(Protection::AssignmentCompares);
    if !world.has(Protection::AssignmentFirst) {
        let late = RouterStep::CommitLate {
            assignment: assignment.clone(),
            now_ms,
        };
        world.after(20, Pid::Router(n), What::Router(late));
    } else if !world.tdb.assign(&assignment, now_ms, compare) {
        return release(world, n, assignment.call);
    }
    world.note(|| {
        let (call, attempt) = (short(assignment.call), short(assignment.attempt_id));
        let (number, switch) = (assignment.attempt, assignment.switch);
        format!(
            "Router({n}) assigns call {call}, attempt {number} as {attempt}, to Switch({switch})"
        )
    });
    next(
        world,
        n,
        RouterStep::Dispatch {
            assignment,
            not_after_ms,
        },
    );
}

/// As `router::dispatch::send`.
pub fn send(world: &mut World, n: usize, assignment: Assignment, not_after_ms: u64) {
    let subject = switch::dial_subject(world, assignment.switch, assignment.incarnation);
    let payload = Payload::Dial(dial_command(&assignment, not_after_ms));
    ask(world, n, subject, payload, assignment, true, TIMEOUT_MS);
}

/// Sends a request and waits for its answer.
pub(super) fn ask(
    world: &mut World,
    n: usize,
    subject: String,
    payload: Payload,
    assignment: Assignment,
    is_dial: bool,
    timeout_ms: u64,
) {
    let pid = Pid::Router(n);
    let life = world.process(pid).life;
    let router = &mut world.routers[n];
    router.questions += 1;
    let number = router.questions;
    let about = assignment.attempt_id;
    router.asked.push(Asked {
        number,
        assignment,
        is_dial,
    });
    let message = Message {
        to: To::Subject(subject),
        answer_to: Some(Inbox {
            pid,
            life,
            about,
            number,
        }),
        payload,
    };
    world.send(pid, message);
    let timed_out = RouterStep::TimedOut { number };
    world.after(timeout_ms, pid, What::Router(timed_out));
}

fn dial_command(assignment: &Assignment, not_after_ms: u64) -> DialCommand {
    let names = names();
    DialCommand {
        v: wire::VERSION,
        call_uuid: assignment.call,
        attempt: assignment.attempt,
        attempt_id: assignment.attempt_id,
        epoch: assignment.epoch,
        journal_id: assignment.journal_id,
        not_after_ms,
        tenant_id: names.tenant.clone(),
        campaign_name: names.campaign.clone(),
        trunk: names.trunks[assignment.trunk].clone(),
        to_number: names.number.clone(),
        from_number: CallerNumber::default(),
        dial_timeout_s: 30,
        max_duration_s: 60,
        channel_vars: ChannelVars::default(),
        flow: None,
        given: Default::default(),
        dtmf: Default::default(),
        bridge_to: None,
        whisper: Vec::new(),
    }
}

/// What the bus brings back becomes an answer.
pub(super) fn answer(world: &mut World, n: usize, asked: Asked, payload: Payload) {
    let reply = match payload {
        Payload::DialReply(reply) => Some(reply),
        _ => None,
    };
    let assignment = asked.assignment;
    next(world, n, RouterStep::Answered { assignment, reply });
}

/// As `router::dispatch::act` and `refused`; no reply: the bus had nobody to give the command to.
pub fn act(world: &mut World, n: usize, assignment: Assignment, reply: Option<DialReply>) {
    let take_back = RouterStep::TakeBack {
        assignment: assignment.clone(),
    };
    match reply {
        Some(DialReply::Accepted) => {
            release(world, n, assignment.call);
            next(world, n, RouterStep::Confirm { assignment });
        }
        Some(DialReply::Refused {
            reason: RefusalReason::Duplicate,
            ..
        }) if world.has(Protection::DuplicateIsNoAnswer) => {
            release(world, n, assignment.call);
            settle::begin(world, n, assignment);
        }
        Some(DialReply::Refused { reason, .. }) => {
            match reason {
                RefusalReason::Draining | RefusalReason::WrongJournal => {
                    shun(world, n, assignment.switch, assignment.incarnation);
                }
                RefusalReason::StaleEpoch => world.routers[n].lease = None,
                _ => {}
            }
            next(world, n, take_back);
        }
        None => {
            shun(world, n, assignment.switch, assignment.incarnation);
            if !world.has(Protection::NobodyIsNoAnswer) {
                return next(world, n, take_back);
            }
            // A copy of the command may have come all the same, or may yet.
            release(world, n, assignment.call);
            settle::begin(world, n, assignment);
        }
    }
}

fn shun(world: &mut World, n: usize, switch: usize, incarnation: CallUuid) {
    if let Some(seen) = &mut world.routers[n].seen[switch]
        && seen.incarnation == incarnation
    {
        seen.shunned = true;
    }
}
