//! The journal of a switch and the outbox in it.

use super::{Action, Switch, SwitchStep, names, next};
use crate::bus::{Inbox, Message, Payload, To, short};
use crate::world::{Pid, Protection, What, World};
use iradialer_core::call::EndedBy;
use iradialer_core::ledger::Ledger;
use iradialer_core::subject;
use iradialer_core::value::CallUuid;
use iradialer_core::wire::{self, ConfirmQuery, DialCommand, EndedAttempt, EventBody, SwitchEvent};

const SYNC_MS: u64 = 2;
const PUBLISH_WAIT_MS: u64 = 3_000;
const UNCONFIRMED_MS: u64 = 4_000;
/// How long after `not_after` an attempt is remembered.
const MARGIN_MS: u64 = 1_000;
/// The `number` of the inbox that confirmations come to.
const CONFIRM: u32 = u32::MAX;

/// A record of the journal.
#[derive(Debug, Clone)]
pub enum Record {
    Intent(Box<DialCommand>),
    Tombstone(CallUuid),
    Event(Box<SwitchEvent>),
    Confirmed(CallUuid),
    Epoch(u64),
}

/// The events of an attempt.
pub struct Lane {
    command: Box<DialCommand>,
    events: Vec<SwitchEvent>,
    durable: usize,
    acked: usize,
    under_way: bool,
    ended: bool,
    confirmed: bool,
    sent_ms: u64,
}

impl Lane {
    fn new(command: Box<DialCommand>) -> Lane {
        Lane {
            command,
            events: Vec::new(),
            durable: 0,
            acked: 0,
            under_way: false,
            ended: false,
            confirmed: false,
            sent_ms: 0,
        }
    }

    /// Whether the collector has all of it.
    pub fn is_done(&self) -> bool {
        self.confirmed
    }
}

/// Writes a record; it is durable at the next sync.
pub fn append(world: &mut World, n: usize, record: Record) {
    world.switches[n].journal.push(record);
    sync_soon(world, n);
}

fn sync_soon(world: &mut World, n: usize) {
    if !std::mem::replace(&mut world.switches[n].syncing, true) {
        world.after(SYNC_MS, Pid::Switch(n), What::Switch(SwitchStep::Sync));
    }
}

/// Does something once all that is written is durable.
pub fn once_durable(world: &mut World, n: usize, action: Action) {
    let early = match action {
        Action::Publish(..) => !world.has(Protection::DurableBeforePublish),
        _ => !world.has(Protection::SyncBeforeReply),
    };
    if early {
        return next(world, n, SwitchStep::Act(action));
    }
    world.switches[n].after_sync.push(action);
    sync_soon(world, n);
}

/// An attempt is about to have events.
pub fn open_lane(world: &mut World, n: usize, command: Box<DialCommand>) {
    world.switches[n].lanes.push(Lane::new(command));
}

fn lane(switch: &mut Switch, attempt_id: CallUuid) -> Option<&mut Lane> {
    let lanes = &mut switch.lanes;
    lanes
        .iter_mut()
        .find(|lane| lane.command.attempt_id == attempt_id)
}

/// The next event of an attempt.
pub fn emit(world: &mut World, n: usize, attempt_id: CallUuid, body: EventBody) {
    let at_ms = world.clock_ms(Pid::Switch(n));
    let switch = &mut world.switches[n];
    let incarnation = switch.incarnation;
    let Some(lane) = lane(switch, attempt_id) else {
        return;
    };
    lane.ended |= matches!(body, EventBody::Hangup(_));
    let event = SwitchEvent {
        v: wire::VERSION,
        call_uuid: lane.command.call_uuid,
        attempt: lane.command.attempt,
        attempt_id,
        seq: lane.events.len() as u32 + 1,
        tenant_id: names().tenant.clone(),
        node_id: names().nodes[n].clone(),
        incarnation,
        at_ms,
        body,
    };
    lane.events.push(event.clone());
    let durable = lane.events.len();
    append(world, n, Record::Event(Box::new(event)));
    once_durable(world, n, Action::Publish(attempt_id, durable));
}

/// The first events of an attempt are durable, and are published.
pub fn now_durable(world: &mut World, n: usize, attempt_id: CallUuid, durable: usize) {
    if let Some(lane) = lane(&mut world.switches[n], attempt_id) {
        lane.durable = lane.durable.max(durable);
        publish(world, n, attempt_id);
    }
}

/// As `link::delivery::deliver`: those of an attempt in their order, each until it is stored.
fn publish(world: &mut World, n: usize, attempt_id: CallUuid) {
    let (pid, now_ms) = (Pid::Switch(n), world.now_ms);
    let life = world.process(pid).life;
    let Some(lane) = lane(&mut world.switches[n], attempt_id) else {
        return;
    };
    if lane.under_way || lane.acked >= lane.durable {
        return;
    }
    lane.under_way = true;
    lane.sent_ms = now_ms;
    let acked = lane.acked;
    let message = Message {
        to: To::Stream,
        answer_to: Some(Inbox {
            pid,
            life,
            about: attempt_id,
            number: acked as u32,
        }),
        payload: Payload::Event(lane.events[acked].clone()),
    };
    world.send(pid, message);
    let again = SwitchStep::PublishAgain(attempt_id, acked);
    world.after(PUBLISH_WAIT_MS, pid, What::Switch(again));
}

/// An event was not stored in time.
pub fn publish_again(world: &mut World, n: usize, attempt_id: CallUuid, acked: usize) {
    if let Some(lane) = lane(&mut world.switches[n], attempt_id)
        && lane.under_way
        && lane.acked == acked
    {
        lane.under_way = false;
        publish(world, n, attempt_id);
    }
}

/// The event stream or the collector answers.
pub fn told(world: &mut World, n: usize, inbox: Inbox, payload: Payload) {
    if let Payload::Confirmed(reply) = payload {
        for attempt_id in reply.stored {
            let lane = lane(&mut world.switches[n], attempt_id);
            let Some(lane) = lane.filter(|lane| lane.ended && !lane.confirmed) else {
                continue;
            };
            lane.confirmed = true;
            append(world, n, Record::Confirmed(attempt_id));
        }
        return;
    }
    if let Some(lane) = lane(&mut world.switches[n], inbox.about)
        && inbox.number != CONFIRM
        && lane.under_way
        && lane.acked == inbox.number as usize
    {
        lane.acked += 1;
        lane.under_way = false;
        publish(world, n, inbox.about);
    }
}

/// Asks what may be forgotten, publishes again what may be lost, forgets what can't come again.
pub fn care(world: &mut World, n: usize) {
    let (pid, now_ms, clock_ms) = (Pid::Switch(n), world.now_ms, world.clock_ms(Pid::Switch(n)));
    let again = world.has(Protection::PublishAgain);
    let remember = world.has(Protection::RememberWhileItCanCome);
    let mut attempts = Vec::new();
    let mut lost = Vec::new();
    for lane in &mut world.switches[n].lanes {
        let last_seq = lane.events.len();
        if !lane.ended || lane.confirmed || lane.acked < last_seq {
            continue;
        }
        attempts.push(EndedAttempt {
            call_uuid: lane.command.call_uuid,
            attempt: lane.command.attempt,
            attempt_id: lane.command.attempt_id,
            last_seq: last_seq as u32,
        });
        if again && now_ms > lane.sent_ms + UNCONFIRMED_MS {
            lane.acked = 0;
            lost.push(lane.command.attempt_id);
        }
    }
    for attempt_id in lost {
        publish(world, n, attempt_id);
    }
    if !attempts.is_empty() {
        let life = world.process(pid).life;
        let message = Message {
            to: To::Subject(subject::confirm(&names().cluster)),
            answer_to: Some(Inbox {
                pid,
                life,
                about: attempts[0].attempt_id,
                number: CONFIRM,
            }),
            payload: Payload::Confirm(ConfirmQuery {
                v: wire::VERSION,
                attempts,
            }),
        };
        world.send(pid, message);
    }
    let switch = &mut world.switches[n];
    let over = |lane: &Lane| {
        lane.confirmed && (!remember || clock_ms > lane.command.not_after_ms + MARGIN_MS)
    };
    if switch.synced == switch.journal.len() && switch.lanes.iter().any(over) {
        let over = switch.lanes.iter().filter(|lane| over(lane));
        let over: Vec<_> = over.map(|lane| lane.command.attempt_id).collect();
        forget(world, n, &over);
    }
}

fn forget(world: &mut World, n: usize, over: &[CallUuid]) {
    world.note(|| {
        let over: Vec<_> = over.iter().map(|id| short(*id)).collect();
        format!("Switch({n}) forgets {over:?}")
    });
    let switch = &mut world.switches[n];
    switch
        .lanes
        .retain(|lane| !over.contains(&lane.command.attempt_id));
    switch.journal.retain(|record| match record {
        Record::Intent(command) => !over.contains(&command.attempt_id),
        Record::Event(event) => !over.contains(&event.attempt_id),
        Record::Confirmed(attempt_id) => !over.contains(attempt_id),
        Record::Tombstone(_) | Record::Epoch(_) => true,
    });
    switch.synced = switch.journal.len();
    switch.ledger = ledger_of(&switch.journal);
}

fn ledger_of(journal: &[Record]) -> Ledger {
    let mut ledger = Ledger::default();
    for record in journal {
        match record {
            Record::Intent(command) => ledger.begin(command.attempt_id),
            Record::Tombstone(attempt_id) => ledger.fence(*attempt_id),
            Record::Event(event) if matches!(event.body, EventBody::Hangup(_)) => {
                ledger.end(event.attempt_id);
            }
            Record::Event(_) | Record::Confirmed(_) => {}
            Record::Epoch(epoch) => {
                ledger.epoch_is_current(*epoch);
            }
        }
    }
    ledger
}

/// Reads the journal at the start of a life: what ended, what is to be told, and what was cut off.
pub fn recover(world: &mut World, n: usize) {
    let switch = &mut world.switches[n];
    switch.ledger = ledger_of(&switch.journal);
    let mut lanes: Vec<Lane> = Vec::new();
    for record in &switch.journal {
        let of = |lanes: &Vec<Lane>, id: CallUuid| {
            lanes.iter().position(|lane| lane.command.attempt_id == id)
        };
        match record {
            Record::Intent(command) => lanes.push(Lane::new(command.clone())),
            Record::Tombstone(attempt_id) => {
                lanes.retain(|lane| lane.command.attempt_id != *attempt_id);
            }
            Record::Event(event) => {
                if let Some(at) = of(&lanes, event.attempt_id) {
                    lanes[at].ended |= matches!(event.body, EventBody::Hangup(_));
                    lanes[at].events.push((**event).clone());
                    lanes[at].durable += 1;
                }
            }
            Record::Confirmed(attempt_id) => {
                if let Some(at) = of(&lanes, *attempt_id) {
                    lanes[at].confirmed = true;
                    lanes[at].acked = lanes[at].events.len();
                }
            }
            Record::Epoch(_) => {}
        }
    }
    let all = lanes.iter();
    let all: Vec<_> = all
        .map(|lane| (lane.command.attempt_id, lane.ended))
        .collect();
    switch.lanes = lanes;
    world
        .checks
        .came_back(n, world.switches[n].ledger.highest_epoch());
    for (attempt_id, ended) in all {
        if !ended && world.has(Protection::CrashReported) {
            let hangup = super::leg::hangup(EndedBy::Crash, None, false, false);
            emit(world, n, attempt_id, hangup);
            world.switches[n].ledger.end(attempt_id);
        }
        publish(world, n, attempt_id);
    }
}
