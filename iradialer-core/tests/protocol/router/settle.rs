//! An attempt of which it is not known whether it was dialled.

use super::{Asked, RouterStep, Standing, dispatch, next, release, standing};
use crate::bus::{Payload, short};
use crate::switch;
use crate::tdb::{Assignment, Requeued};
use crate::world::{Pid, Protection, What, World};
use iradialer_core::call::CallState;
use iradialer_core::value::CallUuid;
use iradialer_core::wire::{self, AttemptFate, Query};

/// How long a switch is silent before its calls end as unknown.
pub const UNKNOWN_AFTER_MS: u64 = 12_000;
const FIRST_PAUSE_MS: u64 = 100;
const MAX_PAUSE_MS: u64 = 2_000;
const ANSWER_TIMEOUT_MS: u64 = 2_000;
const LAST_EVENTS_MS: u64 = 3_000;

/// An attempt being settled.
pub(super) struct Settling {
    assignment: Assignment,
    pause_ms: u64,
}

/// As `router::dispatch::resolve_later`.
pub(super) fn begin(world: &mut World, n: usize, assignment: Assignment) {
    let attempt_id = assignment.attempt_id;
    if find(world, n, attempt_id).is_some() {
        return;
    }
    world.routers[n].settling.push(Settling {
        assignment,
        pause_ms: FIRST_PAUSE_MS,
    });
    next(world, n, RouterStep::Settle { attempt_id });
}

fn find(world: &World, n: usize, attempt_id: CallUuid) -> Option<usize> {
    let mut settling = world.routers[n].settling.iter();
    settling.position(|settling| settling.assignment.attempt_id == attempt_id)
}

fn end(world: &mut World, n: usize, attempt_id: CallUuid) {
    let settling = &mut world.routers[n].settling;
    settling.retain(|settling| settling.assignment.attempt_id != attempt_id);
}

/// As `router::settle::try_to_settle`.
pub(super) fn try_to_settle(world: &mut World, n: usize, attempt_id: CallUuid) {
    let Some(at) = find(world, n, attempt_id) else {
        return;
    };
    if world.routers[n].lease.is_none() {
        // Whoever has the lease comes upon it.
        return end(world, n, attempt_id);
    }
    let deaf = match world.has(Protection::MindDeafness) {
        true => super::mind_deafness(world, n),
        false => world.process(Pid::Router(n)).cut_off,
    };
    if deaf {
        return ask_again(world, n, attempt_id);
    }
    let assignment = world.routers[n].settling[at].assignment.clone();
    if let Some(why) = why_lost(world, n, &assignment) {
        return next(world, n, RouterStep::GiveUp { assignment, why });
    }
    let query = Query {
        v: wire::VERSION,
        call_uuid: assignment.call,
        attempt: assignment.attempt,
        attempt_id,
        epoch: world.routers[n].epoch,
    };
    let answers = match standing(world, n, &assignment) {
        Standing::Replaced {
            by: Some(later), ..
        } => later,
        _ => assignment.incarnation,
    };
    let subject = switch::query_subject(world, assignment.switch, answers);
    let payload = Payload::Query(query);
    dispatch::ask(
        world,
        n,
        subject,
        payload,
        assignment,
        false,
        ANSWER_TIMEOUT_MS,
    );
}

/// As `router::settle::why_lost`.
fn why_lost(world: &World, n: usize, assignment: &Assignment) -> Option<&'static str> {
    match standing(world, n, assignment) {
        Standing::Replaced { since_ms, by: None } if since_ms >= LAST_EVENTS_MS => {
            Some("loaded again")
        }
        Standing::Silent { for_ms } if for_ms >= UNKNOWN_AFTER_MS => Some("silent"),
        _ => None,
    }
}

/// Asks again, a little later each time.
pub(super) fn ask_again(world: &mut World, n: usize, attempt_id: CallUuid) {
    let Some(at) = find(world, n, attempt_id) else {
        return;
    };
    let settling = &mut world.routers[n].settling[at];
    let pause_ms = settling.pause_ms;
    settling.pause_ms = (2 * pause_ms).min(MAX_PAUSE_MS);
    let again = RouterStep::Settle { attempt_id };
    world.after(pause_ms, Pid::Router(n), What::Router(again));
}

/// As `router::settle::act`.
pub(super) fn answer(world: &mut World, n: usize, asked: Asked, payload: Payload) {
    let assignment = asked.assignment;
    let attempt_id = assignment.attempt_id;
    match payload {
        Payload::QueryReply(reply) => match reply.fate {
            AttemptFate::NeverDialled => next(world, n, RouterStep::TakeBack { assignment }),
            AttemptFate::Live => {
                end(world, n, attempt_id);
                next(world, n, RouterStep::Confirm { assignment });
            }
            AttemptFate::Ended | AttemptFate::IntentOnly => wait(world, n, attempt_id),
        },
        Payload::QueryRefused => {
            world.routers[n].lease = None;
            ask_again(world, n, attempt_id);
        }
        _ => ask_again(world, n, attempt_id),
    }
}

fn wait(world: &mut World, n: usize, attempt_id: CallUuid) {
    let over = What::Router(RouterStep::WaitOver { attempt_id });
    world.after(UNKNOWN_AFTER_MS, Pid::Router(n), over);
}

/// As `router::settle::wait_for_events`, at its end.
pub(super) fn wait_over(world: &mut World, n: usize, attempt_id: CallUuid) {
    let Some(at) = find(world, n, attempt_id) else {
        return;
    };
    let assignment = world.routers[n].settling[at].assignment.clone();
    let call = world.tdb.call(assignment.call);
    let open = call.is_some_and(|c| c.attempt == assignment.attempt && !c.state.is_final());
    if !open {
        end(world, n, attempt_id);
    } else if world.has(Protection::EndedIsWaitedFor) {
        try_to_settle(world, n, attempt_id);
    } else {
        let why = "ended, but not how";
        next(world, n, RouterStep::GiveUp { assignment, why });
    }
}

/// As `router::dispatch::requeue`, for an attempt being settled too.
pub(super) fn take_back(world: &mut World, n: usize, assignment: Assignment) {
    let (call, attempt) = (assignment.call, assignment.attempt);
    let now_ms = world.clock_ms(Pid::Router(n));
    let wait_ms = match attempt {
        0 | 1 => 0,
        more => (100 << (more - 2).min(6)).min(5_000),
    };
    let live_too = world.has(Protection::TakeBackWhatWasLive);
    let not_before_ms = now_ms + wait_ms;
    let epoch = world.routers[n].epoch;
    let requeued = world
        .tdb
        .requeue(epoch, call, attempt, not_before_ms, live_too);
    world.note(|| {
        format!(
            "Router({n}) takes back call {}, attempt {attempt}: {requeued:?}",
            short(call)
        )
    });
    release(world, n, call);
    match requeued {
        Requeued::Queued | Requeued::Canceled => end(world, n, assignment.attempt_id),
        Requeued::Stale if find(world, n, assignment.attempt_id).is_some() => {
            wait(world, n, assignment.attempt_id);
        }
        Requeued::Stale => {}
    }
}

/// As `router::dispatch::confirm`.
pub(super) fn confirm(world: &mut World, n: usize, assignment: &Assignment) {
    let call = assignment.call;
    if world.tdb.mark_dialing(call, assignment.attempt) {
        let switch = assignment.switch;
        next(world, n, RouterStep::Tell { switch, call });
    }
}

/// As `router::settle::end_as_unknown`, and `is_all_told` just before it.
pub(super) fn give_up(world: &mut World, n: usize, assignment: &Assignment, why: &str) {
    let (call, attempt) = (assignment.call, assignment.attempt);
    if world.has(Protection::AllIsCollectedFirst) && !world.bus.all_collected() {
        return ask_again(world, n, assignment.attempt_id);
    }
    let stays = world.has(Protection::FinalStays);
    let epoch = world.routers[n].epoch;
    let ended = world
        .tdb
        .end(epoch, call, attempt, CallState::Unknown, "unknown", stays);
    if ended {
        crate::checks::given_up(world, assignment);
        world.note(|| format!("Router({n}) ends call {} as unknown: {why}", short(call)));
    }
    end(world, n, assignment.attempt_id);
}
