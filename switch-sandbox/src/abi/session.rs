//! Sessions: made by an originate, found by uuid, run on a thread of their own, destroyed when
//! nobody holds them.

pub mod far_end;
pub mod inbound;
mod states;

use super::bug::Bug;
use super::handles::Handles;
use super::heard::Heard;
use super::pool::{self, Address, CallerProfile, PROFILES};
use super::{die, event::EVENTS, log, text};
use crate::callee::{self, Script};
use crate::ear::Ear;
use crate::host::host;
use crate::leg::{Leg, state_name};
use crate::network::LaneId;
use crate::sip;
use freeswitch_sys::*;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

/// All sessions, by the pointer that the module has of each.
pub static SESSIONS: Handles<Session> = Handles::of("session");
/// The same sessions, by the pointer to their channel.
pub static CHANNELS: Handles<Session> = Handles::of("channel");
/// The sessions that can be located.
static BY_UUID: LazyLock<Mutex<HashMap<String, Arc<Session>>>> = LazyLock::new(Mutex::default);

/// FreeSWITCH's `SWITCH_THREAD_STACKSIZE`, bytes: what a handler has to get along with there
/// it has to get along with here.
const STACK: usize = 240 * 1024;

/// A handler table that the module added; it keeps the table alive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Table(pub *const switch_state_handler_table_t);

// SAFETY: the module promises that a table it adds stays as it is while any channel has it.
unsafe impl Send for Table {}

/// What the module hung on a session, in the order it came.
#[derive(Default)]
pub struct Hooks {
    /// State handler tables.
    pub tables: Mutex<Vec<Table>>,
    /// Functions that see messages.
    pub messages: Mutex<Vec<MessageHook>>,
    /// Functions that see digits.
    pub digits: Mutex<Vec<DigitHook>>,
    /// Media bugs, the oldest first.
    pub bugs: Mutex<Vec<Arc<Bug>>>,
}

type MessageHook = unsafe extern "C" fn(
    *mut switch_core_session_t,
    *mut switch_core_session_message_t,
) -> switch_status_t;
type DigitHook = unsafe extern "C" fn(
    *mut switch_core_session_t,
    *const switch_dtmf_t,
    switch_dtmf_direction_t,
) -> switch_status_t;

/// One session and its channel.
pub struct Session {
    uuid: String,
    uuid_for_c: CString,
    /// Who calls whom.
    pub profile: CallerProfile,
    /// Channel variables.
    pub variables: super::variables::Variables,
    /// The channel.
    pub leg: Leg,
    /// Handlers and hooks.
    pub hooks: Hooks,
    number: String,
    /// What the dialplan gives the application, for a call that came in.
    dialplan: Option<String>,
    /// What the far end does, from the INVITE on.
    script: OnceLock<Script>,
    lane: LaneId,
    pool: Address,
    launched: AtomicBool,
    /// No request may be sent to the far end: it is gone, or was told.
    far_end_gone: AtomicBool,
    invited: AtomicBool,
    /// Digits are offered to the hooks one at a time.
    digit_order: Mutex<()>,
    /// Whether the far end speaks just now.
    pub speaks: AtomicBool,
    /// Whether keys that come as tones are found.
    pub finds_tones: AtomicBool,
    /// The packet it has read last.
    pub heard: Heard,
    /// When the next frame of audio is due, on the host's clock.
    pub next_frame_us: AtomicI64,
    /// The bridge that it takes part in as the second side.
    pub bridge: Mutex<Option<Arc<super::bridge::Bridge>>>,
    /// The keys that its far end has heard.
    pub keys_heard: Mutex<String>,
    /// Where what its far end hears is kept, once it is asked for.
    pub ear: Mutex<Option<Ear>>,
    /// Whether what the far end says, and what it hears, is silenced.
    pub silenced: [AtomicBool; 2],
    /// Packets of audio that came and that were sent.
    pub packets: [AtomicU64; 2],
}

impl Session {
    /// Counts a packet of audio from a far end that sends any.
    pub fn packet_came(&self) {
        if callee::sends_audio(&self.number) {
            self.packets[0].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The session's uuid.
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// The pointer that the module has of this session.
    pub fn handle(self: &Arc<Self>) -> *mut switch_core_session_t {
        Arc::as_ptr(self).cast::<switch_core_session_t>().cast_mut()
    }

    /// The pointer that the module has of this session's channel: another address than the
    /// session's, so that one taken for the other is found out.
    fn channel(&self) -> *mut switch_channel_t {
        (&raw const self.leg).cast::<switch_channel_t>().cast_mut()
    }

    /// Hangs up, on any thread; the first cause stands.
    pub fn hang_up(self: &Arc<Self>, cause: switch_call_cause_t) {
        let state = state_name(self.leg.state());
        if !self.leg.hang_up(cause) {
            return;
        }
        let name = sip::cause_name(cause).to_string_lossy();
        log::write(
            SWITCH_LOG_NOTICE,
            format_args!("{} hangup [{state}] [{name}]", self.uuid),
        );
        self.launch();
    }

    /// Starts the session's thread, once. False when it was started before or none can be had.
    fn launch(self: &Arc<Self>) -> bool {
        if self.launched.swap(true, Ordering::SeqCst) {
            return false;
        }
        let session = self.clone();
        let thread = std::thread::Builder::new()
            .name("session".to_owned())
            .stack_size(STACK);
        match thread.spawn(move || states::run(&session)) {
            Ok(_) => true,
            Err(error) => {
                self.launched.store(false, Ordering::SeqCst);
                log::write(
                    SWITCH_LOG_CRIT,
                    format_args!("{} no thread: {error}", self.uuid),
                );
                false
            }
        }
    }
}

/// The session behind a pointer that `function` was given.
pub fn of(session: *mut switch_core_session_t, function: &str) -> Arc<Session> {
    SESSIONS.get(session, function)
}

/// The session behind a channel pointer that `function` was given.
pub fn of_channel(channel: *mut switch_channel_t, function: &str) -> Arc<Session> {
    CHANNELS.get(channel, function)
}

/// The uuids of all sessions that can be located, sorted.
pub fn uuids() -> Vec<String> {
    let mut uuids: Vec<_> = BY_UUID.lock().keys().cloned().collect();
    uuids.sort();
    uuids
}

/// One line a call: uuid, number, state.
pub fn describe() -> Vec<String> {
    let all = BY_UUID.lock();
    let mut lines: Vec<_> = all
        .values()
        .map(|session| {
            let keys = session.keys_heard.lock();
            let heard = match keys.is_empty() {
                true => String::new(),
                false => format!(" heard {keys}"),
            };
            let state = state_name(session.leg.state());
            format!("{} {} {state}{heard}", session.uuid, session.number)
        })
        .collect();
    lines.sort();
    lines
}

/// Hangs up every call.
pub fn hang_up_all(cause: switch_call_cause_t) {
    SESSIONS
        .all()
        .iter()
        .for_each(|session| session.hang_up(cause));
}

/// Why no session was made, as the SIP endpoint tells it.
struct NotMade(switch_call_cause_t);

/// See [`freeswitch_sys::switch_core_session_outgoing_channel`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_session_outgoing_channel(
    _session: *mut switch_core_session_t,
    var_event: *mut switch_event_t,
    endpoint_name: *const c_char,
    caller_profile: *mut switch_caller_profile_t,
    new_session: *mut *mut switch_core_session_t,
    pool: *mut *mut switch_memory_pool_t,
    _flags: switch_originate_flag_t,
    _cancel_cause: *mut switch_call_cause_t,
) -> switch_call_cause_t {
    const FUNCTION: &str = "switch_core_session_outgoing_channel";
    // SAFETY: the module passes a C string.
    if unsafe { text::copied(endpoint_name) }.as_deref() != Some("sofia") {
        return SWITCH_CAUSE_CHAN_NOT_IMPLEMENTED;
    }
    // SAFETY: the module passes a place for the pointer.
    unsafe { *new_session = std::ptr::null_mut() };
    let event = (!var_event.is_null()).then(|| EVENTS.get(var_event, FUNCTION));
    let uuid = event
        .as_ref()
        .and_then(|event| event.header("origination_uuid"));
    let profile = (!caller_profile.is_null()).then(|| PROFILES.get(caller_profile, FUNCTION));
    // SAFETY: null, or the place of the pointer to a pool that is donated. The SIP endpoint
    // takes it whatever comes of the call.
    let donated = match unsafe { pool.as_mut() } {
        Some(pool) => std::mem::replace(pool, std::ptr::null_mut()),
        None => std::ptr::null_mut(),
    };
    let pool = if donated.is_null() {
        pool::create()
    } else {
        donated
    };
    match make(uuid, profile.as_deref(), pool) {
        Ok(session) => {
            if let Some(event) = event {
                event.remove("origination_uuid");
            }
            // SAFETY: as above.
            unsafe { *new_session = session.handle() };
            SWITCH_CAUSE_SUCCESS
        }
        Err(NotMade(cause)) => {
            pool::destroy(pool, FUNCTION);
            cause
        }
    }
}

/// Makes a session for `gateway/TRUNK/NUMBER` and lists it, or says why not.
fn make(
    uuid: Option<String>,
    profile: Option<&CallerProfile>,
    pool: *mut switch_memory_pool_t,
) -> Result<Arc<Session>, NotMade> {
    let profile = profile.cloned().unwrap_or_default();
    let out_of_order = NotMade(SWITCH_CAUSE_DESTINATION_OUT_OF_ORDER);
    let Some(destination) = profile.field("destination_number").map(str::to_owned) else {
        return Err(out_of_order);
    };
    let (trunk, number) = dialled(&destination)?;
    let session = list(uuid, profile, number, None, pool)?;
    for (name, value) in [
        ("direction", "outbound"),
        ("sip_gateway_name", trunk),
        ("sip_profile_name", "gateway"),
        ("sip_destination_url", &format!("sip:{number}@{trunk}")),
        ("sip_to_host", "127.0.0.1"),
    ] {
        session.variables.set(name, Some(value));
    }
    Ok(session)
}

/// Makes a session and lists it, where there is room for one more of that uuid.
fn list(
    uuid: Option<String>,
    profile: CallerProfile,
    number: &str,
    dialplan: Option<String>,
    pool: *mut switch_memory_pool_t,
) -> Result<Arc<Session>, NotMade> {
    let out_of_order = NotMade(SWITCH_CAUSE_DESTINATION_OUT_OF_ORDER);
    let uuid = uuid.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let mut all = BY_UUID.lock();
    if all.len() >= host().max_sessions {
        log::write(
            SWITCH_LOG_CRIT,
            format_args!("Over Session Limit! {}", host().max_sessions),
        );
        return Err(out_of_order);
    }
    if all.contains_key(&uuid) {
        log::write(SWITCH_LOG_CRIT, format_args!("Duplicate UUID! {uuid}"));
        return Err(out_of_order);
    }
    let session = Arc::new(Session {
        uuid_for_c: text::for_c(&uuid),
        variables: Default::default(),
        leg: Leg::default(),
        hooks: Hooks::default(),
        script: OnceLock::new(),
        number: number.to_owned(),
        dialplan,
        lane: host().network.lane(),
        pool: Address::of(pool),
        launched: AtomicBool::new(false),
        far_end_gone: AtomicBool::new(false),
        invited: AtomicBool::new(false),
        digit_order: Mutex::default(),
        speaks: AtomicBool::new(false),
        finds_tones: AtomicBool::new(false),
        heard: Heard::nothing(),
        next_frame_us: AtomicI64::new(0),
        bridge: Mutex::default(),
        keys_heard: Mutex::default(),
        ear: Mutex::default(),
        silenced: Default::default(),
        packets: Default::default(),
        profile,
        uuid,
    });
    session.leg.change(CS_INIT);
    for (name, value) in [
        ("uuid", session.uuid.as_str()),
        ("call_uuid", session.uuid.as_str()),
    ] {
        session.variables.set(name, Some(value));
    }
    SESSIONS.insert_at(session.handle(), session.clone());
    CHANNELS.insert_at(session.channel(), session.clone());
    all.insert(session.uuid.clone(), session.clone());
    Ok(session)
}

/// Trunk and number of a destination.
fn dialled(destination: &str) -> Result<(&str, &str), NotMade> {
    let Some(("gateway", rest)) = destination.split_once('/') else {
        return Err(NotMade(match destination.contains('/') {
            true => SWITCH_CAUSE_INVALID_PROFILE,
            false => SWITCH_CAUSE_INVALID_URL,
        }));
    };
    let (trunk, number) = rest
        .split_once('/')
        .ok_or(NotMade(SWITCH_CAUSE_INVALID_URL))?;
    let trunks = &host().trunks;
    if !trunks.is_empty() && !trunks.contains(trunk) {
        log::write(SWITCH_LOG_ERROR, format_args!("Invalid Gateway '{trunk}'"));
        return Err(NotMade(SWITCH_CAUSE_INVALID_GATEWAY));
    }
    Ok((trunk, number))
}

/// See [`freeswitch_sys::switch_core_session_get_channel`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_session_get_channel(
    session: *mut switch_core_session_t,
) -> *mut switch_channel_t {
    of(session, "switch_core_session_get_channel").channel()
}

/// See [`freeswitch_sys::switch_core_session_get_uuid`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_session_get_uuid(
    session: *mut switch_core_session_t,
) -> *mut c_char {
    of(session, "switch_core_session_get_uuid")
        .uuid_for_c
        .as_ptr()
        .cast_mut()
}

/// See [`freeswitch_sys::switch_core_session_count`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_session_count() -> u32 {
    u32::try_from(BY_UUID.lock().len()).unwrap_or(u32::MAX)
}

/// See [`freeswitch_sys::switch_core_session_thread_launch`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_session_thread_launch(
    session: *mut switch_core_session_t,
) -> switch_status_t {
    let session = of(session, "switch_core_session_thread_launch");
    if session.launched.load(Ordering::SeqCst) {
        return SWITCH_STATUS_INUSE;
    }
    match session.launch() {
        true => SWITCH_STATUS_SUCCESS,
        false => SWITCH_STATUS_FALSE,
    }
}

/// See [`freeswitch_sys::switch_core_session_perform_locate`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_session_perform_locate(
    uuid_str: *const c_char,
    _file: *const c_char,
    _func: *const c_char,
    _line: c_int,
) -> *mut switch_core_session_t {
    // SAFETY: the module passes null or a C string.
    let uuid = unsafe { text::copied(uuid_str) }.unwrap_or_default();
    let all = BY_UUID.lock();
    match all.get(&uuid).filter(|session| session.leg.hold(false)) {
        Some(session) => session.handle(),
        None => std::ptr::null_mut(),
    }
}

/// See [`freeswitch_sys::switch_core_session_rwunlock`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_session_rwunlock(session: *mut switch_core_session_t) {
    let session = of(session, "switch_core_session_rwunlock");
    if !session.leg.release() {
        die(format_args!(
            "switch_core_session_rwunlock: {} is not locked",
            session.uuid
        ));
    }
}

/// See [`freeswitch_sys::switch_core_session_perform_destroy`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_session_perform_destroy(
    session: *mut *mut switch_core_session_t,
    _file: *const c_char,
    _func: *const c_char,
    _line: c_int,
) {
    // SAFETY: the module passes the place of its pointer.
    let taken = unsafe { std::mem::replace(&mut *session, std::ptr::null_mut()) };
    let session = of(taken, "switch_core_session_perform_destroy");
    if session.launched.load(Ordering::SeqCst) {
        die(format_args!(
            "switch_core_session_perform_destroy: the thread of {} owns it",
            session.uuid
        ));
    }
    states::destroy(&session);
}

/// Takes a session out of the list that it is located by.
fn unlist(session: &Session) {
    BY_UUID.lock().remove(&session.uuid);
}

/// Makes the session's pointers invalid and frees its pool.
fn free(session: &Arc<Session>) {
    CHANNELS.remove(session.channel(), "the session's end");
    SESSIONS.remove(session.handle(), "the session's end");
    pool::destroy(session.pool.pointer(), "the session's end");
}
