//! Outgoing channels of our own, with our own state handlers: no thread waits while one rings.

use super::handlers;
use super::session::{Channel, Located, Session};
use super::text::{FILE, FUNC, c_string, from_c};
use crate::call::Call;
use crate::engine::dial_string;
use crate::host::{CreateError, HangupCause, NotLaunched, PreparedLeg, WhyNotLaunched};
use freeswitch_sys as sys;
use iradialer_core::wire::DtmfWay;
use std::ptr::null;
use std::sync::Arc;

/// The endpoint that trunks belong to.
const ENDPOINT: &str = "sofia";

/// A session that was made and whose thread was not launched. Anybody may find it and hang it up, and then
/// the host launches its thread, to end it: it is kept from being destroyed meanwhile.
struct Made {
    kept: Option<Located>,
    /// There is no thread that would ever end it.
    is_stuck: bool,
}

// SAFETY: H4: until its thread is launched the session belongs to whoever made it, on any thread, and its lock
// may be given back on another one.
unsafe impl Send for Made {}

impl PreparedLeg for Made {
    fn launch(mut self: Box<Self>) -> Result<(), NotLaunched> {
        let Some(kept) = &self.kept else {
            unreachable!("it is kept until it is launched or dropped")
        };
        // SAFETY: H3, H4: made, and kept from being destroyed.
        let status = unsafe { sys::switch_core_session_thread_launch(kept.session().as_ptr()) };
        let channel = kept.session().channel();
        let why = match status {
            sys::SWITCH_STATUS_SUCCESS => {
                self.kept = None;
                return Ok(());
            }
            _ if channel.state() >= sys::CS_HANGUP => WhyNotLaunched::HungUp(channel.cause()),
            status => {
                self.is_stuck = true;
                WhyNotLaunched::NoThread(format!("status {status}"))
            }
        };
        Err(NotLaunched { leg: self, why })
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let Some(kept) = self.kept.take() else { return };
        if !self.is_stuck {
            // The host launches the thread of a channel that is hung up, and the thread destroys it.
            return kept.session().channel().hang_up(HangupCause::Fault);
        }
        let mut session = kept.session().as_ptr();
        drop(kept);
        // SAFETY: H4: it has no thread, and none can be had, so it is ours to destroy.
        unsafe {
            sys::switch_core_session_perform_destroy(
                &raw mut session,
                FILE.as_ptr(),
                FUNC.as_ptr(),
                0,
            )
        };
    }
}

/// A list of variables in the shape the host wants, destroyed when dropped.
struct Variables(*mut sys::switch_event_t);

impl Variables {
    fn new() -> Option<Variables> {
        let mut event = std::ptr::null_mut();
        // SAFETY: H1; the event is ours until destroyed.
        let status = unsafe {
            sys::switch_event_create_subclass_detailed(
                FILE.as_ptr(),
                FUNC.as_ptr(),
                0,
                &raw mut event,
                sys::SWITCH_EVENT_CLONE,
                null(),
            )
        };
        (status == sys::SWITCH_STATUS_SUCCESS && !event.is_null()).then_some(Variables(event))
    }

    fn add(&self, name: &str, value: &str) {
        let (name, value) = (c_string(name), c_string(value));
        // SAFETY: the event is ours; both strings are copied.
        unsafe {
            sys::switch_event_add_header_string(
                self.0,
                sys::SWITCH_STACK_BOTTOM,
                name.as_ptr(),
                value.as_ptr(),
            )
        };
    }
}

impl Drop for Variables {
    fn drop(&mut self) {
        // SAFETY: ours, once.
        unsafe { sys::switch_event_destroy(&raw mut self.0) };
    }
}

/// A memory pool; the session takes it over when one is made.
pub(super) struct Pool(pub(super) *mut sys::switch_memory_pool_t);

impl Pool {
    pub(super) fn new() -> Option<Pool> {
        let mut pool = std::ptr::null_mut();
        // SAFETY: H1.
        let status = unsafe {
            sys::switch_core_perform_new_memory_pool(&raw mut pool, FILE.as_ptr(), FUNC.as_ptr(), 0)
        };
        (status == sys::SWITCH_STATUS_SUCCESS && !pool.is_null()).then_some(Pool(pool))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the host sets the pointer to null when a session takes the pool over (H4).
            unsafe {
                sys::switch_core_perform_destroy_memory_pool(
                    &raw mut self.0,
                    FILE.as_ptr(),
                    FUNC.as_ptr(),
                    0,
                )
            };
        }
    }
}

/// Makes the channel of a call. Nothing is sent before its thread is launched.
pub fn create(call: &Arc<Call>) -> Result<Box<dyn PreparedLeg>, CreateError> {
    let limit = || CreateError::Limit("the switch has no memory for another session".into());
    let (variables, mut pool) = (
        Variables::new().ok_or_else(limit)?,
        Pool::new().ok_or_else(limit)?,
    );
    variables.add("origination_uuid", &call.command.attempt_id.to_string());

    let mut session = std::ptr::null_mut();
    let mut canceled = sys::SWITCH_CAUSE_NONE;
    let endpoint = c_string(ENDPOINT);
    // SAFETY: H1, H4: profile and pool are ours, and every string is copied into the pool.
    let cause = unsafe {
        sys::switch_core_session_outgoing_channel(
            std::ptr::null_mut(),
            variables.0,
            endpoint.as_ptr(),
            caller_profile(&pool, call),
            &raw mut session,
            &raw mut pool.0,
            sys::SOF_NONE,
            &raw mut canceled,
        )
    };
    if cause != sys::SWITCH_CAUSE_SUCCESS {
        return Err(refusal(call, cause));
    }
    // Not by the pointer: whoever hung it up meanwhile has had it destroyed.
    let hung_up =
        || CreateError::Limit("somebody hung the channel up before it was dialled".into());
    let kept = Session::locate(call.command.attempt_id).ok_or_else(hung_up)?;
    let made = Box::new(Made {
        kept: Some(kept),
        is_stuck: false,
    });
    let session = made.kept.as_ref().map(Located::session);
    let attached = session.is_some_and(|session| {
        set_variables(session.channel(), call);
        handlers::attach(session)
    });
    match attached {
        true => Ok(made),
        false => Err(limit()),
    }
}

fn caller_profile(pool: &Pool, call: &Call) -> *mut sys::switch_caller_profile_t {
    let command = &call.command;
    let destination = c_string(&dial_string(&command.trunk, &command.to_number));
    let from = c_string(command.from_number.as_str());
    // SAFETY: the pool is ours; every string is copied into it.
    unsafe {
        sys::switch_caller_profile_new(
            pool.0,
            null(),
            // Dialplan and source: what is given here goes out with each of the host's events of the call.
            null(),
            from.as_ptr(),
            from.as_ptr(),
            null(),
            null(),
            null(),
            null(),
            null(),
            null(),
            destination.as_ptr(),
        )
    }
}

fn set_variables(channel: Channel<'_>, call: &Call) {
    // Without this a silent far end would hold the session's thread for up to 5 s at a time.
    channel.set_variable("rtp_timer_name", "soft");
    channel.set_variable("ira_call_uuid", &call.command.call_uuid.to_string());
    // A 302 would be followed to wherever it points, past the trunk and its limits, and on from there.
    channel.set_variable("outbound_redirect_fatal", "true");
    if call.command.dtmf == DtmfWay::Info {
        channel.set_variable("dtmf_type", "info");
    }
    for (name, value) in call.command.channel_vars.iter() {
        channel.set_variable(name, value);
    }
}

fn refusal(call: &Call, cause: sys::switch_call_cause_t) -> CreateError {
    // SAFETY: H1; the name is static.
    let name = unsafe { from_c(sys::switch_channel_cause2str(cause)) }.unwrap_or_default();
    let trunk = &call.command.trunk;
    match cause {
        sys::SWITCH_CAUSE_INVALID_GATEWAY => {
            CreateError::Trunk(format!("{trunk}: no gateway of that name ({name})"))
        }
        sys::SWITCH_CAUSE_GATEWAY_DOWN => {
            CreateError::Trunk(format!("{trunk}: the gateway is down ({name})"))
        }
        sys::SWITCH_CAUSE_CHAN_NOT_IMPLEMENTED => {
            CreateError::Trunk(format!("mod_sofia is not loaded ({name})"))
        }
        _ => CreateError::Limit(format!("the switch makes no channel on {trunk} ({name})")),
    }
}
