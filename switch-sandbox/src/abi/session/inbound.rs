//! Calls that come in: made by the command `inbound`, given to the module by a dialplan of one line.

use super::{NotMade, Session, far_end, list};
use crate::abi::pool::{self, CallerProfile};
use crate::abi::{loader, log};
use crate::callee::{Act, KeyWay, Script, Step};
use crate::leg::Answered;
use freeswitch_sys::*;
use std::ffi::{c_char, c_int};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What the dialplan runs.
const APPLICATION: &str = "iradialer";
/// How the command is used.
pub const USAGE: &str =
    "inbound <from> <to> <-|ms:key,ms:speak,ms:hush,ms:bye> [data of the application]";

/// Has a call come in, as the command says, and returns its uuid. The error says what is wrong.
pub fn call_in(arguments: &str) -> Result<String, String> {
    let mut words = arguments.splitn(4, ' ');
    let (Some(from), Some(to), Some(steps)) = (words.next(), words.next(), words.next()) else {
        return Err(format!("USAGE: {USAGE}"));
    };
    let data = words.next().unwrap_or("").trim();
    let script = script(steps)?;
    let profile = CallerProfile::of_caller(from, to);
    let pool = pool::create();
    let session = match list(None, profile, to, Some(data.to_owned()), pool) {
        Ok(session) => session,
        Err(NotMade(_)) => {
            pool::destroy(pool, "call_in");
            return Err("the session limit is reached".to_owned());
        }
    };
    for (name, value) in [
        ("direction", "inbound"),
        ("sofia_profile_name", "external"),
        ("sip_network_ip", "127.0.0.1"),
        ("sip_call_id", &uuid::Uuid::new_v4().to_string()),
    ] {
        session.variables.set(name, Some(value));
    }
    let _ = session.script.set(script);
    let uuid = session.uuid.clone();
    match session.launch() {
        true => Ok(uuid),
        false => {
            super::states::destroy(&session);
            Err("there is no thread to be had".to_owned())
        }
    }
}

/// What a caller does, counted from the INVITE: `1500:1,4000:bye` presses 1 and hangs up, and
/// `1500:speak,4500:hush` speaks for 3 s.
fn script(text: &str) -> Result<Script, String> {
    let mut steps = Vec::new();
    for step in text.split(',').filter(|step| *step != "-") {
        let wrong =
            || format!("a step: expected ms:key, ms:speak, ms:hush or ms:bye, got \"{step}\"");
        let (at, act) = step.split_once(':').ok_or_else(wrong)?;
        let at = Duration::from_millis(at.parse().map_err(|_| wrong())?);
        let act = match act.as_bytes() {
            b"bye" => Act::HangUp,
            b"speak" => Act::Speak(true),
            b"hush" => Act::Speak(false),
            [key] if key.is_ascii_digit() || b"*#ABCD".contains(key) => {
                Act::Press(*key, KeyWay::Rtp)
            }
            _ => return Err(wrong()),
        };
        steps.push(Step { at, act });
    }
    Ok(Script(steps))
}

/// The dialplan of a call that came in, and its end where nobody took the channel elsewhere.
pub(super) fn run_dialplan(session: &Arc<Session>, data: &str) {
    if !loader::application(APPLICATION, session.handle(), data) {
        log::write(
            SWITCH_LOG_ERROR,
            format_args!("Invalid Application {APPLICATION}"),
        );
        session.hang_up(SWITCH_CAUSE_DESTINATION_OUT_OF_ORDER);
    }
    if session.leg.state() == CS_EXECUTE {
        session.hang_up(SWITCH_CAUSE_NORMAL_CLEARING);
    }
}

impl Session {
    /// Whether it came in.
    pub(super) fn is_inbound(&self) -> bool {
        self.dialplan.is_some()
    }
}

/// A caller hangs up before the answer.
pub(super) fn cancel(session: &Arc<Session>) {
    session.far_end_gone.store(true, Ordering::SeqCst);
    let variables = &session.variables;
    variables.set("sip_hangup_disposition", Some("recv_cancel"));
    variables.set("sip_term_status", Some("487"));
    session.hang_up(SWITCH_CAUSE_ORIGINATOR_CANCEL);
}

/// See [`freeswitch_sys::switch_channel_perform_answer`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_channel_perform_answer(
    channel: *mut switch_channel_t,
    _file: *const c_char,
    _func: *const c_char,
    _line: c_int,
) -> switch_status_t {
    let session = super::of_channel(channel, "switch_channel_perform_answer");
    if !session.is_inbound() {
        return SWITCH_STATUS_SUCCESS;
    }
    if !session.leg.hold(false) {
        return SWITCH_STATUS_FALSE;
    }
    let answered = far_end::answer(&session);
    session.leg.release();
    match answered {
        Answered::TooLate => SWITCH_STATUS_FALSE,
        Answered::Now | Answered::Before => SWITCH_STATUS_SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_script_is_read() {
        let read = script("1500:1,2000:speak,3000:hush,4000:bye").unwrap();
        let acts: Vec<_> = read.0.iter().map(|step| step.act).collect();
        let (speak, hush) = (Act::Speak(true), Act::Speak(false));
        assert_eq!(
            acts,
            [Act::Press(b'1', KeyWay::Rtp), speak, hush, Act::HangUp]
        );
        assert_eq!(read.0[3].at, Duration::from_secs(4));
        assert_eq!(script("-").unwrap(), Script::default());
        for wrong in ["", "1", "x:1", "5:yes", "5:E"] {
            assert!(
                script(wrong).unwrap_err().contains("expected ms:key"),
                "{wrong}"
            );
        }
    }
}
