//! The legs of a switch, and the far end: what a callee does, and how often one was alerted.

use super::SwitchStep;
use super::journal::{emit, open_lane};
use crate::bus::short;
use crate::world::{Pid, What, World};
use iradialer_core::call::{Direction, EndedBy};
use iradialer_core::value::CallUuid;
use iradialer_core::wire::{DialCommand, EventBody, Hangup};
use std::collections::BTreeMap;

/// A leg.
pub struct Leg {
    command: DialCommand,
    rang: bool,
    answered: bool,
}

/// What the far end does.
#[derive(Debug, Clone, Copy)]
pub enum FarStep {
    Rings,
    Answers,
    Ends(EndedBy, Option<u16>),
}

/// What callees do, and when, ms after the INVITE; the plainest first.
const CALLEES: [&[(u64, FarStep)]; 8] = [
    &[
        (300, FarStep::Rings),
        (1_000, FarStep::Answers),
        (2_500, FarStep::Ends(EndedBy::Callee, Some(200))),
    ],
    &[(300, FarStep::Ends(EndedBy::Callee, Some(486)))],
    &[(300, FarStep::Ends(EndedBy::Callee, Some(503)))],
    &[
        (300, FarStep::Rings),
        (4_000, FarStep::Ends(EndedBy::DialTimeout, Some(487))),
    ],
    &[(100, FarStep::Ends(EndedBy::Callee, Some(404)))],
    &[
        (200, FarStep::Rings),
        (600, FarStep::Ends(EndedBy::Callee, Some(503))),
    ],
    &[(20, FarStep::Ends(EndedBy::Callee, Some(500)))],
    &[
        (100, FarStep::Rings),
        (200, FarStep::Answers),
        (9_000, FarStep::Ends(EndedBy::Callee, Some(200))),
    ],
];

/// The INVITE goes out.
pub fn begin(world: &mut World, n: usize, command: DialCommand) {
    let attempt_id = command.attempt_id;
    let callee = CALLEES[world.script(CALLEES.len())];
    let alerts = matches!(callee[0].1, FarStep::Rings);
    world.note(|| {
        format!(
            "Switch({n}) sends the INVITE of {} (alerting: {alerts})",
            short(attempt_id)
        )
    });
    crate::checks::invited(world, n, &command, alerts);
    open_lane(world, n, Box::new(command.clone()));
    let started = EventBody::Started {
        to_number: String::new(),
        from_number: String::new(),
        trunk: command.trunk.clone(),
        direction: Direction::Outbound,
        campaign_name: None,
    };
    world.switches[n].legs.push(Leg {
        command,
        rang: false,
        answered: false,
    });
    emit(world, n, attempt_id, started);
    for (ms, far) in callee {
        let step = SwitchStep::Far(attempt_id, *far);
        world.after(*ms, Pid::Switch(n), What::Switch(step));
    }
}

/// The far end does something.
pub fn far(world: &mut World, n: usize, attempt_id: CallUuid, far: FarStep) {
    let legs = &mut world.switches[n].legs;
    let leg = legs
        .iter_mut()
        .find(|leg| leg.command.attempt_id == attempt_id);
    let Some(leg) = leg else { return };
    let body = match far {
        FarStep::Rings => {
            leg.rang = true;
            EventBody::Ringing {
                early_media: false,
                after_ms: 0,
            }
        }
        FarStep::Answers => {
            leg.answered = true;
            EventBody::Answered {
                after_ms: 0,
                sip: BTreeMap::new(),
            }
        }
        FarStep::Ends(by, status) => return end(world, n, attempt_id, by, status),
    };
    emit(world, n, attempt_id, body);
}

/// As `Engine::drop_call`.
pub fn drop_call(world: &mut World, n: usize, call: CallUuid) {
    let mut legs = world.switches[n].legs.iter();
    let leg = legs.rfind(|leg| leg.command.call_uuid == call);
    if let Some(attempt_id) = leg.map(|leg| leg.command.attempt_id) {
        end(world, n, attempt_id, EndedBy::Request, None);
    }
}

/// Every leg ends with the module.
pub fn end_all(world: &mut World, n: usize) {
    while let Some(leg) = world.switches[n].legs.first() {
        let attempt_id = leg.command.attempt_id;
        end(world, n, attempt_id, EndedBy::Switch, None);
    }
}

fn end(world: &mut World, n: usize, attempt_id: CallUuid, by: EndedBy, status: Option<u16>) {
    let legs = &mut world.switches[n].legs;
    let at = legs
        .iter()
        .position(|leg| leg.command.attempt_id == attempt_id);
    let Some(at) = at else { return };
    let leg = legs.remove(at);
    world.switches[n].ledger.end(attempt_id);
    emit(
        world,
        n,
        attempt_id,
        hangup(by, status, leg.rang, leg.answered),
    );
}

/// The last event of an attempt.
pub fn hangup(by: EndedBy, sip_status: Option<u16>, rang: bool, answered: bool) -> EventBody {
    EventBody::Hangup(Hangup {
        hangup_cause: String::new(),
        sip_status,
        sip_phrase: None,
        by,
        answered,
        rang,
        duration_ms: 0,
        billsec_ms: 0,
        variables: BTreeMap::new(),
        node: None,
        fault: None,
    })
}
