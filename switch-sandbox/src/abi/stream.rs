//! The stream that an API command writes its reply to.

use freeswitch_sys::*;
use std::ffi::{c_char, c_void};
use std::slice;

unsafe extern "C" {
    /// `printf` to a stream: see c/variadic.c.
    fn sandbox_stream_write(
        handle: *mut switch_stream_handle_t,
        fmt: *const c_char,
        ...
    ) -> switch_status_t;
}

/// Runs `command` with a stream and returns what it wrote there.
pub fn collect(command: impl FnOnce(*mut switch_stream_handle_t)) -> String {
    let mut reply: Vec<u8> = Vec::new();
    let mut stream = switch_stream_handle_t {
        read_function: None,
        write_function: Some(sandbox_stream_write),
        raw_write_function: Some(raw_write),
        data: (&raw mut reply).cast(),
        end: std::ptr::null_mut(),
        data_size: 0,
        data_len: 0,
        alloc_len: 0,
        alloc_chunk: 0,
        param_event: std::ptr::null_mut(),
    };
    command(&raw mut stream);
    String::from_utf8_lossy(&reply).into_owned()
}

unsafe extern "C" fn raw_write(
    handle: *mut switch_stream_handle_t,
    data: *mut u8,
    datalen: switch_size_t,
) -> switch_status_t {
    // SAFETY: the module passes the stream it was given and `datalen` bytes of its own.
    unsafe { sandbox_stream_append(handle.cast(), data.cast(), datalen) }
}

/// Appends `length` bytes to the reply.
///
/// # Safety
/// `handle` is the stream that [`collect`] lent out, still inside its command.
#[unsafe(no_mangle)]
unsafe extern "C" fn sandbox_stream_append(
    handle: *mut c_void,
    text: *const c_char,
    length: usize,
) -> switch_status_t {
    // C may write nothing from nowhere; a slice may not be made of that.
    if length == 0 || text.is_null() {
        return SWITCH_STATUS_SUCCESS;
    }
    // SAFETY: the stream is `collect`'s, whose `data` points to its reply.
    let reply = unsafe {
        &mut *(*handle.cast::<switch_stream_handle_t>())
            .data
            .cast::<Vec<u8>>()
    };
    // SAFETY: the caller passes `length` bytes.
    reply.extend_from_slice(unsafe { slice::from_raw_parts(text.cast(), length) });
    SWITCH_STATUS_SUCCESS
}
