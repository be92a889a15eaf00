//! C strings in and out.

use std::ffi::{CStr, CString, c_char};

/// A copy of a C string, bytes that are not UTF-8 replaced; `None` for null.
///
/// # Safety
/// `text` is null or a C string.
pub unsafe fn copied(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller passes a C string, and it is copied before this returns.
    Some(
        unsafe { CStr::from_ptr(text) }
            .to_string_lossy()
            .into_owned(),
    )
}

/// `text` up to its first NUL, for C.
pub fn for_c(text: &str) -> CString {
    let end = text
        .bytes()
        .position(|byte| byte == 0)
        .unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

/// A copy of `text` that C frees with `free`.
pub fn malloced(text: &str) -> *mut c_char {
    // SAFETY: `strdup` copies the C string it is given.
    unsafe { libc::strdup(for_c(text).as_ptr()) }
}

/// Whether a variable says yes, as the host reads it.
pub fn is_true(value: Option<&str>) -> bool {
    let says_yes = |value: &str| {
        ["yes", "on", "true", "t", "enabled", "active", "allow"]
            .iter()
            .any(|yes| value.eq_ignore_ascii_case(yes))
            || value.parse::<i64>().is_ok_and(|number| number != 0)
    };
    value.is_some_and(says_yes)
}
