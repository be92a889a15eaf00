//! Virtual time, the processes and what happens to them.

mod faults;

use crate::bus::{Bus, Message};
use crate::checks::Checks;
use crate::collector::{self, CollectorStep};
use crate::router::{self, Router, RouterStep};
use crate::schedule::Schedule;
use crate::switch::{self, Switch, SwitchStep};
use crate::tdb::Tdb;
use crate::web::{self, Web, WebStep};
use iradialer_core::value::CallUuid;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// When a run begins, ms since the Unix epoch.
const START_MS: u64 = 1_000_000;
/// Faults come within this time.
const FAULTS_FOR_MS: u64 = 25_000;
/// Once faults have stopped, every call is final and every switch confirmed within this time.
pub const QUIET_WITHIN_MS: u64 = 60_000;
/// More steps than any run that comes to its end has.
const MOST_STEPS: u32 = 40_000;

/// What is switched off in a run, to see that the checks bite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// A switch tombstones an attempt before it says that it was never dialled.
    Fence,
    /// Only a refusal or the switch's word takes an attempt back, and never a lapsed lease.
    OnlyTheSwitchTakesBack,
    /// A bus that has nobody to give a command to may yet deliver a copy of it.
    NobodyIsNoAnswer,
    /// A refusal of a repeated command says nothing of the first.
    DuplicateIsNoAnswer,
    /// Events are published once they are durable.
    DurableBeforePublish,
    /// Answers are given, and INVITEs sent, once their record is durable.
    SyncBeforeReply,
    /// A module that comes back reports the attempts its journal shows unfinished.
    CrashReported,
    /// Each attempt has an UUID of its own.
    FreshAttemptId,
    /// The subject of a command names the life of the switch.
    IncarnationInSubject,
    /// A switch dials once for one attempt.
    Ledger,
    /// A switch refuses an epoch below one it has seen.
    EpochAtSwitch,
    /// A switch refuses what comes too late.
    NotAfter,
    /// It looks at its clock again when the record is durable.
    NotAfterAgain,
    /// An assignment needs the call to be queued at that attempt.
    AssignmentCompares,
    /// An assignment is committed before the command is sent.
    AssignmentFirst,
    /// A final state stays.
    FinalStays,
    /// A failover needs a refusal before ringing.
    FailoverBeforeRinging,
    /// An attempt whose switch was shut down is not tried again.
    UnloadIsNoRefusal,
    /// An attempt is confirmed when every event is there, not when the last one is.
    ConfirmCountsAll,
    /// Events that are not confirmed are published again.
    PublishAgain,
    /// The same request again is the same call.
    IdempotencyKey,
    /// An attempt that was said to be live, and then was not dialled after all, is taken back too.
    TakeBackWhatWasLive,
    /// A router that stood still takes the silence for its own.
    MindDeafness,
    /// A call ends as unknown once all that was published is collected.
    AllIsCollectedFirst,
    /// An attempt that has ended is waited for as long as its switch is there.
    EndedIsWaitedFor,
    /// An attempt that ended and was confirmed is remembered while a command for it can still come.
    RememberWhileItCanCome,
    /// A lease is dead when it was seen to stand still for its length, whatever time it names.
    LeaseIsWatched,
    /// It is taken only if it still stands as it did when it was found dead.
    LeaseCompares,
}

/// A process of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pid {
    Web,
    Router(usize),
    Collector,
    Switch(usize),
}

impl Pid {
    const ALL: [Pid; 6] = [
        Pid::Web,
        Pid::Router(0),
        Pid::Router(1),
        Pid::Collector,
        Pid::Switch(0),
        Pid::Switch(1),
    ];

    fn index(self) -> usize {
        match self {
            Pid::Web => 0,
            Pid::Router(n) => 1 + n,
            Pid::Collector => 3,
            Pid::Switch(n) => 4 + n,
        }
    }
}

/// How a process is.
#[derive(Default)]
pub struct Process {
    /// Rises with each start: what was meant for an earlier life is lost.
    pub life: u32,
    pub up: bool,
    pub frozen: bool,
    /// Cut off from the bus.
    pub cut_off: bool,
    /// Its wall clock less the true time, ms. A router's may be set at any time.
    pub skew_ms: i64,
    /// By how much its steady clock runs too fast, in a thousand.
    drift: i64,
    /// When it started or last went on, by the true time.
    pub awake_since_ms: u64,
    waiting: Vec<What>,
}

/// Something to happen.
pub enum What {
    Tick,
    Web(WebStep),
    Router(RouterStep),
    Collector(CollectorStep),
    Switch(SwitchStep),
    Message(Box<Message>),
    /// The bus has carried a message to where it is to be handed out.
    Arrive(Box<Message>),
    /// The event stream hands out a message; `again`: whether or not it was acknowledged.
    HandOut {
        id: usize,
        again: bool,
    },
    Start(Pid),
    Thaw(Pid),
    Mend(Pid),
    /// A clock is set right.
    ClockRight(Pid),
    Request(usize),
    Cancel(usize),
}

struct Entry {
    at_ms: u64,
    order: u32,
    to: Option<(Pid, u32)>,
    what: What,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at_ms, other.order).cmp(&(self.at_ms, self.order))
    }
}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Entry {}

/// Everything.
pub struct World {
    pub now_ms: u64,
    pub bus: Bus,
    pub tdb: Tdb,
    pub routers: [Router; 2],
    pub switches: [Switch; 2],
    pub web: Web,
    pub checks: Checks,
    /// One line a step, if wanted.
    pub trace: Option<Vec<String>>,
    pub processes: [Process; 6],
    pub steps: u32,
    off: Option<Protection>,
    queue: BinaryHeap<Entry>,
    order: u32,
    /// Entries in the queue, and waiting for frozen processes, that are no ticks.
    pending: u32,
    schedule: Schedule,
    decisions: u32,
    next_fault: usize,
    scripted: usize,
    next_uuid: u64,
}

impl World {
    /// A world about to begin.
    pub fn new(schedule: Schedule, off: Option<Protection>, traced: bool) -> World {
        let mut world = World {
            now_ms: START_MS,
            bus: Bus::default(),
            tdb: Tdb::default(),
            routers: Default::default(),
            switches: [Switch::new(), Switch::new()],
            web: Web::default(),
            checks: Checks::default(),
            trace: traced.then(Vec::new),
            processes: Default::default(),
            steps: 0,
            off,
            queue: BinaryHeap::with_capacity(64),
            order: 0,
            pending: 0,
            schedule,
            decisions: 0,
            next_fault: 0,
            scripted: 0,
            next_uuid: 0,
        };
        for pid in Pid::ALL {
            // Clocks apart by less than the margin that the protocol allows for.
            let (skew_ms, drift) = [(0, 0), (0, 10), (400, -10), (-400, 0)][world.script(4)];
            let process = &mut world.processes[pid.index()];
            (process.skew_ms, process.drift) = (skew_ms, drift);
            world.start(pid);
        }
        let calls = 1 + world.script(3);
        for call in 0..calls {
            let at_ms = world.now_ms + 1_500 + 700 * world.script(4) as u64;
            world.at(at_ms, None, What::Request(call));
            if world.script(5) == 4 {
                let after_ms = 300 * world.script(6) as u64;
                world.at(at_ms + after_ms, None, What::Cancel(call));
            }
        }
        world
    }

    /// Runs until nothing is left to happen, or something is wrong.
    pub fn run(&mut self) {
        let last_ms = START_MS + FAULTS_FOR_MS + QUIET_WITHIN_MS;
        while let Some(entry) = self.queue.pop() {
            self.now_ms = entry.at_ms;
            self.pending -= u32::from(!matches!(entry.what, What::Tick));
            self.step(entry);
            self.steps += 1;
            self.checks.watch(&self.tdb);
            if self.checks.violation.is_some() || self.is_quiet() {
                break;
            }
            if self.now_ms > last_ms || self.steps > MOST_STEPS {
                self.checks.not_quiet(&self.tdb, &self.switches);
                break;
            }
        }
        if self.checks.violation.is_none() {
            crate::checks::at_the_end(self);
        }
    }

    fn is_quiet(&self) -> bool {
        self.pending == 0
            && self.tdb.calls.iter().all(|call| call.state.is_final())
            && self.switches.iter().all(Switch::is_idle)
            && self.processes.iter().all(|process| process.up)
    }

    fn step(&mut self, entry: Entry) {
        let Entry { to, what, .. } = entry;
        let Some((pid, life)) = to else {
            return self.happen(what);
        };
        let process = &mut self.processes[pid.index()];
        if !process.up || process.life != life {
            return;
        }
        if process.frozen {
            self.pending += u32::from(!matches!(what, What::Tick));
            process.waiting.push(what);
            return;
        }
        let what = match self.decide(9) {
            0 => what,
            harm => match self.harm(pid, harm, what) {
                Some(what) => what,
                None => return,
            },
        };
        match what {
            What::Tick => self.tick(pid),
            What::Web(step) => web::step(self, step),
            What::Router(step) => {
                if let Pid::Router(n) = pid {
                    router::step(self, n, step);
                }
            }
            What::Collector(step) => collector::step(self, step),
            What::Switch(step) => {
                if let Pid::Switch(n) = pid {
                    switch::step(self, n, step);
                }
            }
            What::Message(message) => match pid {
                Pid::Router(n) => router::receive(self, n, *message),
                Pid::Switch(n) => switch::receive(self, n, *message),
                Pid::Collector => collector::receive(self, *message),
                Pid::Web => {}
            },
            other => self.happen(other),
        }
    }

    /// What no process does.
    fn happen(&mut self, what: What) {
        match what {
            What::Arrive(message) => self.hand_over(*message),
            What::HandOut { id, again } => self.hand_out(id, again),
            What::Start(pid) => self.start(pid),
            What::Thaw(pid) => self.thaw(pid),
            What::Mend(pid) => {
                self.note(|| format!("{pid:?} reaches the bus again"));
                self.processes[pid.index()].cut_off = false;
            }
            What::ClockRight(pid) => {
                self.note(|| format!("the clock of {pid:?} is set right"));
                self.processes[pid.index()].skew_ms = 0;
            }
            What::Request(call) => web::request(self, call),
            What::Cancel(call) => web::cancel(self, call),
            _ => {}
        }
    }

    fn tick(&mut self, pid: Pid) {
        let next_ms = match pid {
            Pid::Router(n) => router::tick(self, n),
            Pid::Switch(n) => switch::tick(self, n),
            Pid::Web | Pid::Collector => return,
        };
        self.after(next_ms, pid, What::Tick);
    }

    /// Does `what` happen to this life of `pid` after that time.
    pub fn after(&mut self, ms: u64, pid: Pid, what: What) {
        let life = self.processes[pid.index()].life;
        self.at(self.now_ms + ms, Some((pid, life)), what);
    }

    /// Makes something happen at that time.
    pub fn at(&mut self, at_ms: u64, to: Option<(Pid, u32)>, what: What) {
        self.pending += u32::from(!matches!(what, What::Tick));
        self.order += 1;
        self.queue.push(Entry {
            at_ms,
            order: self.order,
            to,
            what,
        });
    }

    /// A decision that is harmless, 0, unless the schedule says otherwise: below `n`.
    pub fn decide(&mut self, n: usize) -> usize {
        let this = self.decisions;
        self.decisions += 1;
        match self.schedule.faults.get(self.next_fault) {
            Some((at, harm)) if *at == this => {
                self.next_fault += 1;
                let over = self.now_ms > START_MS + FAULTS_FOR_MS;
                if over {
                    0
                } else {
                    1 + usize::from(*harm) % (n - 1)
                }
            }
            _ => 0,
        }
    }

    /// How a harm is done: below `n`, by the fault that was just decided.
    pub fn vary(&mut self, n: usize) -> usize {
        let last = self.next_fault.checked_sub(1);
        let harm = last.map_or(0, |last| self.schedule.faults[last].1);
        let mixed = u32::from(harm).wrapping_mul(0x9e37_79b9) >> (3 + n % 7);
        mixed as usize % n
    }

    /// A choice that is no fault: below `n`, 0 when the script is at its end.
    pub fn script(&mut self, n: usize) -> usize {
        let choice = self
            .schedule
            .script
            .get(self.scripted % self.schedule.script.len());
        self.scripted += 1;
        usize::from(choice.copied().unwrap_or(0)) / (1 + self.scripted / 16) % n
    }

    /// Whether a protection is in force.
    pub fn has(&self, protection: Protection) -> bool {
        self.off != Some(protection)
    }

    /// The time by the steady clock of `pid`, which nobody sets and which tells nothing of the wall's.
    pub fn steady_ms(&self, pid: Pid) -> u64 {
        let process = &self.processes[pid.index()];
        let ran_ms = (self.now_ms as i64) * (1_000 + process.drift) / 1_000;
        7_777 * (1 + pid.index() as u64) + ran_ms as u64
    }

    /// The time by the wall clock of `pid`.
    pub fn clock_ms(&self, pid: Pid) -> u64 {
        self.now_ms
            .saturating_add_signed(self.processes[pid.index()].skew_ms)
    }

    /// The process.
    pub fn process(&self, pid: Pid) -> &Process {
        &self.processes[pid.index()]
    }

    /// A fresh UUID, above all earlier ones.
    pub fn uuid(&mut self) -> CallUuid {
        self.next_uuid += 1;
        let text = format!("{:08x}-0000-7000-8000-000000000000", self.next_uuid);
        CallUuid::parse("uuid", &text).expect("a UUID")
    }

    /// Adds a line to the trace.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>6} {}", self.now_ms - START_MS, line()));
        }
    }
}
