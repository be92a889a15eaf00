//! Memory pools and what lives in them.

use super::handles::Handles;
use super::text;
use freeswitch_sys::*;
use parking_lot::Mutex;
use std::ffi::{c_char, c_int};
use std::sync::Arc;

/// All pools.
pub static POOLS: Handles<Pool> = Handles::of("memory pool");
/// All caller profiles, each in a pool.
pub static PROFILES: Handles<CallerProfile> = Handles::of("caller profile");

/// A pool: what it holds goes when it goes.
#[derive(Default)]
pub struct Pool {
    at_end: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
}

impl Pool {
    /// Runs `free` when the pool is destroyed.
    pub fn at_end(&self, free: impl FnOnce() + Send + 'static) {
        self.at_end.lock().push(Box::new(free));
    }
}

/// Who calls whom, under the names that channel variables know the fields by.
#[derive(Debug, Clone, Default)]
pub struct CallerProfile(Vec<(&'static str, String)>);

impl CallerProfile {
    /// Of a call that comes in.
    pub fn of_caller(from: &str, to: &str) -> Self {
        let fields = [
            ("caller_id_name", from),
            ("caller_id_number", from),
            ("destination_number", to),
        ];
        CallerProfile(fields.map(|(name, value)| (name, value.to_owned())).into())
    }

    /// A field, `None` when it has no such or it is empty.
    pub fn field(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(field, _)| *field == name)?;
        (!value.is_empty()).then_some(value)
    }
}

/// Makes a pool for the host's own use.
pub fn create() -> *mut switch_memory_pool_t {
    POOLS.insert(Arc::new(Pool::default()))
}

/// Destroys a pool and all in it.
pub fn destroy(pool: *mut switch_memory_pool_t, function: &str) {
    let pool = POOLS.remove(pool, function);
    let frees = std::mem::take(&mut *pool.at_end.lock());
    frees.into_iter().rev().for_each(|free| free());
}

/// See [`freeswitch_sys::switch_core_perform_new_memory_pool`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_perform_new_memory_pool(
    pool: *mut *mut switch_memory_pool_t,
    _file: *const c_char,
    _func: *const c_char,
    _line: c_int,
) -> switch_status_t {
    // SAFETY: the module passes a place for the pointer.
    unsafe { *pool = create() };
    SWITCH_STATUS_SUCCESS
}

/// See [`freeswitch_sys::switch_core_perform_destroy_memory_pool`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_perform_destroy_memory_pool(
    pool: *mut *mut switch_memory_pool_t,
    _file: *const c_char,
    _func: *const c_char,
    _line: c_int,
) -> switch_status_t {
    // SAFETY: the module passes the place of its pointer.
    let taken = unsafe { std::mem::replace(&mut *pool, std::ptr::null_mut()) };
    destroy(taken, "switch_core_perform_destroy_memory_pool");
    SWITCH_STATUS_SUCCESS
}

/// See [`freeswitch_sys::switch_caller_profile_new`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_caller_profile_new(
    pool: *mut switch_memory_pool_t,
    username: *const c_char,
    dialplan: *const c_char,
    caller_id_name: *const c_char,
    caller_id_number: *const c_char,
    network_addr: *const c_char,
    ani: *const c_char,
    aniii: *const c_char,
    rdnis: *const c_char,
    source: *const c_char,
    context: *const c_char,
    destination_number: *const c_char,
) -> *mut switch_caller_profile_t {
    let pool = POOLS.get(pool, "switch_caller_profile_new");
    let fields = [
        ("username", username),
        ("dialplan", dialplan),
        ("caller_id_name", caller_id_name),
        ("caller_id_number", caller_id_number),
        ("network_addr", network_addr),
        ("ani", ani),
        ("aniii", aniii),
        ("rdnis", rdnis),
        ("source", source),
        ("context", context),
        ("destination_number", destination_number),
    ];
    let fields = fields.map(|(name, value)| {
        // SAFETY: the module passes null or C strings.
        (name, unsafe { text::copied(value) }.unwrap_or_default())
    });
    let address = PROFILES.insert(Arc::new(CallerProfile(fields.into())));
    let handle = Address::of(address);
    pool.at_end(move || {
        PROFILES.remove(
            handle.pointer::<switch_caller_profile_t>(),
            "the pool's end",
        );
    });
    address
}

/// A handle on its way to another thread: a number that is looked up, never followed.
#[derive(Debug, Clone, Copy)]
pub struct Address(usize);

impl Address {
    /// The address of `pointer`.
    pub fn of<H>(pointer: *mut H) -> Self {
        Self(pointer.expose_provenance())
    }

    /// The pointer it came from.
    pub fn pointer<H>(self) -> *mut H {
        std::ptr::with_exposed_provenance_mut(self.0)
    }
}
