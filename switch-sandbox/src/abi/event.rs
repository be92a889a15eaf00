//! Events, here only as lists of headers.

use super::handles::Handles;
use super::text;
use freeswitch_sys::*;
use parking_lot::Mutex;
use std::ffi::{c_char, c_int};
use std::sync::Arc;

/// All events.
pub static EVENTS: Handles<Event> = Handles::of("event");

/// An event's headers, in order.
#[derive(Debug, Default)]
pub struct Event(Mutex<Vec<(String, String)>>);

impl Event {
    /// The first header of that name; names compare without case.
    pub fn header(&self, name: &str) -> Option<String> {
        let headers = self.0.lock();
        let (_, value) = headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(value.clone())
    }

    /// Takes out the headers of that name.
    pub fn remove(&self, name: &str) {
        self.0
            .lock()
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }
}

/// See [`freeswitch_sys::switch_event_create_subclass_detailed`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_event_create_subclass_detailed(
    _file: *const c_char,
    _func: *const c_char,
    _line: c_int,
    event: *mut *mut switch_event_t,
    event_id: switch_event_types_t,
    subclass_name: *const c_char,
) -> switch_status_t {
    let may_have_subclass = matches!(event_id, SWITCH_EVENT_CUSTOM | SWITCH_EVENT_CLONE);
    if !subclass_name.is_null() && !may_have_subclass {
        return SWITCH_STATUS_GENERR;
    }
    // SAFETY: the module passes a place for the pointer.
    unsafe { *event = EVENTS.insert(Arc::new(Event::default())) };
    SWITCH_STATUS_SUCCESS
}

/// See [`freeswitch_sys::switch_event_add_header_string`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_event_add_header_string(
    event: *mut switch_event_t,
    stack: switch_stack_t,
    header_name: *const c_char,
    data: *const c_char,
) -> switch_status_t {
    let event = EVENTS.get(event, "switch_event_add_header_string");
    // SAFETY: the module passes null or C strings.
    let (name, value) = unsafe { (text::copied(header_name), text::copied(data)) };
    let (Some(name), Some(value)) = (name, value) else {
        return SWITCH_STATUS_GENERR;
    };
    let mut headers = event.0.lock();
    match stack {
        SWITCH_STACK_TOP => headers.insert(0, (name, value)),
        _ => headers.push((name, value)),
    }
    SWITCH_STATUS_SUCCESS
}

/// See [`freeswitch_sys::switch_event_destroy`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_event_destroy(event: *mut *mut switch_event_t) {
    // SAFETY: the module passes the place of its pointer.
    let taken = unsafe { std::mem::replace(&mut *event, std::ptr::null_mut()) };
    if !taken.is_null() {
        EVENTS.remove(taken, "switch_event_destroy");
    }
}
