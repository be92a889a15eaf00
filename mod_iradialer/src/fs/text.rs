//! Strings to and from C.

use std::ffi::{CStr, CString, c_char};

/// The place a log line of the host names for our calls.
pub const FILE: &CStr = c"mod_iradialer";
/// Likewise, the function.
pub const FUNC: &CStr = c"iradialer";

/// A C string of `text`, cut at a NUL. What comes here was checked by allow-list; a NUL can only come
/// from our own text.
pub fn c_string(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

/// The text behind a host's pointer, `None` for null; bytes that are not UTF-8 are replaced.
///
/// # Safety
/// `pointer` is null or points to a C string that stays until this returns.
pub unsafe fn from_c(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: not null, and a C string by the caller's word.
    Some(
        unsafe { CStr::from_ptr(pointer) }
            .to_string_lossy()
            .into_owned(),
    )
}

/// As [`from_c`] for a string the host allocated for us, which is freed.
///
/// # Safety
/// `pointer` is null or a C string from `malloc` that is ours.
pub unsafe fn take_c(pointer: *mut c_char) -> Option<String> {
    // SAFETY: by the caller's word.
    let text = unsafe { from_c(pointer) };
    // SAFETY: `free` takes null, and what malloc gave once.
    unsafe { libc::free(pointer.cast()) };
    text
}
