//! Live requests that connect a call with another one.

use crate::call::Work;
use crate::transfer::Manner;
use crate::transfer::course::Wanted;
use iradialer_core::flow::Sound;
use iradialer_core::live::{DirectBridge, TransferCall};
use std::collections::BTreeSet;

/// What goes to the desk for a transfer. It plays nothing.
pub(super) fn transfer_work(to: TransferCall) -> (Work, BTreeSet<Sound>, &'static str) {
    if to.deflect {
        let message = "the carrier is asked to connect them when its turn comes";
        return (
            Work::Transfer(Manner::Refer(to.destination)),
            BTreeSet::new(),
            message,
        );
    }
    dial(Wanted {
        destination: to.destination,
        from_number: None,
        trunk: None,
        timeout_s: to.timeout_s,
        whisper: Vec::new(),
    })
}

/// The same for one that names its trunk. No caller's number is the trunk's own, as with a call.
pub(super) fn direct_work(to: DirectBridge) -> (Work, BTreeSet<Sound>, &'static str) {
    dial(Wanted {
        destination: to.to_number,
        from_number: Some(to.from_number),
        trunk: Some(to.gateway),
        timeout_s: to.dial_timeout_s,
        whisper: Vec::new(),
    })
}

fn dial(wanted: Wanted) -> (Work, BTreeSet<Sound>, &'static str) {
    let message = "the other one is dialled when its turn comes";
    (
        Work::Transfer(Manner::Dial(wanted)),
        BTreeSet::new(),
        message,
    )
}
