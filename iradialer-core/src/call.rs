//! The states of a call and what the end of an attempt means for it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a call is. States only move forward; the last eight are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// Accepted and waiting for the router.
    Queued,
    /// Given to a switch, which has not confirmed it yet.
    Assigned,
    /// The switch has it; the INVITE is on its way or about to be.
    Dialing,
    /// A 180 or 183 came.
    Ringing,
    /// A 200 came; the flow runs.
    Answered,
    /// Was answered and has ended.
    Completed,
    /// Could not be connected, by a fault of the network, the trunk or the number.
    Failed,
    /// 486 or 600.
    Busy,
    /// Rang, or was tried, until the dial timeout; or 480.
    NoAnswer,
    /// Declined by the callee or the carrier (403, 603, 607, 608).
    Rejected,
    /// Was not dialled before its `expires_at`.
    Expired,
    /// Ended before it was answered, on request or by the caller who came in.
    Canceled,
    /// What became of it can't be known: its switch was lost while it may have been dialled.
    Unknown,
}

impl CallState {
    /// Every state, in order.
    pub const ALL: [CallState; 13] = [
        CallState::Queued,
        CallState::Assigned,
        CallState::Dialing,
        CallState::Ringing,
        CallState::Answered,
        CallState::Completed,
        CallState::Failed,
        CallState::Busy,
        CallState::NoAnswer,
        CallState::Rejected,
        CallState::Expired,
        CallState::Canceled,
        CallState::Unknown,
    ];

    /// The name in JSON, SQL and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            CallState::Queued => "queued",
            CallState::Assigned => "assigned",
            CallState::Dialing => "dialing",
            CallState::Ringing => "ringing",
            CallState::Answered => "answered",
            CallState::Completed => "completed",
            CallState::Failed => "failed",
            CallState::Busy => "busy",
            CallState::NoAnswer => "no_answer",
            CallState::Rejected => "rejected",
            CallState::Expired => "expired",
            CallState::Canceled => "canceled",
            CallState::Unknown => "unknown",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<CallState> {
        CallState::ALL
            .into_iter()
            .find(|state| state.as_str() == name)
    }

    /// Whether the call has its final record.
    pub fn is_final(self) -> bool {
        self.rank() == FINAL_RANK
    }

    /// Whether a call may go from here to `next`: forward only, and never out of a final state.
    /// A requeue after a refusal that dialled nothing is the router's own transition, not an event's.
    pub fn may_become(self, next: CallState) -> bool {
        !self.is_final() && next.rank() > self.rank()
    }

    /// How far along the state is: 0 for `queued` up to 5 for each of the final ones.
    pub fn rank(self) -> u8 {
        match self {
            CallState::Queued => 0,
            CallState::Assigned => 1,
            CallState::Dialing => 2,
            CallState::Ringing => 3,
            CallState::Answered => 4,
            _ => FINAL_RANK,
        }
    }
}

const FINAL_RANK: u8 = 5;

impl fmt::Display for CallState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which way a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// It was placed from here.
    #[default]
    Outbound,
    /// It came in at a switch.
    Inbound,
}

impl Direction {
    /// The name in JSON and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Outbound => "outbound",
            Direction::Inbound => "inbound",
        }
    }

    /// Whether it is what is not said where nothing is.
    pub fn is_outbound(&self) -> bool {
        *self == Direction::Outbound
    }
}

/// Who or what ended an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The called person, or the network on their behalf.
    Callee,
    /// The person who called in, or the network on their behalf.
    Caller,
    /// The flow came to its end.
    Flow,
    /// A request to drop the call, or an operator.
    Request,
    /// The dial timeout.
    DialTimeout,
    /// The longest duration the request allowed.
    MaxDuration,
    /// The call it was connected with, or was to be: that one ended.
    Peer,
    /// The switch: it was shut down, the module was unloaded, or a fault.
    Switch,
    /// The switch died with it, and says so after its restart.
    Crash,
}

/// How an attempt ended, as far as it decides what became of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Whether a 200 came.
    pub answered: bool,
    /// Who ended it.
    pub by: EndedBy,
    /// The SIP status that ended it, where one came.
    pub sip_status: Option<u16>,
}

/// What became of a call whose last attempt ended like this. The SIP status decides, not the hangup
/// cause, which maps 400, 481, 500 and 503 to one value. Of a call whose switch died nobody can say
/// how it ended for the person, answered or not.
pub fn final_state(ending: Ending) -> CallState {
    if ending.by == EndedBy::Crash {
        return CallState::Unknown;
    }
    if ending.answered {
        return CallState::Completed;
    }
    match (ending.by, ending.sip_status) {
        (EndedBy::Request | EndedBy::Peer | EndedBy::Caller, _) => CallState::Canceled,
        (EndedBy::DialTimeout, _) => CallState::NoAnswer,
        (_, Some(486 | 600)) => CallState::Busy,
        (_, Some(480)) => CallState::NoAnswer,
        (_, Some(403 | 603 | 607 | 608)) => CallState::Rejected,
        _ => CallState::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for state in CallState::ALL {
            assert_eq!(CallState::parse(state.as_str()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }

    #[test]
    fn states_only_move_forward() {
        for from in CallState::ALL {
            for to in CallState::ALL {
                let allowed = from.may_become(to);
                assert!(
                    !(allowed && to.may_become(from)),
                    "{from} and {to} lead to each other"
                );
                assert!(!(allowed && from.is_final()), "{from} is final");
            }
        }
        assert!(CallState::Queued.may_become(CallState::Completed));
        assert!(!CallState::Answered.may_become(CallState::Ringing));
    }

    #[test]
    fn endings() {
        let end = |answered, by, sip_status| {
            final_state(Ending {
                answered,
                by,
                sip_status,
            })
        };
        assert_eq!(end(true, EndedBy::Request, None), CallState::Completed);
        assert_eq!(end(false, EndedBy::Callee, Some(486)), CallState::Busy);
        assert_eq!(end(false, EndedBy::Callee, Some(480)), CallState::NoAnswer);
        assert_eq!(end(false, EndedBy::Callee, Some(603)), CallState::Rejected);
        assert_eq!(end(false, EndedBy::Callee, Some(404)), CallState::Failed);
        assert_eq!(
            end(false, EndedBy::DialTimeout, Some(487)),
            CallState::NoAnswer
        );
        assert_eq!(end(false, EndedBy::Request, Some(487)), CallState::Canceled);
        assert_eq!(end(false, EndedBy::Peer, Some(487)), CallState::Canceled);
        assert_eq!(end(false, EndedBy::Caller, Some(487)), CallState::Canceled);
        assert_eq!(end(false, EndedBy::Switch, None), CallState::Failed);
        assert_eq!(end(true, EndedBy::Crash, None), CallState::Unknown);
        assert_eq!(end(false, EndedBy::Crash, None), CallState::Unknown);
    }
}
