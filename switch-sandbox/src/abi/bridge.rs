//! Two sessions that hear each other, after `switch_ivr_bridge.c`: a loop on the thread of each, keys to the
//! other's far end, and who is hung up when one of them is.

use super::session::{self, Session, far_end};
use super::{log, media, message, text};
use crate::host::host;
use freeswitch_sys::*;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long one side waits for the other's thread to come.
const COMES_WITHIN: Duration = Duration::from_secs(10);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A bridge of two sessions.
pub struct Bridge {
    sides: [Side; 2],
}

struct Side {
    session: Arc<Session>,
    /// Whether its thread is in the loop.
    is_in: AtomicBool,
    /// It was moved on to something else, and is not to be hung up.
    clean_exit: AtomicBool,
}

/// The session that the bridge was asked of, and the other one.
const FIRST: usize = 0;
const SECOND: usize = 1;

/// See [`freeswitch_sys::switch_ivr_multi_threaded_bridge`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_ivr_multi_threaded_bridge(
    session: *mut switch_core_session_t,
    peer_session: *mut switch_core_session_t,
    _dtmf_callback: switch_input_callback_function_t,
    _session_data: *mut c_void,
    _peer_session_data: *mut c_void,
) -> switch_status_t {
    const FUNCTION: &str = "switch_ivr_multi_threaded_bridge";
    let first = session::of(session, FUNCTION);
    let second = session::of(peer_session, FUNCTION);
    if !second.leg.has_media() {
        second.hang_up(SWITCH_CAUSE_NO_ANSWER);
        return SWITCH_STATUS_FALSE;
    }
    if !first.leg.is_ready() {
        let cause = first.leg.cause();
        second.hang_up(match cause {
            SWITCH_CAUSE_NONE => SWITCH_CAUSE_ORIGINATOR_CANCEL,
            cause => cause,
        });
        return SWITCH_STATUS_SUCCESS;
    }
    second.leg.change(CS_CONSUME_MEDIA);
    if !second.leg.hold(false) {
        return SWITCH_STATUS_FALSE;
    }
    bridge(&first, &second);
    second.leg.release();
    if text::is_true(first.variables.get("hangup_after_bridge").as_deref()) {
        first.hang_up(SWITCH_CAUSE_NORMAL_CLEARING);
    }
    SWITCH_STATUS_SUCCESS
}

fn bridge(first: &Arc<Session>, second: &Arc<Session>) {
    let side = |session: &Arc<Session>| Side {
        session: session.clone(),
        is_in: AtomicBool::new(false),
        clean_exit: AtomicBool::new(false),
    };
    let bridge = Arc::new(Bridge {
        sides: [side(first), side(second)],
    });
    tell(&bridge, SWITCH_MESSAGE_INDICATE_BRIDGE);
    *second.bridge.lock() = Some(bridge.clone());
    second.leg.change(CS_EXCHANGE_MEDIA);
    bridge.exchange(FIRST);
    while second.leg.state() == CS_EXCHANGE_MEDIA {
        std::thread::sleep(LOOK_EVERY);
    }
    tell(&bridge, SWITCH_MESSAGE_INDICATE_UNBRIDGE);
}

/// Tells both, the second one first, with the other's UUID.
fn tell(bridge: &Bridge, message_id: switch_core_session_message_types_t) {
    let [first, second] = &bridge.sides;
    for (one, other) in [(second, first), (first, second)] {
        let uuid = text::for_c(other.session.uuid());
        message::send(&one.session, message_id, Some(&uuid));
    }
}

/// What the second side's thread does in `CS_EXCHANGE_MEDIA`.
pub fn exchange_media(session: &Arc<Session>) {
    let Some(bridge) = session.bridge.lock().take() else {
        return session.hang_up(SWITCH_CAUSE_DESTINATION_OUT_OF_ORDER);
    };
    bridge.exchange(SECOND);
    if session.leg.state() != CS_EXCHANGE_MEDIA {
        return;
    }
    let is_parked = text::is_true(session.variables.get("park_after_bridge").as_deref());
    match is_parked || bridge.sides[SECOND].clean_exit.load(Ordering::SeqCst) {
        true => drop(session.leg.change(CS_PARK)),
        false => session.hang_up(SWITCH_CAUSE_NORMAL_CLEARING),
    }
}

impl Bridge {
    /// Goes on until one of the two ends it, on the thread of the side at `index`.
    fn exchange(&self, index: usize) {
        let (own, other) = (&self.sides[index], &self.sides[1 - index]);
        own.is_in.store(true, Ordering::SeqCst);
        let until = Instant::now() + COMES_WITHIN;
        while !other.is_in.load(Ordering::SeqCst)
            && Instant::now() < until
            && own.session.leg.is_ready()
            && !other.session.leg.is_down()
        {
            std::thread::sleep(LOOK_EVERY);
        }
        while other.is_in.load(Ordering::SeqCst) {
            if !own.session.leg.is_ready() {
                let is_up = !own.session.leg.is_down();
                own.clean_exit.store(is_up, Ordering::SeqCst);
                break;
            }
            if other.session.leg.is_down() {
                break;
            }
            while let Some(digit) = own.session.leg.pop_digit() {
                far_end::send_key(&other.session, digit);
            }
            if !media::pass(&own.session, &other.session) {
                break;
            }
        }
        own.is_in.store(false, Ordering::SeqCst);
        let uuid = own.session.uuid();
        let now_ms = host().clock.now_us() / 1000;
        log::write(
            SWITCH_LOG_DEBUG,
            format_args!("{uuid} leaves its bridge at {now_ms} ms"),
        );
    }
}
