//! What to do with a call whose attempt has ended.
//!
//! The SIP status and its phrase decide, not the hangup cause, which maps 400, 481, 500 and 503 to one
//! value and 401, 403, 407, 603 and 608 to another. Only where no status came does the cause say more:
//! then the far end was not heard at all.

use iradialer_core::call::EndedBy;
use iradialer_core::wire::Hangup;

/// What to do with a call whose attempt has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The call is over: it was answered, it rang, it was ended on our side, or nobody can say. It is
    /// never dialled again.
    Over,
    /// The person is busy or away (486, 600, 480): minutes or hours later, if ever.
    CalleeAway,
    /// The number is not one, or does not want to be called (400, 404, 410, 484, 604, 607, 608): never
    /// again.
    DeadNumber,
    /// The trunk refuses what is ours to put right: credentials, caller's number, codec (401, 407, 403,
    /// 415, 488). Other calls will fare the same until a person has looked; another trunk may place this
    /// one now.
    TrunkMisused,
    /// The trunk could not place the call: another may, now.
    AnotherTrunk,
    /// No answer at all came until the switch's own timer was up. The person may have been rung, with what
    /// said so lost on its way: never again, but the trunk is to blame.
    Unheard,
    /// More calls a second than the carrier takes ("CPS limit exceeded"): the same trunk, more slowly.
    SlowDown,
    /// More calls at once than the carrier takes ("concurrent call limit"): the same trunk, once one
    /// has ended.
    WaitForRoom,
    /// The switch itself would not take one more leg, and no carrier has heard of it: again, and no
    /// fault of the trunk's.
    NotPlaced,
}

/// What to do with a call whose attempt has ended like this.
pub fn outcome(hangup: &Hangup) -> Outcome {
    // A switch that hangs up by itself has sent something to hang up; where it sent nothing, it names
    // the callee, as for every end that is not its own.
    let ours = hangup.by != EndedBy::Callee;
    if hangup.answered || hangup.rang || ours {
        return match hangup.sip_status {
            Some(480 | 486 | 600) if !hangup.answered && !ours => Outcome::CalleeAway,
            _ => Outcome::Over,
        };
    }
    match hangup.sip_status {
        None => without_status(&hangup.hangup_cause),
        // Of the carrier's own 408 there is a phrase, even if it is empty.
        Some(408) if hangup.sip_phrase.is_none() => Outcome::Unheard,
        Some(status) => by_status(status, hangup.sip_phrase.as_deref().unwrap_or("")),
    }
}

fn without_status(cause: &str) -> Outcome {
    match cause {
        // Nothing was sent: the limits of the host, and a gateway that it knows to be down.
        "DESTINATION_OUT_OF_ORDER" => Outcome::NotPlaced,
        "GATEWAY_DOWN" => Outcome::AnotherTrunk,
        _ => Outcome::Over,
    }
}

fn by_status(status: u16, phrase: &str) -> Outcome {
    if (500..=599).contains(&status) {
        // Twilio says it with 503, and has been seen to with 500.
        let phrase = phrase.to_ascii_lowercase();
        if phrase.contains("cps limit exceeded") {
            return Outcome::SlowDown;
        }
        if phrase.contains("concurrent call limit") {
            return Outcome::WaitForRoom;
        }
    }
    match status {
        408 | 500 | 502 | 503 | 504 => Outcome::AnotherTrunk,
        480 | 486 | 600 => Outcome::CalleeAway,
        400 | 404 | 410 | 484 | 604 | 607 | 608 => Outcome::DeadNumber,
        401 | 403 | 407 | 415 | 488 => Outcome::TrunkMisused,
        _ => Outcome::Over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn refused(sip_status: Option<u16>, phrase: &str) -> Hangup {
        Hangup {
            hangup_cause: "NORMAL_TEMPORARY_FAILURE".to_owned(),
            sip_status,
            sip_phrase: Some(phrase.to_owned()),
            by: EndedBy::Callee,
            answered: false,
            rang: false,
            duration_ms: 40,
            billsec_ms: 0,
            variables: BTreeMap::new(),
            node: None,
            fault: None,
        }
    }

    #[test]
    fn a_carrier_that_says_408_is_not_one_that_says_nothing() {
        let said = refused(Some(408), "");
        assert_eq!(outcome(&said), Outcome::AnotherTrunk);
        let silent = Hangup {
            sip_phrase: None,
            ..said
        };
        assert_eq!(outcome(&silent), Outcome::Unheard);
        // It could not be sent: the kernel said so.
        let unreachable = Hangup {
            sip_phrase: None,
            ..refused(Some(503), "")
        };
        assert_eq!(outcome(&unreachable), Outcome::AnotherTrunk);
    }

    #[test]
    fn the_status_and_its_phrase_decide() {
        use Outcome::*;
        for (status, phrase, expected) in [
            (408, "Request Timeout", AnotherTrunk),
            (500, "Server Internal Error", AnotherTrunk),
            (502, "Bad Gateway", AnotherTrunk),
            (503, "Service Unavailable", AnotherTrunk),
            (504, "Server Time-out", AnotherTrunk),
            (503, "Trunk CPS limit exceeded", SlowDown),
            (500, "Trunk CPS limit exceeded", SlowDown),
            (503, "TRUNK CPS LIMIT EXCEEDED", SlowDown),
            (503, "Trunk concurrent call limit exceeded", WaitForRoom),
            (480, "Temporarily Unavailable", CalleeAway),
            (486, "Busy Here", CalleeAway),
            (600, "Busy Everywhere", CalleeAway),
            (400, "Bad Request", DeadNumber),
            (404, "Not Found", DeadNumber),
            (410, "Gone", DeadNumber),
            (484, "Address Incomplete", DeadNumber),
            (604, "Does Not Exist Anywhere", DeadNumber),
            (607, "Unwanted", DeadNumber),
            (608, "Rejected", DeadNumber),
            (401, "Unauthorized", TrunkMisused),
            (407, "Proxy Authentication Required", TrunkMisused),
            (403, "Forbidden", TrunkMisused),
            (415, "Unsupported Media Type", TrunkMisused),
            (488, "Not Acceptable Here", TrunkMisused),
            (603, "Decline", Over),
            (487, "Request Terminated", Over),
            (481, "Call/Transaction Does Not Exist", Over),
            (404, "CPS limit exceeded", DeadNumber),
        ] {
            let got = outcome(&refused(Some(status), phrase));
            assert_eq!(got, expected, "{status} {phrase}");
        }
    }

    #[test]
    fn without_a_status_only_a_refusal_of_the_switchs_own_is_no_end() {
        for (cause, expected) in [
            ("DESTINATION_OUT_OF_ORDER", Outcome::NotPlaced),
            ("GATEWAY_DOWN", Outcome::AnotherTrunk),
            ("NORMAL_TEMPORARY_FAILURE", Outcome::Over),
            ("NORMAL_CLEARING", Outcome::Over),
        ] {
            let hangup = Hangup {
                hangup_cause: cause.to_owned(),
                ..refused(None, "")
            };
            assert_eq!(outcome(&hangup), expected, "{cause}");
        }
    }

    proptest! {
        #[test]
        fn what_may_have_reached_a_person_is_never_dialled_again(
            status in proptest::option::of(100u16..700),
            phrase in "(Trunk CPS limit exceeded|concurrent call limit|OK|)",
            cause in "(DESTINATION_OUT_OF_ORDER|GATEWAY_DOWN|NO_ANSWER)",
            rang: bool,
            answered: bool,
            by in prop_oneof![
                Just(EndedBy::Callee), Just(EndedBy::Flow), Just(EndedBy::Request),
                Just(EndedBy::DialTimeout), Just(EndedBy::MaxDuration), Just(EndedBy::Switch),
                Just(EndedBy::Crash),
            ],
        ) {
            let hangup = Hangup { hangup_cause: cause, rang, answered, by, ..refused(status, &phrase) };
            let reached = rang || answered || by != EndedBy::Callee;
            if reached {
                prop_assert!(matches!(outcome(&hangup), Outcome::Over | Outcome::CalleeAway));
            }
        }
    }
}
