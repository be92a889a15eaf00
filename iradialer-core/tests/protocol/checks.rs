//! What must hold, seen from outside: the checks know what was sent and what is on disks, and take no
//! component's word for it.

use crate::bus::{Payload, short};
use crate::router::{LEASE_MS, UNKNOWN_AFTER_MS};
use crate::switch::{Record, Switch};
use crate::tdb::{Assignment, Call, SeenLease, Tdb};
use crate::world::{Pid, World};
use iradialer_core::call::CallState;
use iradialer_core::value::CallUuid;
use iradialer_core::wire::{AttemptFate, DialCommand, DialReply, RefusalReason, SwitchEvent};

/// What has been seen.
#[derive(Default)]
pub struct Checks {
    /// The first thing found wrong.
    pub violation: Option<String>,
    invites: Vec<Invite>,
    /// The attempts a switch has said will never be dialled.
    fenced: Vec<(usize, CallUuid)>,
    published: Vec<(CallUuid, u32, &'static str)>,
    states: Vec<(CallState, u32)>,
    epochs: [u64; 2],
    /// Switches that have lost their journal.
    pub wiped: Vec<usize>,
    /// When which switch was lost, or had been silent for how long.
    losses: Vec<(usize, u64)>,
    /// When the lease was last taken or renewed.
    led_ms: u64,
    /// Each row that this has left.
    leases: Vec<SeenLease>,
}

struct Invite {
    call: CallUuid,
    attempt_id: CallUuid,
    alerts: bool,
}

impl Checks {
    fn wrong(&mut self, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(what());
        }
    }

    /// A switch has died, or was unloaded.
    pub fn lost(&mut self, n: usize, now_ms: u64) {
        self.losses.push((n, now_ms));
    }

    /// A switch is heard, after this silence.
    pub fn heard(&mut self, n: usize, before_ms: u64, now_ms: u64) {
        // A router counts from the last heartbeat that it has heard, which may be one earlier, and does
        // not notice that it stood still for less than 2 s.
        if now_ms + 3_500 >= before_ms.saturating_add(UNKNOWN_AFTER_MS) {
            self.losses.push((n, now_ms));
        }
    }

    /// A switch comes back with this epoch in its journal.
    pub fn came_back(&mut self, n: usize, epoch: u64) {
        self.epochs[n] = epoch;
    }

    /// The event stream gets an event: the same number is always the same event.
    pub fn published(&mut self, event: &SwitchEvent) {
        let (id, seq, name) = (event.attempt_id, event.seq, event.body.name());
        let same = self.published.iter().find(|p| p.0 == id && p.1 == seq);
        match same.map(|p| p.2) {
            None => self.published.push((id, seq, name)),
            Some(before) if before == name => {}
            Some(before) => self.wrong(|| {
                let id = short(id);
                format!("event {seq} of {id} was {before}, and now is {name}")
            }),
        }
    }

    /// After each step: states move forward, back into the queue only under the next attempt.
    pub fn watch(&mut self, tdb: &Tdb) {
        for (at, call) in tdb.calls.iter().enumerate() {
            let now = (call.state, call.attempt);
            let Some(before) = self.states.get(at).copied() else {
                self.states.push(now);
                continue;
            };
            if before == now {
                continue;
            }
            self.states[at] = now;
            let forward = match now.1 == before.1 {
                true => before.0.may_become(now.0),
                false => now.1 == before.1 + 1 && !before.0.is_final(),
            };
            if !forward {
                self.wrong(|| {
                    let id = short(call.uuid);
                    format!("call {id} went from {before:?} to {now:?} (state, attempt)")
                });
            }
        }
    }

    /// Time is up.
    pub fn not_quiet(&mut self, tdb: &Tdb, switches: &[Switch; 2]) {
        let open = tdb.calls.iter().find(|call| !call.state.is_final());
        let busy = switches.iter().position(|switch| !switch.is_idle());
        self.wrong(|| match (open, busy) {
            (Some(call), _) => format!(
                "call {} is {} and comes to no end, though faults have stopped",
                short(call.uuid),
                call.state
            ),
            (None, Some(n)) => {
                format!("Switch({n}) has something left to tell, and nobody takes it")
            }
            (None, None) => "something goes on for ever".into(),
        });
    }
}

/// Without a leader for longer than this is too long, where a router is there to take over.
const TAKEOVER_MS: u64 = 5_000;

/// A router has taken the lease that stood like that. It took it from nobody who had renewed it just now:
/// clocks that measure how long that is ago are off by 1 % each at the most. But where the holder's wall
/// clock was set back, it may have written to the ms what stood there before, and somebody who slept between
/// can't tell. Then a lease is taken too early, which costs its holder the lead and nobody anything else.
pub fn lease_taken(world: &mut World, n: usize, before: Option<(usize, SeenLease)>) {
    let stood_ms = world.now_ms - world.checks.led_ms;
    let leases = &world.checks.leases;
    let from_another = before.is_some_and(|(holder, stood)| {
        let once = leases.iter().filter(|lease| **lease == stood).count() == 1;
        holder != n && once
    });
    if from_another && stood_ms < LEASE_MS * 98 / 100 {
        world
            .checks
            .wrong(|| format!("Router({n}) takes a lease that was renewed {stood_ms} ms ago"));
    }
    lease_renewed(world);
}

/// The lease was renewed.
pub fn lease_renewed(world: &mut World) {
    world.checks.led_ms = world.now_ms;
    world.checks.leases.extend(world.tdb.seen_lease());
}

/// A router has tried for the lease in vain.
pub fn lease_not_had(world: &mut World, n: usize) {
    let awake_since_ms = world.process(Pid::Router(n)).awake_since_ms;
    let without_ms = world.now_ms - world.checks.led_ms.max(awake_since_ms);
    if without_ms > TAKEOVER_MS {
        world
            .checks
            .wrong(|| format!("Router({n}) is there, and nobody has led for {without_ms} ms"));
    }
}

/// A switch has heard of an epoch.
pub fn epoch_seen(world: &mut World, n: usize, epoch: u64) {
    let seen = &mut world.checks.epochs[n];
    *seen = epoch.max(*seen);
}

/// A switch takes a dial command.
pub fn admitted(world: &mut World, n: usize, command: &DialCommand) {
    let clock_ms = world.clock_ms(Pid::Switch(n));
    let (id, epoch) = (command.attempt_id, command.epoch);
    let seen = world.checks.epochs[n];
    if epoch < seen {
        let wrong = || {
            format!(
                "Switch({n}) took {} of epoch {epoch} after {seen}",
                short(id)
            )
        };
        world.checks.wrong(wrong);
    }
    if clock_ms > command.not_after_ms {
        let wrong = || format!("Switch({n}) took {} after its not_after", short(id));
        world.checks.wrong(wrong);
    }
    epoch_seen(world, n, epoch);
}

/// An INVITE goes out.
pub fn invited(world: &mut World, n: usize, command: &DialCommand, alerts: bool) {
    let (call, id) = (command.call_uuid, command.attempt_id);
    let switch = &world.switches[n];
    let durable = switch.journal[..switch.synced].iter();
    let mut durable = durable.filter(|r| matches!(r, Record::Intent(c) if c.attempt_id == id));
    let assigned = world.tdb.attempts.iter().any(|assigned| {
        (assigned.call, assigned.attempt_id) == (call, id)
            && (assigned.switch, assigned.incarnation) == (n, switch.incarnation)
            && assigned.epoch == command.epoch
    });
    let row = world.tdb.calls.iter().find(|row| row.uuid == call);
    let before = &world.checks.invites;
    let wrong = if durable.next().is_none() {
        Some("its intent is not durable")
    } else if !assigned {
        Some("it is not assigned to this life of the switch")
    } else if world.clock_ms(Pid::Switch(n)) > command.not_after_ms {
        Some("it is past its not_after")
    } else if world.checks.fenced.contains(&(n, id)) {
        Some("the switch has said that it never will be")
    } else if before.iter().any(|invite| invite.attempt_id == id) {
        Some("it was before")
    } else if alerts && before.iter().any(|i| i.call == call && i.alerts) {
        Some("its callee was alerted before")
    } else if row.is_none_or(|row| row.state.is_final()) {
        Some("its call is over")
    } else {
        None
    };
    if let Some(wrong) = wrong {
        let wrong = || {
            format!(
                "attempt {} of call {} is dialled: {wrong}",
                short(id),
                short(call)
            )
        };
        world.checks.wrong(wrong);
    }
    world.checks.invites.push(Invite {
        call,
        attempt_id: id,
        alerts,
    });
}

/// A router has ended a call as unknown.
pub fn given_up(world: &mut World, assignment: &Assignment) {
    let (call, id) = (assignment.call, assignment.attempt_id);
    if world.bus.waiting_end_of(id).is_some() {
        let (call, id) = (short(call), short(id));
        let wrong =
            || format!("call {call} is unknown, though the end of {id} waits to be collected");
        world.checks.wrong(wrong);
    }
}

/// A switch answers: what it says must be on its disk.
pub fn answered(world: &mut World, n: usize, payload: &Payload, id: CallUuid) {
    let never = match payload {
        Payload::DialReply(DialReply::Refused { reason, .. }) => {
            *reason != RefusalReason::Duplicate
        }
        Payload::QueryReply(reply) => reply.fate == AttemptFate::NeverDialled,
        _ => return,
    };
    if !never {
        return;
    }
    let switch = &world.switches[n];
    let mut durable = switch.journal[..switch.synced].iter();
    if !durable.any(|record| matches!(record, Record::Tombstone(fenced) if *fenced == id)) {
        let wrong = || {
            format!(
                "Switch({n}) disowns {}, and has no tombstone of it",
                short(id)
            )
        };
        world.checks.wrong(wrong);
    }
    world.checks.fenced.push((n, id));
}

/// Once all is quiet.
pub fn at_the_end(world: &mut World) {
    let World {
        checks,
        tdb,
        switches,
        now_ms,
        ..
    } = world;
    for (n, switch) in switches.iter().enumerate() {
        checks.heard(n, switch.heard_ms, *now_ms);
    }
    for (at, call) in tdb.calls.iter().enumerate() {
        let id = short(call.uuid);
        if tdb.calls[..at].iter().any(|other| other.key == call.key) {
            checks.wrong(|| format!("request {} became a second call, {id}", call.key));
        }
        let finals = call.events.iter().filter(|event| event.is_final);
        let finals: Vec<_> = finals.map(|event| event.name).collect();
        if finals.len() != 1 {
            checks.wrong(|| format!("call {id} has these final events: {finals:?}"));
        }
        let assigned = tdb
            .attempts
            .iter()
            .filter(|assigned| assigned.call == call.uuid);
        let wiped = assigned.filter(|assigned| checks.wiped.contains(&assigned.switch));
        let wiped: Vec<_> = wiped.map(|assigned| assigned.attempt).collect();
        // Of an attempt whose journal is gone the event stream may have lost the rest.
        let gap = gap(call).filter(|(attempt, _)| !wiped.contains(attempt));
        if let Some((attempt, missing)) = gap {
            checks.wrong(|| format!("call {id}: event {missing} of attempt {attempt} is missing"));
        }
        let excused = tdb.attempts.iter().any(|assigned| {
            let lost = |loss: &(usize, u64)| {
                loss.0 == assigned.switch && loss.1 + 20_000 >= assigned.at_ms
            };
            assigned.call == call.uuid && checks.losses.iter().any(lost)
        });
        if call.state == CallState::Unknown && !excused {
            checks.wrong(|| format!("call {id} is unknown, though no switch that had it was lost"));
        }
    }
}

/// The first event of an attempt that is not stored, though a later one is.
fn gap(call: &Call) -> Option<(u32, u32)> {
    let events = || call.events.iter();
    for event in events().filter(|event| event.seq > 1) {
        let before = (event.attempt, event.seq - 1);
        if !events().any(|other| (other.attempt, other.seq) == before) {
            return Some(before);
        }
    }
    None
}
