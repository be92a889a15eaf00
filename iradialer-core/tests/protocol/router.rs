//! A router: the lease, the queue, dispatch, query and fence, the sweep. Each step has one effect, and
//! the process may be killed or stand still before any of them.

mod dispatch;
mod settle;

use crate::tdb::{Assignment, Call, SeenLease};
use crate::world::{Pid, Protection, What, World};
use iradialer_core::call::CallState;
use iradialer_core::value::CallUuid;
use iradialer_core::wire::DialReply;
use settle::Settling;

pub use settle::UNKNOWN_AFTER_MS;

pub const LEASE_MS: u64 = 3_000;
const RENEW_MS: u64 = 1_000;
const TICK_MS: u64 = 500;
const SWEEP_MS: u64 = 2_000;
const RECONCILE_MS: u64 = 6_000;
const LOST_AFTER_MS: u64 = 5_000;
const STOOD_STILL_MS: u64 = 2_000;

/// A router's memory. Its times are by its steady clock.
#[derive(Default)]
pub struct Router {
    lease: Option<Lease>,
    /// Another's lease, and since when it stands like that.
    other: Option<(SeenLease, u64)>,
    epoch: u64,
    renewed_ms: u64,
    seen: [Option<Seen>; 2],
    listening_since_ms: u64,
    looked_ms: u64,
    swept_ms: u64,
    reconciled_ms: u64,
    in_hand: Vec<CallUuid>,
    settling: Vec<Settling>,
    asked: Vec<Asked>,
    questions: u32,
}

#[derive(Clone, Copy)]
struct Lease {
    epoch: u64,
    ends_ms: u64,
}

/// A switch as its heartbeats show it.
#[derive(Clone, Copy)]
struct Seen {
    incarnation: CallUuid,
    journal_id: CallUuid,
    seen_ms: u64,
    since_ms: u64,
    shunned: bool,
}

/// A request that waits for its answer.
struct Asked {
    number: u32,
    assignment: Assignment,
    /// A dial command, and not a question.
    is_dial: bool,
}

/// A step of a router.
#[derive(Debug, Clone)]
pub enum RouterStep {
    TakeLease {
        stale: Option<SeenLease>,
    },
    Renew {
        wall_ms: u64,
        began_ms: u64,
    },
    Look,
    Assign {
        assignment: Assignment,
        now_ms: u64,
    },
    Dispatch {
        assignment: Assignment,
        not_after_ms: u64,
    },
    CommitLate {
        assignment: Assignment,
        now_ms: u64,
    },
    Answered {
        assignment: Assignment,
        reply: Option<DialReply>,
    },
    TimedOut {
        number: u32,
    },
    TakeBack {
        assignment: Assignment,
    },
    Confirm {
        assignment: Assignment,
    },
    Settle {
        attempt_id: CallUuid,
    },
    WaitOver {
        attempt_id: CallUuid,
    },
    GiveUp {
        assignment: Assignment,
        why: &'static str,
    },
    Tell {
        switch: usize,
        call: CallUuid,
    },
}

/// How the life of a switch that holds an attempt stands, as `router::switches::Standing`. A later life
/// with the same journal can answer for an earlier one.
enum Standing {
    Here,
    Silent { for_ms: u64 },
    Replaced { since_ms: u64, by: Option<CallUuid> },
}

/// A router that remembers nothing.
pub fn start(world: &mut World, n: usize) {
    let now_ms = world.steady_ms(Pid::Router(n));
    world.routers[n] = Router {
        listening_since_ms: now_ms,
        looked_ms: now_ms,
        ..Router::default()
    };
}

/// As `router::lease::Keeper::keep`; then the router looks at the queue.
pub fn tick(world: &mut World, n: usize) -> u64 {
    let now_ms = world.steady_ms(Pid::Router(n));
    let wall_ms = world.clock_ms(Pid::Router(n));
    let router = &world.routers[n];
    match router.lease {
        None => {
            let stale = watch(world, n, now_ms);
            next(world, n, RouterStep::TakeLease { stale });
        }
        Some(_) if now_ms.saturating_sub(router.renewed_ms) >= RENEW_MS => {
            let began_ms = now_ms;
            next(world, n, RouterStep::Renew { wall_ms, began_ms });
        }
        Some(_) => {}
    }
    next(world, n, RouterStep::Look);
    TICK_MS
}

/// As `router::lease::Watch::look`: the lease, if it has stood still for its length.
fn watch(world: &mut World, n: usize, now_ms: u64) -> Option<SeenLease> {
    let seen = world.tdb.seen_lease();
    if !world.has(Protection::LeaseIsWatched) {
        let wall_ms = world.clock_ms(Pid::Router(n));
        return seen.filter(|lease| lease.expires_ms <= wall_ms);
    }
    let other = &mut world.routers[n].other;
    let since_ms = match *other {
        Some((before, since_ms)) if seen == Some(before) => since_ms,
        _ => now_ms,
    };
    *other = seen.map(|lease| (lease, since_ms));
    seen.filter(|_| now_ms.saturating_sub(since_ms) > LEASE_MS)
}

/// As the taking in `router::lease::Keeper::keep`: one transaction, some time after the look.
fn take_lease(world: &mut World, n: usize, mut stale: Option<SeenLease>) {
    let pid = Pid::Router(n);
    let (wall_ms, began_ms) = (world.clock_ms(pid), world.steady_ms(pid));
    if !world.has(Protection::LeaseCompares) && stale.is_some() {
        stale = world.tdb.seen_lease();
    }
    let before = world.tdb.holder().zip(world.tdb.seen_lease());
    let Some(epoch) = world.tdb.take_lease(n, stale, LEASE_MS, wall_ms) else {
        return crate::checks::lease_not_had(world, n);
    };
    crate::checks::lease_taken(world, n, before);
    let router = &mut world.routers[n];
    router.other = None;
    router.epoch = epoch;
    hold(router, epoch, began_ms);
    world.note(|| format!("Router({n}) takes the lease, epoch {epoch}"));
}

/// As the renewal there.
fn renew(world: &mut World, n: usize, wall_ms: u64, began_ms: u64) {
    let Some(lease) = world.routers[n].lease else {
        return;
    };
    if world.tdb.renew_lease(n, lease.epoch, LEASE_MS, wall_ms) {
        crate::checks::lease_renewed(world);
        return hold(&mut world.routers[n], lease.epoch, began_ms);
    }
    world.routers[n].lease = None;
    world.note(|| format!("Router({n}) has lost the lease"));
}

/// It is good for so long from before it was asked for.
fn hold(router: &mut Router, epoch: u64, began_ms: u64) {
    router.renewed_ms = began_ms;
    let ends_ms = began_ms + LEASE_MS;
    router.lease = Some(Lease { epoch, ends_ms });
}

/// A router hears a switch.
pub fn hear(world: &mut World, n: usize, switch: usize) {
    let now_ms = world.steady_ms(Pid::Router(n));
    let sender = &world.switches[switch];
    let (incarnation, journal_id) = (sender.incarnation, sender.journal_id);
    let seen = &mut world.routers[n].seen[switch];
    let same = seen.filter(|seen| seen.incarnation == incarnation);
    *seen = Some(Seen {
        incarnation,
        journal_id,
        seen_ms: now_ms,
        since_ms: same.map_or(now_ms, |seen| seen.since_ms),
        shunned: false,
    });
}

/// A step of router `n`.
pub fn step(world: &mut World, n: usize, step: RouterStep) {
    match step {
        RouterStep::TakeLease { stale } => take_lease(world, n, stale),
        RouterStep::Renew { wall_ms, began_ms } => renew(world, n, wall_ms, began_ms),
        RouterStep::Look => look(world, n),
        RouterStep::Assign { assignment, now_ms } => {
            dispatch::assign(world, n, assignment, now_ms);
        }
        RouterStep::CommitLate { assignment, now_ms } => {
            world.tdb.assign(&assignment, now_ms, true);
        }
        RouterStep::Dispatch {
            assignment,
            not_after_ms,
        } => dispatch::send(world, n, assignment, not_after_ms),
        RouterStep::Answered { assignment, reply } => dispatch::act(world, n, assignment, reply),
        RouterStep::TimedOut { number } => {
            if let Some(asked) = take_asked(world, n, number) {
                unanswered(world, n, asked);
            }
        }
        RouterStep::TakeBack { assignment } => settle::take_back(world, n, assignment),
        RouterStep::Confirm { assignment } => settle::confirm(world, n, &assignment),
        RouterStep::Settle { attempt_id } => settle::try_to_settle(world, n, attempt_id),
        RouterStep::WaitOver { attempt_id } => settle::wait_over(world, n, attempt_id),
        RouterStep::GiveUp { assignment, why } => settle::give_up(world, n, &assignment, why),
        RouterStep::Tell { switch, call } => {
            crate::web::tell(world, Pid::Router(n), switch, call);
        }
    }
}

/// An answer comes to router `n`.
pub fn receive(world: &mut World, n: usize, message: crate::bus::Message) {
    let crate::bus::To::Inbox(inbox) = message.to else {
        return;
    };
    let Some(asked) = take_asked(world, n, inbox.number) else {
        return;
    };
    match asked.is_dial {
        true => dispatch::answer(world, n, asked, message.payload),
        false => settle::answer(world, n, asked, message.payload),
    }
}

fn unanswered(world: &mut World, n: usize, asked: Asked) {
    match asked.is_dial {
        true => {
            release(world, n, asked.assignment.call);
            settle::begin(world, n, asked.assignment);
        }
        false => settle::ask_again(world, n, asked.assignment.attempt_id),
    }
}

fn take_asked(world: &mut World, n: usize, number: u32) -> Option<Asked> {
    let asked = &mut world.routers[n].asked;
    let at = asked.iter().position(|asked| asked.number == number)?;
    Some(asked.swap_remove(at))
}

/// Another step of router `n`, at once.
fn next(world: &mut World, n: usize, step: RouterStep) {
    world.after(0, Pid::Router(n), What::Router(step));
}

fn release(world: &mut World, n: usize, call: CallUuid) {
    world.routers[n].in_hand.retain(|held| *held != call);
}

/// As `router::Router::look`.
fn look(world: &mut World, n: usize) {
    let (now_ms, wall_ms) = (
        world.steady_ms(Pid::Router(n)),
        world.clock_ms(Pid::Router(n)),
    );
    let deaf = mind_deafness(world, n);
    let router = &mut world.routers[n];
    let Some(lease) = router.lease.filter(|lease| lease.ends_ms > now_ms) else {
        return;
    };
    if now_ms.saturating_sub(router.swept_ms) >= SWEEP_MS {
        router.swept_ms = now_ms;
        sweep(world, n, now_ms, wall_ms);
    }
    if !deaf {
        dispatch::what_fits(world, n, lease.epoch, wall_ms);
    }
}

/// As `router::Router::mind_deafness`. Whether it is cut off now.
fn mind_deafness(world: &mut World, n: usize) -> bool {
    let now_ms = world.steady_ms(Pid::Router(n));
    let deaf = world.process(Pid::Router(n)).cut_off;
    let router = &mut world.routers[n];
    if deaf || now_ms.saturating_sub(router.looked_ms) > STOOD_STILL_MS {
        router.listening_since_ms = now_ms;
    }
    router.looked_ms = now_ms;
    deaf
}

/// As `router::sweep::Sweeper::look`, where a slight doubt is settled like a grave one.
fn sweep(world: &mut World, n: usize, now_ms: u64, wall_ms: u64) {
    let reconcile = now_ms.saturating_sub(world.routers[n].reconciled_ms) >= RECONCILE_MS;
    if reconcile {
        world.routers[n].reconciled_ms = now_ms;
    }
    let open = world.tdb.calls.iter();
    let open = open.filter(|call| !call.state.is_final() && call.state != CallState::Queued);
    let open: Vec<Call> = open.cloned().collect();
    for call in open {
        let Some(assignment) = call.assigned.clone() else {
            continue;
        };
        let confirmed = call.state != CallState::Assigned;
        if call.cancel_requested && confirmed {
            let switch = assignment.switch;
            next(
                world,
                n,
                RouterStep::Tell {
                    switch,
                    call: call.uuid,
                },
            );
        }
        if world.routers[n].in_hand.contains(&call.uuid) {
            continue;
        }
        let lapsed = assignment.epoch < world.routers[n].epoch && !confirmed;
        if lapsed && !world.has(Protection::OnlyTheSwitchTakesBack) {
            next(world, n, RouterStep::TakeBack { assignment });
            continue;
        }
        let age_ms = wall_ms.abs_diff(call.assigned_ms);
        let doubted = match standing(world, n, &assignment) {
            Standing::Replaced { .. } => true,
            Standing::Silent { for_ms } => for_ms >= UNKNOWN_AFTER_MS || !confirmed,
            Standing::Here if confirmed => reconcile && age_ms >= RECONCILE_MS,
            Standing::Here => age_ms > dispatch::TIMEOUT_MS,
        };
        if doubted {
            settle::begin(world, n, assignment);
        }
    }
}

/// As `router::switches::Switches::standing`.
fn standing(world: &World, n: usize, assignment: &Assignment) -> Standing {
    let now_ms = world.steady_ms(Pid::Router(n));
    let router = &world.routers[n];
    let listening_ms = now_ms.saturating_sub(router.listening_since_ms);
    let Some(seen) = &router.seen[assignment.switch] else {
        return Standing::Silent {
            for_ms: listening_ms,
        };
    };
    // Whichever has the journal now can answer. Without it, to hear an earlier life says nothing of a later
    // one, to which another router has given the attempt.
    let other = seen.incarnation != assignment.incarnation;
    let same_journal = seen.journal_id == assignment.journal_id;
    if other && (same_journal || seen.incarnation > assignment.incarnation) {
        let since_ms = now_ms.saturating_sub(seen.since_ms);
        let by = same_journal.then_some(seen.incarnation);
        return Standing::Replaced { since_ms, by };
    }
    let silent_ms = now_ms.saturating_sub(seen.seen_ms);
    match silent_ms <= LOST_AFTER_MS {
        true => Standing::Here,
        false => Standing::Silent {
            for_ms: silent_ms.min(listening_ms),
        },
    }
}
