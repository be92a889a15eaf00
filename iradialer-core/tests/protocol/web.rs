//! The API and its client: one transaction, then the answer; the client repeats until it has one.

use crate::bus::{Message, Payload, To};
use crate::switch::names;
use crate::world::{Pid, Protection, What, World};
use iradialer_core::subject;

/// A step of the API.
#[derive(Debug, Clone, Copy)]
pub enum WebStep {
    Accept(usize),
    Answer(usize),
}

/// What the client has been told.
#[derive(Default)]
pub struct Web {
    answered: [bool; 4],
}

/// The client asks for a call, again each second until it is answered. `key` is its idempotency key.
pub fn request(world: &mut World, key: usize) {
    if world.web.answered[key] {
        return;
    }
    world.after(1, Pid::Web, What::Web(WebStep::Accept(key)));
    world.at(world.now_ms + 1_000, None, What::Request(key));
}

/// The client asks for the end of a call.
pub fn cancel(world: &mut World, key: usize) {
    world.note(|| format!("the client cancels call {key}"));
    if let Some((switch, call)) = world.tdb.request_cancel(key) {
        tell(world, Pid::Web, switch, call);
    }
}

/// Asks a switch to drop a call.
pub fn tell(world: &mut World, from: Pid, switch: usize, call: iradialer_core::value::CallUuid) {
    let names = names();
    let subject = subject::switch_request(&names.cluster, &names.nodes[switch]);
    world.send(
        from,
        Message {
            to: To::Subject(subject),
            answer_to: None,
            payload: Payload::Drop(call),
        },
    );
}

/// A step of the API.
pub fn step(world: &mut World, step: WebStep) {
    match step {
        WebStep::Accept(key) => {
            let uuid = world.uuid();
            let unique = world.has(Protection::IdempotencyKey);
            let call = world.tdb.accept(uuid, key, unique);
            world.note(|| {
                format!(
                    "request {key} is committed as call {}",
                    crate::bus::short(call)
                )
            });
            world.after(0, Pid::Web, What::Web(WebStep::Answer(key)));
        }
        WebStep::Answer(key) => world.web.answered[key] = true,
    }
}
