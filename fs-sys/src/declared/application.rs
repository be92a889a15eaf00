//! Applications of the dialplan.

use super::types::*;
use core::ffi::{c_char, c_int};

/// Runs an application of the dialplan on the session's own thread, with the channel in `CS_EXECUTE`. `data`
/// may be null. The host goes on in the dialplan when it returns, unless the channel is in another state then.
pub type switch_application_function_t =
    Option<unsafe extern "C" fn(session: *mut switch_core_session_t, data: *const c_char)>;

/// An application of the dialplan. The host allocates it; the module fills in the first six fields, whose
/// pointers are kept and not copied.
#[repr(C)]
#[derive(Debug)]
pub struct switch_application_interface {
    /// The application's name.
    pub interface_name: *const c_char,
    /// What runs. The module can't be unloaded meanwhile, unless by force.
    pub application_function: switch_application_function_t,
    /// What it does.
    pub long_desc: *const c_char,
    /// One line for `show application`.
    pub short_desc: *const c_char,
    /// Usage for `show application`.
    pub syntax: *const c_char,
    /// A set of `SAF_*`: without `SAF_SUPPORT_NOMEDIA` the host gives the channel media before it runs (183, where
    /// the call is not answered).
    pub flags: u32,
    /// The host's.
    pub rwlock: *mut switch_thread_rwlock_t,
    /// The host's.
    pub refs: c_int,
    /// The host's.
    pub reflock: *mut switch_mutex_t,
    /// The host's.
    pub parent: *mut switch_loadable_module_interface_t,
    /// The host's.
    pub next: *mut switch_application_interface,
}
/// See [`switch_application_interface`].
pub type switch_application_interface_t = switch_application_interface;
