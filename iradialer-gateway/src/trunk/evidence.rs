//! What an event of a call says of the trunk it went through.

use super::outcome::{Outcome, outcome};
use iradialer_core::call::EndedBy;
use iradialer_core::wire::{EventBody, Hangup};

/// A call that was given up by us after so long without a word from the carrier shows that the trunk is
/// dead, and not only that the far end is slow to ring.
const SILENCE_MS: u64 = 10_000;

/// What an event of a call says of the trunk it went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// The carrier places calls: it rang, was answered, or the person was busy.
    Works,
    /// A call that the carrier had placed is over: there is room for another.
    Ended,
    /// The carrier could not place the call, or was not heard at all. What it said.
    Fault(String),
    /// The carrier refuses what is ours to put right. What it said.
    Misused(String),
    /// More calls a second than it takes.
    TooFast,
    /// More calls at once than it takes.
    NoRoom,
    /// Nothing: the number, this side or nobody was the reason.
    Nothing,
}

/// What the event says; `None` where events of its kind never say anything.
pub fn evidence(body: &EventBody) -> Option<Evidence> {
    match body {
        EventBody::Ringing { .. } | EventBody::Answered { .. } => Some(Evidence::Works),
        EventBody::Hangup(hangup) => Some(of_hangup(hangup)),
        _ => None,
    }
}

fn of_hangup(hangup: &Hangup) -> Evidence {
    if hangup.answered || hangup.rang {
        return Evidence::Ended;
    }
    if hangup.by == EndedBy::DialTimeout {
        // Our own time limit, before the host's timer told that nobody answers the INVITE.
        return match hangup.sip_status {
            None | Some(408 | 487) if hangup.duration_ms >= SILENCE_MS => {
                Evidence::Fault(no_answer(hangup))
            }
            _ => Evidence::Nothing,
        };
    }
    match outcome(hangup) {
        Outcome::CalleeAway => Evidence::Works,
        Outcome::AnotherTrunk => Evidence::Fault(said(hangup)),
        Outcome::Unheard => Evidence::Fault(no_answer(hangup)),
        Outcome::TrunkMisused => Evidence::Misused(said(hangup)),
        Outcome::SlowDown => Evidence::TooFast,
        Outcome::WaitForRoom => Evidence::NoRoom,
        Outcome::Over | Outcome::DeadNumber | Outcome::NotPlaced => Evidence::Nothing,
    }
}

fn no_answer(hangup: &Hangup) -> String {
    format!("no answer for {} s", hangup.duration_ms / 1_000)
}

/// What the carrier said, or else why the switch could not place the call.
fn said(hangup: &Hangup) -> String {
    let text = match (hangup.sip_status, hangup.sip_phrase.as_deref()) {
        (Some(status), Some(phrase)) if !phrase.is_empty() => format!("{status} {phrase}"),
        (Some(status), _) => status.to_string(),
        (None, _) => hangup.hangup_cause.clone(),
    };
    // A carrier may say a lot.
    text.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn ended(sip_status: Option<u16>, phrase: &str, by: EndedBy) -> Hangup {
        Hangup {
            hangup_cause: "NORMAL_TEMPORARY_FAILURE".to_owned(),
            sip_status,
            sip_phrase: Some(phrase.to_owned()),
            by,
            answered: false,
            rang: false,
            duration_ms: 12_000,
            billsec_ms: 0,
            variables: BTreeMap::new(),
            node: None,
            fault: None,
        }
    }

    #[test]
    fn the_phrases_of_carriers() {
        use Evidence::*;
        for (status, phrase, expected) in [
            (503, "Trunk CPS limit exceeded", TooFast),
            (500, "Trunk CPS limit exceeded", TooFast),
            (503, "Trunk concurrent call limit exceeded", NoRoom),
            (503, "", Fault("503".to_owned())),
            (500, "Oops", Fault("500 Oops".to_owned())),
            (502, "Bad Gateway", Fault("502 Bad Gateway".to_owned())),
            (504, "Time-out", Fault("504 Time-out".to_owned())),
            (408, "Timeout", Fault("408 Timeout".to_owned())),
            (401, "Unauthorized", Misused("401 Unauthorized".to_owned())),
            (403, "Forbidden", Misused("403 Forbidden".to_owned())),
            (407, "Proxy", Misused("407 Proxy".to_owned())),
            (415, "Codec", Misused("415 Codec".to_owned())),
            (488, "Not here", Misused("488 Not here".to_owned())),
            (486, "Busy Here", Works),
            (480, "Away", Works),
            (600, "Busy Everywhere", Works),
            (400, "Bad Request", Nothing),
            (404, "Not Found", Nothing),
            (410, "Gone", Nothing),
            (484, "Incomplete", Nothing),
            (603, "Decline", Nothing),
            (604, "Nowhere", Nothing),
            (607, "Unwanted", Nothing),
            (608, "Rejected", Nothing),
        ] {
            let hangup = ended(Some(status), phrase, EndedBy::Callee);
            assert_eq!(of_hangup(&hangup), expected, "{status} {phrase}");
        }
    }

    #[test]
    fn what_is_not_the_carriers_is_not_blamed_on_it() {
        for (cause, expected) in [
            ("DESTINATION_OUT_OF_ORDER", Evidence::Nothing),
            ("NORMAL_CLEARING", Evidence::Nothing),
            ("GATEWAY_DOWN", Evidence::Fault("GATEWAY_DOWN".to_owned())),
        ] {
            let hangup = Hangup {
                hangup_cause: cause.to_owned(),
                ..ended(None, "", EndedBy::Callee)
            };
            assert_eq!(of_hangup(&hangup), expected, "{cause}");
        }
        for by in [EndedBy::Request, EndedBy::Crash, EndedBy::Switch] {
            let hangup = ended(Some(503), "", by);
            assert_eq!(of_hangup(&hangup), Evidence::Nothing, "{by:?}");
        }
        let rang = Hangup {
            rang: true,
            ..ended(Some(503), "", EndedBy::Callee)
        };
        assert_eq!(of_hangup(&rang), Evidence::Ended);
    }

    #[test]
    fn silence_until_the_switchs_timer_is_the_carriers() {
        let silent = Hangup {
            sip_phrase: None,
            ..ended(Some(408), "", EndedBy::Callee)
        };
        let fault = Evidence::Fault("no answer for 12 s".to_owned());
        assert_eq!(of_hangup(&silent), fault);
    }

    #[test]
    fn silence_until_our_own_time_limit_is_the_carriers() {
        let silent = ended(None, "", EndedBy::DialTimeout);
        assert_eq!(
            of_hangup(&silent),
            Evidence::Fault("no answer for 12 s".to_owned())
        );
        let short = Hangup {
            duration_ms: 5_000,
            ..silent.clone()
        };
        assert_eq!(
            of_hangup(&short),
            Evidence::Nothing,
            "slow to ring, perhaps"
        );
        let rang = Hangup {
            rang: true,
            ..silent
        };
        assert_eq!(of_hangup(&rang), Evidence::Ended);
    }
}
