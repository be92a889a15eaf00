//! The collector: applies what the event stream hands out, then acknowledges it; confirms attempts.

use crate::bus::{Message, Payload, To, short};
use crate::switch::names;
use crate::tdb::{self, Applied};
use crate::world::{Pid, Protection, What, World};
use iradialer_core::subject;
use iradialer_core::wire::ConfirmReply;

/// How often an event whose predecessors are missing is handed back before it is stored all the same.
const MAX_EARLY: u32 = 8;

/// A step of the collector.
#[derive(Debug, Clone, Copy)]
pub enum CollectorStep {
    Apply(usize),
    Acknowledge(usize),
}

/// The first step for a message of the event stream.
pub fn apply(id: usize) -> What {
    What::Collector(CollectorStep::Apply(id))
}

/// Listens.
pub fn start(world: &mut World) {
    let subject = subject::confirm(&names().cluster);
    world.bus.listen(subject, Pid::Collector);
}

/// As `collector::judge` and what follows it.
pub fn step(world: &mut World, step: CollectorStep) {
    match step {
        CollectorStep::Apply(id) => {
            let (event, deliveries) = world.bus.stored(id);
            let event = event.clone();
            let applied = tdb::apply(world, &event, deliveries <= MAX_EARLY);
            world.note(|| {
                let (seq, attempt) = (event.seq, short(event.attempt_id));
                format!(
                    "Collector: event {seq} of {attempt} {}: {applied:?}",
                    event.body.name()
                )
            });
            if applied == Applied::Early {
                return world.hand_back(id);
            }
            let acknowledge = CollectorStep::Acknowledge(id);
            world.after(0, Pid::Collector, What::Collector(acknowledge));
        }
        CollectorStep::Acknowledge(id) => world.acknowledge(id),
    }
}

/// Answers which attempts are wholly stored.
pub fn receive(world: &mut World, message: Message) {
    let (Payload::Confirm(query), Some(inbox)) = (message.payload, message.answer_to) else {
        return;
    };
    let count = world.has(Protection::ConfirmCountsAll);
    let stored = query.attempts.iter();
    let stored = stored.filter(|ended| world.tdb.has_all_of(ended, count));
    let stored = stored.map(|ended| ended.attempt_id).collect();
    world.send(
        Pid::Collector,
        Message {
            to: To::Inbox(inbox),
            answer_to: None,
            payload: Payload::Confirmed(ConfirmReply { stored }),
        },
    );
}
