//! A switch: admission, the journal, the legs, and the events on their way out.

mod journal;
mod leg;

use crate::bus::{Inbox, Message, Payload, To, short};
use crate::world::{Pid, Protection, What, World};
use iradialer_core::ledger::Ledger;
use iradialer_core::subject;
use iradialer_core::value::{
    CallUuid, CampaignName, ClusterName, DialNumber, NodeId, TenantId, TrunkName,
};
use iradialer_core::wire::{AttemptFate, DialCommand, DialReply, Query, QueryReply, RefusalReason};
pub use journal::Record;
use journal::{Lane, append, once_durable};
pub use leg::FarStep;
use leg::Leg;
use std::sync::LazyLock;

const TICK_MS: u64 = 1_000;

/// A switch. The journal and its id outlive a crash; the rest is memory.
pub struct Switch {
    pub incarnation: CallUuid,
    pub journal_id: CallUuid,
    pub journal: Vec<Record>,
    /// How many records of the journal are durable.
    pub synced: usize,
    /// When it was last heard.
    pub heard_ms: u64,
    ledger: Ledger,
    syncing: bool,
    wiped: bool,
    after_sync: Vec<Action>,
    legs: Vec<Leg>,
    lanes: Vec<Lane>,
}

/// What waits for a record to be durable.
#[derive(Debug, Clone)]
pub enum Action {
    Invite(Box<DialCommand>, Option<Inbox>),
    Reply(Inbox, Box<Payload>, CallUuid),
    Publish(CallUuid, usize),
}

/// A step of a switch.
#[derive(Debug, Clone)]
pub enum SwitchStep {
    Sync,
    Act(Action),
    Far(CallUuid, FarStep),
    PublishAgain(CallUuid, usize),
}

/// The names of a run.
pub struct Names {
    pub cluster: ClusterName,
    pub nodes: [NodeId; 2],
    pub tenant: TenantId,
    pub campaign: CampaignName,
    pub trunks: [TrunkName; 2],
    pub number: DialNumber,
}

/// The names of a run.
pub fn names() -> &'static Names {
    static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
        cluster: ClusterName::parse("cluster", "ira").expect("a name"),
        nodes: ["fs1", "fs2"].map(|name| NodeId::parse("node_id", name).expect("a name")),
        tenant: TenantId::parse("tenant_id", "acme").expect("a name"),
        campaign: CampaignName::parse("campaign_name", "main").expect("a name"),
        trunks: ["first", "second"].map(|name| TrunkName::parse("trunk", name).expect("a name")),
        number: DialNumber::parse("to_number", "+14155550100").expect("a number"),
    });
    &NAMES
}

/// Where dial commands to that life of a switch go.
pub fn dial_subject(world: &World, n: usize, incarnation: CallUuid) -> String {
    let named = named_life(world, incarnation);
    subject::dial(&names().cluster, &names().nodes[n], &named)
}

/// Where questions to that life of a switch go.
pub fn query_subject(world: &World, n: usize, incarnation: CallUuid) -> String {
    let named = named_life(world, incarnation);
    subject::query(&names().cluster, &names().nodes[n], &named)
}

fn named_life(world: &World, incarnation: CallUuid) -> CallUuid {
    match world.has(Protection::IncarnationInSubject) {
        true => incarnation,
        false => nobody(),
    }
}

fn nobody() -> CallUuid {
    CallUuid::parse("uuid", "00000000-0000-7000-8000-000000000000").expect("a UUID")
}

impl Switch {
    /// A switch that was never started.
    pub fn new() -> Switch {
        Switch {
            incarnation: nobody(),
            journal_id: nobody(),
            journal: Vec::new(),
            synced: 0,
            heard_ms: u64::MAX,
            ledger: Ledger::default(),
            syncing: false,
            wiped: true,
            after_sync: Vec::new(),
            legs: Vec::new(),
            lanes: Vec::new(),
        }
    }

    /// Whether it has nothing left to do or to tell.
    pub fn is_idle(&self) -> bool {
        self.legs.is_empty() && self.after_sync.is_empty() && self.lanes.iter().all(Lane::is_done)
    }
}

/// A fresh life of the module: the journal is read, and what it shows unfinished is reported.
pub fn start(world: &mut World, n: usize) {
    let incarnation = world.uuid();
    let journal_id = world.uuid();
    let switch = &mut world.switches[n];
    switch.incarnation = incarnation;
    if std::mem::take(&mut switch.wiped) {
        switch.journal_id = journal_id;
    }
    journal::recover(world, n);
    let names = names();
    let pid = Pid::Switch(n);
    for subject in [
        dial_subject(world, n, incarnation),
        query_subject(world, n, incarnation),
        subject::switch_request(&names.cluster, &names.nodes[n]),
    ] {
        world.bus.listen(subject, pid);
    }
}

/// The end of a life: of the records that are not durable, `survive` quarters are found again.
pub fn crash(world: &mut World, n: usize, survive: usize, wiped: bool) {
    world.checks.lost(n, world.now_ms);
    let switch = &mut world.switches[n];
    let unsynced = switch.journal.len() - switch.synced;
    let found = switch.synced + unsynced * survive / 4;
    switch.journal.truncate(found);
    if wiped {
        switch.journal.clear();
        switch.wiped = true;
        world.checks.wiped.push(n);
    }
    switch.synced = switch.journal.len();
    switch.heard_ms = u64::MAX;
    switch.syncing = false;
    switch.after_sync.clear();
    switch.legs.clear();
    switch.lanes.clear();
    if wiped {
        world.note(|| format!("the journal of Switch({n}) is wiped"));
    }
}

/// An orderly unload: every leg ends, every record is made durable.
pub fn unload(world: &mut World, n: usize) {
    world.note(|| format!("Switch({n}) is unloaded and loaded again"));
    leg::end_all(world, n);
    world.switches[n].synced = world.switches[n].journal.len();
    crash(world, n, 4, false);
    world.down(Pid::Switch(n), 1_500);
}

/// The sign of life, and what is done each second.
pub fn tick(world: &mut World, n: usize) -> u64 {
    if !world.process(Pid::Switch(n)).cut_off {
        world
            .checks
            .heard(n, world.switches[n].heard_ms, world.now_ms);
        world.switches[n].heard_ms = world.now_ms;
        for router in 0..world.routers.len() {
            let process = world.process(Pid::Router(router));
            if process.up && !process.frozen && !process.cut_off {
                crate::router::hear(world, router, n);
            }
        }
    }
    journal::care(world, n);
    TICK_MS
}

/// A step of switch `n`.
pub fn step(world: &mut World, n: usize, step: SwitchStep) {
    match step {
        SwitchStep::Sync => {
            let switch = &mut world.switches[n];
            switch.synced = switch.journal.len();
            switch.syncing = false;
            for action in std::mem::take(&mut switch.after_sync) {
                next(world, n, SwitchStep::Act(action));
            }
        }
        SwitchStep::Act(Action::Invite(command, inbox)) => invite(world, n, *command, inbox),
        SwitchStep::Act(Action::Reply(inbox, payload, attempt_id)) => {
            crate::checks::answered(world, n, &payload, attempt_id);
            reply(world, n, inbox, *payload);
        }
        SwitchStep::Act(Action::Publish(attempt_id, durable)) => {
            journal::now_durable(world, n, attempt_id, durable);
        }
        SwitchStep::Far(attempt_id, far) => leg::far(world, n, attempt_id, far),
        SwitchStep::PublishAgain(attempt_id, acked) => {
            journal::publish_again(world, n, attempt_id, acked);
        }
    }
}

/// A message comes to switch `n`.
pub fn receive(world: &mut World, n: usize, message: Message) {
    match message.payload {
        Payload::Dial(command) => dial(world, n, command, message.answer_to),
        Payload::Query(query) => answer(world, n, &query, message.answer_to),
        Payload::Drop(call) => leg::drop_call(world, n, call),
        Payload::EventStored | Payload::Confirmed(_) => {
            if let To::Inbox(inbox) = message.to {
                journal::told(world, n, inbox, message.payload);
            }
        }
        _ => {}
    }
}

fn next(world: &mut World, n: usize, step: SwitchStep) {
    world.after(0, Pid::Switch(n), What::Switch(step));
}

/// As `Admission::admit` and `Engine::dial`, with the journal between them.
fn dial(world: &mut World, n: usize, command: DialCommand, inbox: Option<Inbox>) {
    let attempt_id = command.attempt_id;
    match first_objection(world, n, &command) {
        None => {
            crate::checks::admitted(world, n, &command);
            world.note(|| format!("Switch({n}) takes {}", short(attempt_id)));
            world.switches[n].ledger.begin(attempt_id);
            let command = Box::new(command);
            append(world, n, Record::Intent(command.clone()));
            once_durable(world, n, Action::Invite(command, inbox));
        }
        Some(reason) => {
            world.note(|| format!("Switch({n}) refuses {}: {reason:?}", short(attempt_id)));
            if reason != RefusalReason::Duplicate {
                world.switches[n].ledger.fence(attempt_id);
                append(world, n, Record::Tombstone(attempt_id));
            }
            refuse(world, n, reason, inbox, attempt_id);
        }
    }
}

fn refuse(
    world: &mut World,
    n: usize,
    reason: RefusalReason,
    inbox: Option<Inbox>,
    attempt_id: CallUuid,
) {
    let Some(inbox) = inbox else { return };
    let detail = String::new();
    let refused = Payload::DialReply(DialReply::Refused { reason, detail });
    once_durable(
        world,
        n,
        Action::Reply(inbox, Box::new(refused), attempt_id),
    );
}

/// As `Admission::first_objection`.
fn first_objection(world: &mut World, n: usize, command: &DialCommand) -> Option<RefusalReason> {
    let now_ms = world.clock_ms(Pid::Switch(n));
    let busy = world.script(7) == 6;
    let fate = world.switches[n].ledger.fate(command.attempt_id);
    if fate.is_some() && world.has(Protection::Ledger) {
        return Some(RefusalReason::Duplicate);
    }
    if now_ms > command.not_after_ms && world.has(Protection::NotAfter) {
        return Some(RefusalReason::Expired);
    }
    if command.journal_id != world.switches[n].journal_id {
        return Some(RefusalReason::WrongJournal);
    }
    if !note_epoch(world, n, command.epoch) && world.has(Protection::EpochAtSwitch) {
        return Some(RefusalReason::StaleEpoch);
    }
    busy.then_some(RefusalReason::Busy)
}

fn note_epoch(world: &mut World, n: usize, epoch: u64) -> bool {
    let before = world.switches[n].ledger.highest_epoch();
    if epoch > before {
        append(world, n, Record::Epoch(epoch));
    }
    world.switches[n].ledger.epoch_is_current(epoch)
}

/// As `Admission::fate`, with the journal between the fence and the answer.
fn answer(world: &mut World, n: usize, query: &Query, inbox: Option<Inbox>) {
    let Some(inbox) = inbox else { return };
    let attempt_id = query.attempt_id;
    if !note_epoch(world, n, query.epoch) && world.has(Protection::EpochAtSwitch) {
        return once_durable(
            world,
            n,
            Action::Reply(inbox, Box::new(Payload::QueryRefused), attempt_id),
        );
    }
    crate::checks::epoch_seen(world, n, query.epoch);
    let fate = world.switches[n].ledger.fate(attempt_id);
    let fate = fate.unwrap_or_else(|| {
        if world.has(Protection::Fence) {
            world.switches[n].ledger.fence(attempt_id);
            append(world, n, Record::Tombstone(attempt_id));
        }
        AttemptFate::NeverDialled
    });
    let said = Payload::QueryReply(QueryReply { fate });
    once_durable(world, n, Action::Reply(inbox, Box::new(said), attempt_id));
}

/// As `Engine::begin`, once the intent is durable.
fn invite(world: &mut World, n: usize, command: DialCommand, inbox: Option<Inbox>) {
    let attempt_id = command.attempt_id;
    let late = world.clock_ms(Pid::Switch(n)) > command.not_after_ms;
    if late && world.has(Protection::NotAfterAgain) {
        world.switches[n].ledger.fence(attempt_id);
        append(world, n, Record::Tombstone(attempt_id));
        return refuse(world, n, RefusalReason::Expired, inbox, attempt_id);
    }
    leg::begin(world, n, command);
    if let Some(inbox) = inbox {
        let accepted = Payload::DialReply(DialReply::Accepted);
        next(
            world,
            n,
            SwitchStep::Act(Action::Reply(inbox, Box::new(accepted), attempt_id)),
        );
    }
}

fn reply(world: &mut World, n: usize, inbox: Inbox, payload: Payload) {
    world.send(
        Pid::Switch(n),
        Message {
            to: To::Inbox(inbox),
            answer_to: None,
            payload,
        },
    );
}
