//! The functions that the module calls, with what the host does and asks in each.
//!
//! Read from the sources of 1.10.12 and 1.11.0. "The session stays valid" means: the caller
//! is on the session's own thread, inside one of its hooks, or holds the read lock that
//! [`switch_core_session_perform_locate`] took. Strings passed in are copied unless said
//! otherwise; `file`, `func` and `line` go to the log only and are not kept.

use super::types::*;
use core::ffi::{c_char, c_int, c_uint, c_void};

unsafe extern "C" {
    /// Allocates the module's interface in `pool` and copies `name`. Never null: the host
    /// aborts when out of memory. Freed with the pool, at unload or after a failed load.
    pub fn switch_loadable_module_create_module_interface(
        pool: *mut switch_memory_pool_t,
        name: *const c_char,
    ) -> *mut switch_loadable_module_interface_t;

    /// Allocates an interface of kind `iname` in the module's pool, zeroed but for its locks,
    /// and links it in. Null for an unknown kind. The module fills in names and functions by
    /// pointer; they are kept, not copied, until the module is unloaded. All interfaces have
    /// to exist before load returns.
    pub fn switch_loadable_module_create_interface(
        mod_: *mut switch_loadable_module_interface_t,
        iname: switch_module_interface_name_t,
    ) -> *mut c_void;

    /// Formats a line and queues it for the loggers. `userdata` is a uuid string or null for
    /// `SWITCH_CHANNEL_ID_LOG`, a session pointer for `SWITCH_CHANNEL_ID_SESSION`. Any thread.
    /// Only to be called with the format `"%s"` or `"%s\n"`: other text may hold a `%`.
    pub fn switch_log_printf(
        channel: switch_text_channel_t,
        file: *const c_char,
        func: *const c_char,
        line: c_int,
        userdata: *const c_char,
        level: switch_log_level_t,
        fmt: *const c_char,
        ...
    );

    /// Adds (`"add iradialer calls"`) or removes (`"del iradialer"`) a path of words for tab
    /// completion. Copied into the core's database; not removed at unload unless asked.
    pub fn switch_console_set_complete(string: *const c_char) -> switch_status_t;

    /// Reads every XML file anew, as `reloadxml` does. `*err` is set to a static text, of success too.
    pub fn switch_xml_reload(err: *mut *const c_char) -> switch_status_t;

    /// Finds `<configuration name="file_path">`. Returns the root that has to be given to
    /// [`switch_xml_free`], or null; `*node` is the configuration element inside that root, or
    /// null, and lives as long as the root. `params` may be null.
    pub fn switch_xml_open_cfg(
        file_path: *const c_char,
        node: *mut switch_xml_t,
        params: *mut switch_event_t,
    ) -> switch_xml_t;

    /// The element and all below it as text. The caller frees it with the C library's `free`.
    pub fn switch_xml_toxml_ex(
        xml: switch_xml_t,
        prn_header: switch_bool_t,
        use_utf8_encoding: switch_bool_t,
    ) -> *mut c_char;

    /// Gives back a root that [`switch_xml_open_cfg`] returned. Null is allowed.
    pub fn switch_xml_free(xml: switch_xml_t);

    /// A global variable, or null. The caller frees it with the C library's `free`.
    pub fn switch_core_get_variable_dup(varname: *const c_char) -> *mut c_char;

    /// The host's version, such as `1.10.12-release-…`. Static.
    pub fn switch_version_full() -> *const c_char;

    /// Microseconds since 1970 by the system's clock. The host's other one moves in steps of 20 ms.
    pub fn switch_time_now() -> switch_time_t;

    /// Sessions that exist, in either direction. Takes the lock of the session table.
    pub fn switch_core_session_count() -> u32;

    /// A new pool, which is the caller's until a session takes it over (see
    /// [`switch_core_session_outgoing_channel`]).
    pub fn switch_core_perform_new_memory_pool(
        pool: *mut *mut switch_memory_pool_t,
        file: *const c_char,
        func: *const c_char,
        line: c_int,
    ) -> switch_status_t;

    /// Frees a pool and all that was allocated in it, and sets the pointer to null.
    pub fn switch_core_perform_destroy_memory_pool(
        pool: *mut *mut switch_memory_pool_t,
        file: *const c_char,
        func: *const c_char,
        line: c_int,
    ) -> switch_status_t;

    /// A new event, the caller's to destroy. `subclass_name` must be null unless `event_id` is
    /// `SWITCH_EVENT_CUSTOM` or `SWITCH_EVENT_CLONE`.
    pub fn switch_event_create_subclass_detailed(
        file: *const c_char,
        func: *const c_char,
        line: c_int,
        event: *mut *mut switch_event_t,
        event_id: switch_event_types_t,
        subclass_name: *const c_char,
    ) -> switch_status_t;

    /// Adds a header; name and value are copied. Not variadic.
    pub fn switch_event_add_header_string(
        event: *mut switch_event_t,
        stack: switch_stack_t,
        header_name: *const c_char,
        data: *const c_char,
    ) -> switch_status_t;

    /// Frees an event and sets the pointer to null. A pointer to null is allowed.
    pub fn switch_event_destroy(event: *mut *mut switch_event_t);

    /// A caller profile in `pool`, where all strings are copied; null ones become empty.
    pub fn switch_caller_profile_new(
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
    ) -> *mut switch_caller_profile_t;

    /// Makes an outgoing session, in `CS_INIT` with no thread yet. Nothing has been sent: the
    /// INVITE goes out in `CS_INIT` on the session's own thread.
    ///
    /// `SWITCH_CAUSE_SUCCESS`: `*new_session` is set, and until
    /// [`switch_core_session_thread_launch`] nothing but a hangup can make it go away. The
    /// session takes over `*pool` and sets it to null; the SIP endpoint sets it to null when it
    /// fails, too. Destroy what is not null then: the endpoint was never asked. `var_event`
    /// stays the caller's. Its `origination_uuid` becomes the session's uuid and is taken out
    /// of it; no other header becomes a channel variable. With a null `session` nothing is
    /// inherited.
    ///
    /// Failures, none of which sent anything: `CHAN_NOT_IMPLEMENTED` (no such endpoint),
    /// `INVALID_URL`, `INVALID_GATEWAY`, `GATEWAY_DOWN`, `INVALID_PROFILE`, `SYSTEM_SHUTDOWN`
    /// (paused), and `DESTINATION_OUT_OF_ORDER` for an empty destination, a uuid that another
    /// session has, and both session limits.
    pub fn switch_core_session_outgoing_channel(
        session: *mut switch_core_session_t,
        var_event: *mut switch_event_t,
        endpoint_name: *const c_char,
        caller_profile: *mut switch_caller_profile_t,
        new_session: *mut *mut switch_core_session_t,
        pool: *mut *mut switch_memory_pool_t,
        flags: switch_originate_flag_t,
        cancel_cause: *mut switch_call_cause_t,
    ) -> switch_call_cause_t;

    /// The session's channel; never null, lives as long as the session.
    pub fn switch_core_session_get_channel(
        session: *mut switch_core_session_t,
    ) -> *mut switch_channel_t;

    /// The session's uuid, inside the session: copy it.
    pub fn switch_core_session_get_uuid(session: *mut switch_core_session_t) -> *mut c_char;

    /// Starts the session's thread, which owns the session from then on and destroys it in the
    /// end: after `SWITCH_STATUS_SUCCESS` the pointer may be gone at any moment.
    /// `SWITCH_STATUS_INUSE` if it runs already. When no thread can be made the session is
    /// still the caller's to destroy, and the host lowers its session limit.
    pub fn switch_core_session_thread_launch(
        session: *mut switch_core_session_t,
    ) -> switch_status_t;

    /// Finds a session and read-locks it, or null. Null too once its channel is in
    /// `CS_HANGUP`. The session cannot be destroyed until
    /// [`switch_core_session_rwunlock`]; its thread waits there, after `CS_REPORTING`.
    pub fn switch_core_session_perform_locate(
        uuid_str: *const c_char,
        file: *const c_char,
        func: *const c_char,
        line: c_int,
    ) -> *mut switch_core_session_t;

    /// Gives back one read lock, on the thread that took it.
    pub fn switch_core_session_rwunlock(session: *mut switch_core_session_t);

    /// Destroys a session whose thread was never launched, with its pool, and sets the pointer
    /// to null. Runs the `on_destroy` handlers on the calling thread.
    pub fn switch_core_session_perform_destroy(
        session: *mut *mut switch_core_session_t,
        file: *const c_char,
        func: *const c_char,
        line: c_int,
    );

    /// Waits for the next frame of audio (20 ms, or up to 5 s on a profile without a timer
    /// when the far end is silent). The frame is the session's, good until the next read.
    /// `SWITCH_STATUS_SUCCESS`, `BREAK` when woken without media, else the channel is down.
    /// On the session's own thread only.
    pub fn switch_core_session_read_frame(
        session: *mut switch_core_session_t,
        frame: *mut *mut switch_frame_t,
        flags: switch_io_flag_t,
        stream_id: c_int,
    ) -> switch_status_t;

    /// Sends a frame, or does nothing where the channel is on hold. Where the frame's codec is the session's
    /// own ([`switch_core_session_get_write_codec`]) and no media bug is on it, its bytes go out as they are.
    /// The frame and its data are the caller's, and the host may write to both until it returns. It hangs
    /// up a channel that has no codec. Any thread, while the session stays valid.
    pub fn switch_core_session_write_frame(
        session: *mut switch_core_session_t,
        frame: *mut switch_frame_t,
        flags: switch_io_flag_t,
        stream_id: c_int,
    ) -> switch_status_t;

    /// The codec that the session sends with; null before there is media. The session's, and another one
    /// after a re-INVITE.
    pub fn switch_core_session_get_write_codec(
        session: *mut switch_core_session_t,
    ) -> *mut switch_codec_t;

    /// Has the endpoint act on a message (`SWITCH_MESSAGE_INDICATE_…`) and the hooks see it. A session that
    /// is hung up does not act on it, which is a success. May be called from any thread; the session is
    /// read-locked meanwhile.
    pub fn switch_core_session_perform_receive_message(
        session: *mut switch_core_session_t,
        message: *mut switch_core_session_message_t,
        file: *const c_char,
        func: *const c_char,
        line: c_int,
    ) -> switch_status_t;

    /// Adds a table to the channel, at most 29; the same table twice counts once. Returns its
    /// place or -1. The pointer is kept for the channel's life and no reference is counted.
    pub fn switch_channel_add_state_handler(
        channel: *mut switch_channel_t,
        state_handler: *const switch_state_handler_table_t,
    ) -> c_int;

    /// Sets a variable, or removes it when `value` is null or empty. With `var_check` a value
    /// that holds `${` is refused and logged, though `SWITCH_STATUS_SUCCESS` is returned.
    pub fn switch_channel_set_variable_var_check(
        channel: *mut switch_channel_t,
        varname: *const c_char,
        value: *const c_char,
        var_check: switch_bool_t,
    ) -> switch_status_t;

    /// A variable of the channel, a field of its caller profile or a global variable, or null.
    /// With `dup` a copy in the session's pool, which is only freed with the session: not for
    /// use in a loop. Without it the string may change under a thread that is not the
    /// session's own. `idx` -1 for the whole value.
    pub fn switch_channel_get_variable_dup(
        channel: *mut switch_channel_t,
        varname: *const c_char,
        dup: switch_bool_t,
        idx: c_int,
    ) -> *const c_char;

    /// Hangs up: the first caller's cause stands, later calls change nothing. Any thread for
    /// which the session stays valid. Only moves the state and wakes the session's thread, on
    /// which the handlers run; a thread that was never launched is launched for it.
    pub fn switch_channel_perform_hangup(
        channel: *mut switch_channel_t,
        file: *const c_char,
        func: *const c_char,
        line: c_int,
        hangup_cause: switch_call_cause_t,
    ) -> switch_channel_state_t;

    /// Answers a call that came in, once: the endpoint sends the 200, and the hooks see
    /// `SWITCH_MESSAGE_ANSWER_EVENT` before it returns. An outgoing call and one that is answered are left as
    /// they are, with success. `SWITCH_STATUS_FALSE` where it is hung up; where the endpoint can't answer it
    /// is hung up (`INCOMPATIBLE_DESTINATION`). On the session's own thread.
    pub fn switch_channel_perform_answer(
        channel: *mut switch_channel_t,
        file: *const c_char,
        func: *const c_char,
        line: c_int,
    ) -> switch_status_t;

    /// Moves the channel to a state and wakes its thread. Does nothing when it is there
    /// already or on its way down, aborts the host on a forbidden change (back to
    /// `CS_INIT` from anything but `CS_HIBERNATE`). Any thread. Returns the state that holds.
    pub fn switch_channel_perform_set_state(
        channel: *mut switch_channel_t,
        file: *const c_char,
        func: *const c_char,
        line: c_int,
        state: switch_channel_state_t,
    ) -> switch_channel_state_t;

    /// The channel's state, which may lie ahead of the one whose handlers run.
    pub fn switch_channel_get_state(channel: *mut switch_channel_t) -> switch_channel_state_t;

    /// Non-zero while the call is up: after `CS_ROUTING`, before `CS_HANGUP`, no state change
    /// pending. With `check_media` it also has to be answered or in early media. On the
    /// session's own thread this also works off waiting signalling.
    pub fn switch_channel_test_ready(
        channel: *mut switch_channel_t,
        check_ready: switch_bool_t,
        check_media: switch_bool_t,
    ) -> c_int;

    /// The hangup cause; `SWITCH_CAUSE_NONE` while the call is up.
    pub fn switch_channel_get_cause(channel: *mut switch_channel_t) -> switch_call_cause_t;

    /// A cause's name, such as `NORMAL_CLEARING`; `UNKNOWN` for a value it does not know.
    /// Static.
    pub fn switch_channel_cause2str(cause: switch_call_cause_t) -> *const c_char;

    /// Digits that wait in the channel's queue.
    pub fn switch_channel_has_dtmf(channel: *mut switch_channel_t) -> switch_size_t;

    /// Takes the oldest digit from the channel's queue, and fires the `DTMF` event for it.
    /// `SWITCH_STATUS_FALSE`, `dtmf` untouched, when there is none.
    pub fn switch_channel_dequeue_dtmf(
        channel: *mut switch_channel_t,
        dtmf: *mut switch_dtmf_t,
    ) -> switch_status_t;

    /// Has a function called with each message the session receives, after the endpoint, on
    /// the thread that sends it: the session's own or another. The session is read-locked
    /// meanwhile. No lock guards the list: add before the thread is launched. The same
    /// function twice gives `SWITCH_STATUS_FALSE`.
    pub fn switch_core_event_hook_add_receive_message(
        session: *mut switch_core_session_t,
        receive_message: switch_receive_message_hook_t,
    ) -> switch_status_t;

    /// Has a function called with each digit before it is queued, under the lock of the
    /// channel's digit queue: do not dequeue in it. Same rules as for messages.
    pub fn switch_core_event_hook_add_recv_dtmf(
        session: *mut switch_core_session_t,
        recv_dtmf: switch_recv_dtmf_hook_t,
    ) -> switch_status_t;

    /// Plays a file or stream (`/x.wav`, `silence_stream://MS`, `tone_stream://…`).
    ///
    /// `SWITCH_STATUS_SUCCESS` at its end, and also when a hangup cut it off while it waited
    /// for a frame, which is where it nearly always is: ask [`switch_channel_test_ready`].
    /// `FALSE` when the call is not up with media, or the hangup hit it elsewhere; `NOTFOUND`
    /// when the file cannot be opened; else what the input callback returned, or `BREAK` for
    /// a digit when `args` has no callback. `fh` may be null, and `args` may: digits then stay
    /// queued. On the session's own thread.
    pub fn switch_ivr_play_file(
        session: *mut switch_core_session_t,
        fh: *mut switch_file_handle_t,
        file: *const c_char,
        args: *mut switch_input_args_t,
    ) -> switch_status_t;

    /// Adds a media bug: `callback` is called with `user_data` for each packet that the flags ask for, first with
    /// `INIT` before this returns and last with `CLOSE`, and the host keeps it until the callback returns
    /// `SWITCH_FALSE` or the session is destroyed. `function` and `target` name it in lists; `stop_time` 0 is
    /// never. `*new_bug` is the session's. Any thread for which the session stays valid; not in a callback of a
    /// bug. With taps alone nothing is decoded; a channel without media is given early media.
    pub fn switch_core_media_bug_add(
        session: *mut switch_core_session_t,
        function: *const c_char,
        target: *const c_char,
        callback: switch_media_bug_callback_t,
        user_data: *mut c_void,
        stop_time: time_t,
        flags: switch_media_bug_flag_t,
        new_bug: *mut *mut switch_media_bug_t,
    ) -> switch_status_t;

    /// The session of a bug; in its callback.
    pub fn switch_core_media_bug_get_session(
        bug: *mut switch_media_bug_t,
    ) -> *mut switch_core_session_t;

    /// In the callback, for `SWITCH_ABC_TYPE_TAP_NATIVE_READ`: the packet that has come, not yet decoded, good
    /// until the callback returns. Where none came it is one of silence, in part of the cases.
    pub fn switch_core_media_bug_get_native_read_frame(
        bug: *mut switch_media_bug_t,
    ) -> *mut switch_frame_t;

    /// In the callback, for `SWITCH_ABC_TYPE_TAP_NATIVE_WRITE`: the packet that is about to go, good until the
    /// callback returns.
    pub fn switch_core_media_bug_get_native_write_frame(
        bug: *mut switch_media_bug_t,
    ) -> *mut switch_frame_t;

    /// Has keys found in the audio from now on: a media bug that decodes each packet. They are queued, with the
    /// source `SWITCH_DTMF_INBAND_AUDIO`, as their tone ends. On the session's own thread; a second one gives
    /// `SWITCH_STATUS_GENERR`.
    pub fn switch_ivr_inband_dtmf_session(session: *mut switch_core_session_t) -> switch_status_t;
    /// Opens an engine of a speech module by its name. `GENERR` where there is no such engine; else what the
    /// engine says. `flags` may not be null. With a `pool` of the caller's, that is what must be freed after
    /// [`switch_core_speech_close`], or after a failure. Any thread.
    pub fn switch_core_speech_open(
        sh: *mut switch_speech_handle_t,
        module_name: *const c_char,
        voice_name: *const c_char,
        rate: c_uint,
        interval: c_uint,
        channels: c_uint,
        flags: *mut switch_speech_flag_t,
        pool: *mut switch_memory_pool_t,
    ) -> switch_status_t;

    /// Gives the engine a text, which is copied. One that begins with `{` begins with settings of the engine.
    pub fn switch_core_speech_feed_tts(
        sh: *mut switch_speech_handle_t,
        text: *const c_char,
        flags: *mut switch_speech_flag_t,
    ) -> switch_status_t;

    /// Fills `data` with up to `*datalen` bytes of 16-bit samples, at the rate it was opened with, and says how
    /// many. Anything but success is the end.
    pub fn switch_core_speech_read_tts(
        sh: *mut switch_speech_handle_t,
        data: *mut c_void,
        datalen: *mut switch_size_t,
        flags: *mut switch_speech_flag_t,
    ) -> switch_status_t;

    /// Closes what was opened, once.
    pub fn switch_core_speech_close(
        sh: *mut switch_speech_handle_t,
        flags: *mut switch_speech_flag_t,
    ) -> switch_status_t;

    /// Connects two answered sessions until one of them is hung up. On the session's own thread; the peer's
    /// has to be in its state machine, which takes it through `CS_EXCHANGE_MEDIA`, and the peer read-locked.
    /// When the session is hung up the peer is too (`NORMAL_CLEARING`); when the peer is, the session goes on
    /// where this returns. Both get `SWITCH_MESSAGE_INDICATE_BRIDGE` and `…_UNBRIDGE` with the other's UUID.
    /// Digits go to the other side. `SWITCH_STATUS_FALSE` where the peer has neither answered nor rung; that
    /// they were connected is told by the messages alone.
    pub fn switch_ivr_multi_threaded_bridge(
        session: *mut switch_core_session_t,
        peer_session: *mut switch_core_session_t,
        dtmf_callback: switch_input_callback_function_t,
        session_data: *mut c_void,
        peer_session_data: *mut c_void,
    ) -> switch_status_t;

    /// Queues keys to be sent to the far end, each as long as the profile says: `0-9*#A-D`, and the pauses
    /// `w` (500 ms) and `W` (1 s); other characters are left out, `~` at the begin, `@` and `+` have a meaning
    /// of their own. At most 99 characters, else `SWITCH_STATUS_FALSE`, as for a channel that is down. The
    /// keys leave while the session's thread reads or writes audio. Any thread.
    pub fn switch_core_session_send_dtmf_string(
        session: *mut switch_core_session_t,
        dtmf_string: *const c_char,
    ) -> switch_status_t;

    /// Changes how loud the session's audio is. `cmd` is `"mute"`, `direction` `"read"` (what the far end
    /// says), `"write"` (what it hears) or `"both"`, and `level` 1 for silence, 0 to be heard again. Makes a
    /// media bug where there is none; the host takes that away when all levels are 0. Keys of RFC 4733 are no
    /// audio. Any thread, but not two at once for one session.
    pub fn switch_ivr_session_audio(
        session: *mut switch_core_session_t,
        cmd: *const c_char,
        direction: *const c_char,
        level: c_int,
    ) -> switch_status_t;

    /// Works off what waits for the session: signalling, messages, queued commands. On the
    /// session's own thread, in a loop that does not read frames.
    pub fn switch_ivr_parse_all_events(session: *mut switch_core_session_t) -> switch_status_t;
}

/// C's macro of this name: UTF-8 text, not entities.
///
/// # Safety
/// As for [`switch_xml_toxml_ex`].
#[inline]
pub unsafe fn switch_xml_toxml(xml: switch_xml_t, prn_header: switch_bool_t) -> *mut c_char {
    // SAFETY: the caller keeps the rules of the function that this passes on to.
    unsafe { switch_xml_toxml_ex(xml, prn_header, super::SWITCH_TRUE) }
}
