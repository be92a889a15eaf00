//! Structures that the module touches, the opaque ones it only passes on, and the C types of
//! callbacks. C enums are integers here: a value that a newer host adds must stay legal.

use core::ffi::{c_char, c_int, c_uint, c_void};

/// Declares structures that are only ever seen behind a pointer the host gave out.
macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[repr(C)]
        #[derive(Debug)]
        pub struct $name {
            _data: [u8; 0],
            _not_send_sync_unpin: core::marker::PhantomData<(*mut u8, core::marker::PhantomPinned)>,
        }
    )*};
}

opaque! {
    /// One call leg, with its thread, channel and memory pool.
    switch_core_session;
    /// The signalling side of a session: state, variables, hangup cause, digit queue.
    switch_channel;
    /// An event, or a list of channel variables in the shape of one.
    switch_event;
    /// Who calls whom: the numbers and names of a leg.
    switch_caller_profile;
    /// A parsed XML element.
    switch_xml;
    /// A codec in use.
    switch_codec;
    /// The payload types of a stream.
    payload_map_s;
    /// A picture.
    vpx_image;
    /// A look into a session's audio.
    switch_media_bug;
    /// An open audio file.
    switch_file_handle;
    /// A speech engine that some module offers.
    switch_speech_interface;
    /// A buffer that grows.
    switch_buffer;
    /// What makes one rate of samples of another.
    switch_audio_resampler_t;
    /// What a module offers: the list of its interfaces.
    switch_loadable_module_interface;
    /// A digit-matching machine; always null here.
    switch_ivr_dmachine;
    /// An APR memory pool.
    fspr_pool_t;
    /// An APR read-write lock.
    fspr_thread_rwlock_t;
    /// An APR mutex.
    fspr_thread_mutex_t;
}

/// See [`switch_core_session`].
pub type switch_core_session_t = switch_core_session;
/// See [`switch_channel`].
pub type switch_channel_t = switch_channel;
/// See [`switch_event`].
pub type switch_event_t = switch_event;
/// See [`switch_caller_profile`].
pub type switch_caller_profile_t = switch_caller_profile;
/// See [`switch_xml`]. The handle is the pointer itself.
pub type switch_xml_t = *mut switch_xml;
/// See [`switch_codec`].
pub type switch_codec_t = switch_codec;
/// See [`payload_map_s`].
pub type payload_map_t = payload_map_s;
/// See [`vpx_image`].
pub type switch_image_t = vpx_image;
/// A payload type of RTP.
pub type switch_payload_t = u8;
/// `SFF_*`.
pub type switch_frame_flag_t = u32;
/// See [`switch_file_handle`].
pub type switch_file_handle_t = switch_file_handle;
/// See [`switch_media_bug`].
pub type switch_media_bug_t = switch_media_bug;
/// See [`switch_speech_interface`].
pub type switch_speech_interface_t = switch_speech_interface;
/// See [`switch_buffer`].
pub type switch_buffer_t = switch_buffer;
/// A byte.
pub type switch_byte_t = u8;
/// `SWITCH_SPEECH_FLAG_*`.
pub type switch_speech_flag_t = u32;
/// See [`switch_loadable_module_interface`].
pub type switch_loadable_module_interface_t = switch_loadable_module_interface;
/// See [`switch_ivr_dmachine`].
pub type switch_ivr_dmachine_t = switch_ivr_dmachine;
/// See [`fspr_pool_t`].
pub type switch_memory_pool_t = fspr_pool_t;
/// See [`fspr_thread_rwlock_t`].
pub type switch_thread_rwlock_t = fspr_thread_rwlock_t;
/// See [`fspr_thread_mutex_t`].
pub type switch_mutex_t = fspr_thread_mutex_t;

/// A length or a count.
pub type switch_size_t = usize;
/// Microseconds since 1970-01-01 UTC.
pub type switch_time_t = i64;
/// Seconds since 1970-01-01 UTC, the C library's type.
pub type time_t = i64;

/// `SWITCH_STATUS_*`.
pub type switch_status_t = c_uint;
/// `SWITCH_FALSE` or `SWITCH_TRUE`.
pub type switch_bool_t = c_uint;
/// A set of `SMODF_*`.
pub type switch_module_flag_t = u32;
/// A member of the C enum behind [`switch_module_flag_t`].
pub type switch_module_flag_enum_t = c_uint;
/// `SWITCH_*_INTERFACE`.
pub type switch_module_interface_name_t = c_uint;
/// `SWITCH_CHANNEL_ID_*`: where a log line goes.
pub type switch_text_channel_t = c_uint;
/// `SWITCH_LOG_*`; signed, for `SWITCH_LOG_DISABLE` is -1.
pub type switch_log_level_t = c_int;
/// `CS_*`.
pub type switch_channel_state_t = c_uint;
/// `SWITCH_CAUSE_*`: Q.850 values and the host's own above 127.
pub type switch_call_cause_t = c_uint;
/// `SWITCH_CALL_DIRECTION_*`.
pub type switch_call_direction_t = c_uint;
/// `SWITCH_MESSAGE_*`.
pub type switch_core_session_message_types_t = c_uint;
/// A set of flags on a message; the module reads none.
pub type switch_core_session_message_flag_t = u32;
/// `SWITCH_EVENT_*`.
pub type switch_event_types_t = c_uint;
/// `SWITCH_STACK_*`: where a header goes in its event.
pub type switch_stack_t = c_uint;
/// `SWITCH_INPUT_TYPE_*`.
pub type switch_input_type_t = c_uint;
/// `SWITCH_DTMF_UNKNOWN` and the rest: how a digit came.
pub type switch_dtmf_source_t = c_uint;
/// `SWITCH_DTMF_RECV` or `SWITCH_DTMF_SEND`.
pub type switch_dtmf_direction_t = c_uint;
/// A set of `SWITCH_IO_FLAG_*`.
pub type switch_io_flag_t = u32;
/// A member of the C enum behind [`switch_io_flag_t`].
pub type switch_io_flag_enum_t = c_uint;
/// `SSH_FLAG_*`, members of [`switch_state_handler_table::flags`].
pub type switch_state_handler_flag_t = c_uint;
/// `SWITCH_ABC_TYPE_*`: why a media bug's callback is called.
pub type switch_abc_type_t = c_uint;
/// `SAF_*`: what an application of the dialplan gets along with.
pub type switch_application_flag_enum_t = c_uint;
/// A set of `SMBF_*`.
pub type switch_media_bug_flag_t = u32;
/// A member of the C enum behind [`switch_media_bug_flag_t`].
pub type switch_media_bug_flag_enum_t = c_uint;
/// A set of `SFF_*`'s members.
pub type switch_frame_flag_enum_t = c_uint;
/// A set of `SOF_*`.
pub type switch_originate_flag_t = u32;
/// A member of the C enum behind [`switch_originate_flag_t`].
pub type switch_originate_flag_enum_t = c_uint;

/// Loads the module: fills in the interface pointer. Anything but `SWITCH_STATUS_SUCCESS`
/// (or `NOUNLOAD`) makes the host close the library at once, without calling shutdown.
pub type switch_module_load_t = Option<
    unsafe extern "C" fn(
        module_interface: *mut *mut switch_loadable_module_interface_t,
        pool: *mut switch_memory_pool_t,
    ) -> switch_status_t,
>;
/// Unloads the module; the host holds the module's write lock meanwhile.
pub type switch_module_shutdown_t = Option<unsafe extern "C" fn() -> switch_status_t>;
/// Run on a thread of its own after load, again and again until it returns `TERM`.
pub type switch_module_runtime_t = Option<unsafe extern "C" fn() -> switch_status_t>;
/// Runs an API command. `cmd` may be null, `session` nearly always is. Anything but
/// `SWITCH_STATUS_SUCCESS` makes the host append "COMMAND RETURNED ERROR!" to the reply.
pub type switch_api_function_t = Option<
    unsafe extern "C" fn(
        cmd: *const c_char,
        session: *mut switch_core_session_t,
        stream: *mut switch_stream_handle_t,
    ) -> switch_status_t,
>;
/// Reads from a stream; null for most.
pub type switch_stream_handle_read_function_t =
    Option<unsafe extern "C" fn(handle: *mut switch_stream_handle_t, len: *mut c_int) -> *mut u8>;
/// Writes to a stream in the manner of `printf`.
pub type switch_stream_handle_write_function_t = Option<
    unsafe extern "C" fn(
        handle: *mut switch_stream_handle_t,
        fmt: *const c_char,
        ...
    ) -> switch_status_t,
>;
/// Writes bytes to a stream; null where the stream has no such function.
pub type switch_stream_handle_raw_write_function_t = Option<
    unsafe extern "C" fn(
        handle: *mut switch_stream_handle_t,
        data: *mut u8,
        datalen: switch_size_t,
    ) -> switch_status_t,
>;
/// Handles one state of a session, on the session's own thread. Anything but
/// `SWITCH_STATUS_SUCCESS` stops the handlers after it and the host's standard action.
pub type switch_state_handler_t =
    Option<unsafe extern "C" fn(session: *mut switch_core_session_t) -> switch_status_t>;
/// Takes a digit or an event while media plays, on the session's own thread. Anything but
/// `SWITCH_STATUS_SUCCESS` ends the playing.
pub type switch_input_callback_function_t = Option<
    unsafe extern "C" fn(
        session: *mut switch_core_session_t,
        input: *mut c_void,
        input_type: switch_input_type_t,
        buf: *mut c_void,
        buflen: c_uint,
    ) -> switch_status_t,
>;
/// Sees each frame read while media plays.
pub type switch_read_frame_callback_function_t = Option<
    unsafe extern "C" fn(
        session: *mut switch_core_session_t,
        frame: *mut switch_frame_t,
        user_data: *mut c_void,
    ) -> switch_status_t,
>;
/// Sees each message that a session receives, on whichever thread sends it.
pub type switch_receive_message_hook_t = Option<
    unsafe extern "C" fn(
        session: *mut switch_core_session_t,
        message: *mut switch_core_session_message_t,
    ) -> switch_status_t,
>;
/// Sees each digit before it is queued, on whichever thread brings it. Anything but
/// `SWITCH_STATUS_SUCCESS` keeps the digit from the channel's queue.
pub type switch_recv_dtmf_hook_t = Option<
    unsafe extern "C" fn(
        session: *mut switch_core_session_t,
        dtmf: *const switch_dtmf_t,
        direction: switch_dtmf_direction_t,
    ) -> switch_status_t,
>;

/// Called for what a media bug is there for, on the thread that reads or writes. With `SWITCH_FALSE` the host
/// removes the bug.
pub type switch_media_bug_callback_t = Option<
    unsafe extern "C" fn(
        bug: *mut switch_media_bug_t,
        user_data: *mut c_void,
        kind: switch_abc_type_t,
    ) -> switch_bool_t,
>;

/// What the host looks for in a module, under the name `MODULE_module_interface`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct switch_loadable_module_function_table {
    /// `SWITCH_API_VERSION`; the host refuses any other.
    pub switch_api_version: c_int,
    /// Called once, on the thread that loads.
    pub load: switch_module_load_t,
    /// Called once before the library is closed; not after a load that failed.
    pub shutdown: switch_module_shutdown_t,
    /// May be null.
    pub runtime: switch_module_runtime_t,
    /// A set of `SMODF_*`.
    pub flags: switch_module_flag_t,
}
/// See [`switch_loadable_module_function_table`].
pub type switch_loadable_module_function_table_t = switch_loadable_module_function_table;

/// An API command. The host allocates it; the module fills in the first four fields, whose
/// pointers are kept and not copied.
#[repr(C)]
#[derive(Debug)]
pub struct switch_api_interface {
    /// The command's name.
    pub interface_name: *const c_char,
    /// One line for `show api`.
    pub desc: *const c_char,
    /// What runs.
    pub function: switch_api_function_t,
    /// Usage for `show api`.
    pub syntax: *const c_char,
    /// The host's.
    pub rwlock: *mut switch_thread_rwlock_t,
    /// The host's.
    pub refs: c_int,
    /// The host's.
    pub reflock: *mut switch_mutex_t,
    /// The host's.
    pub parent: *mut switch_loadable_module_interface_t,
    /// The host's.
    pub next: *mut switch_api_interface,
}
/// See [`switch_api_interface`].
pub type switch_api_interface_t = switch_api_interface;

/// Where an API command writes its reply.
#[repr(C)]
#[derive(Debug)]
pub struct switch_stream_handle {
    /// May be null.
    pub read_function: switch_stream_handle_read_function_t,
    /// Set on every stream that an API command gets.
    pub write_function: switch_stream_handle_write_function_t,
    /// May be null.
    pub raw_write_function: switch_stream_handle_raw_write_function_t,
    /// The host's.
    pub data: *mut c_void,
    /// The host's.
    pub end: *mut c_void,
    /// The host's, bytes.
    pub data_size: switch_size_t,
    /// The host's, bytes.
    pub data_len: switch_size_t,
    /// The host's, bytes.
    pub alloc_len: switch_size_t,
    /// The host's, bytes.
    pub alloc_chunk: switch_size_t,
    /// Parameters of the request that led here; may be null.
    pub param_event: *mut switch_event_t,
}
/// See [`switch_stream_handle`].
pub type switch_stream_handle_t = switch_stream_handle;

/// What a module wants to do in the states of a channel. The host keeps the pointer to the
/// table, so it has to live as long as any channel that it was added to.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct switch_state_handler_table {
    /// `CS_INIT`.
    pub on_init: switch_state_handler_t,
    /// `CS_ROUTING`.
    pub on_routing: switch_state_handler_t,
    /// `CS_EXECUTE`.
    pub on_execute: switch_state_handler_t,
    /// `CS_HANGUP`.
    pub on_hangup: switch_state_handler_t,
    /// `CS_EXCHANGE_MEDIA`.
    pub on_exchange_media: switch_state_handler_t,
    /// `CS_SOFT_EXECUTE`.
    pub on_soft_execute: switch_state_handler_t,
    /// `CS_CONSUME_MEDIA`.
    pub on_consume_media: switch_state_handler_t,
    /// `CS_HIBERNATE`.
    pub on_hibernate: switch_state_handler_t,
    /// `CS_RESET`.
    pub on_reset: switch_state_handler_t,
    /// `CS_PARK`.
    pub on_park: switch_state_handler_t,
    /// `CS_REPORTING`.
    pub on_reporting: switch_state_handler_t,
    /// `CS_DESTROY`.
    pub on_destroy: switch_state_handler_t,
    /// A set of `SSH_FLAG_*`.
    pub flags: c_int,
    /// Reserved by the host, null.
    pub padding: [*mut c_void; 10],
}
/// See [`switch_state_handler_table`].
pub type switch_state_handler_table_t = switch_state_handler_table;

// SAFETY: the table is only read once it was added; its sole pointers are to functions and to
// padding that nobody follows.
unsafe impl Sync for switch_state_handler_table {}

impl switch_state_handler_table {
    /// A table that handles nothing, to build a static one on.
    pub const EMPTY: Self = Self {
        on_init: None,
        on_routing: None,
        on_execute: None,
        on_hangup: None,
        on_exchange_media: None,
        on_soft_execute: None,
        on_consume_media: None,
        on_hibernate: None,
        on_reset: None,
        on_park: None,
        on_reporting: None,
        on_destroy: None,
        flags: 0,
        padding: [core::ptr::null_mut(); 10],
    };
}

/// A message on its way to a session. It and what it points to live until the hook returns.
#[repr(C)]
#[derive(Debug)]
pub struct switch_core_session_message {
    /// Who sent it; may be null.
    pub from: *mut c_char,
    /// `SWITCH_MESSAGE_*`.
    pub message_id: switch_core_session_message_types_t,
    /// By message.
    pub numeric_arg: c_int,
    /// By message; may be null.
    pub string_arg: *const c_char,
    /// Bytes.
    pub string_arg_size: switch_size_t,
    /// By message; may be null.
    pub pointer_arg: *mut c_void,
    /// Bytes.
    pub pointer_arg_size: switch_size_t,
    /// By message.
    pub numeric_reply: c_int,
    /// By message; may be null.
    pub string_reply: *mut c_char,
    /// Bytes.
    pub string_reply_size: switch_size_t,
    /// By message; may be null.
    pub pointer_reply: *mut c_void,
    /// Bytes.
    pub pointer_reply_size: switch_size_t,
    /// The host's.
    pub flags: switch_core_session_message_flag_t,
    /// Where it was sent from, for logs.
    pub _file: *const c_char,
    /// Where it was sent from, for logs.
    pub _func: *const c_char,
    /// Where it was sent from, for logs.
    pub _line: c_int,
    /// By message; may be null.
    pub string_array_arg: [*const c_char; 10],
    /// Seconds since 1970; 0 unless the message was queued for later.
    pub delivery_time: time_t,
}
/// See [`switch_core_session_message`].
pub type switch_core_session_message_t = switch_core_session_message;

/// One digit.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct switch_dtmf_t {
    /// ASCII, `0-9*#A-D`.
    pub digit: c_char,
    /// Samples at 8 kHz.
    pub duration: u32,
    /// The host's.
    pub flags: i32,
    /// How it came.
    pub source: switch_dtmf_source_t,
}

/// Where a picture is shown; all zero for audio.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
#[allow(non_snake_case)]
pub struct switch_frame_geometry {
    /// The host's.
    pub w: i32,
    /// The host's.
    pub h: i32,
    /// The host's.
    pub x: i32,
    /// The host's.
    pub y: i32,
    /// The host's.
    pub z: i32,
    /// The host's.
    pub M: i32,
    /// The host's.
    pub X: i32,
}

/// One frame of media.
#[repr(C)]
#[derive(Debug)]
pub struct switch_frame {
    /// What its data is encoded with.
    pub codec: *mut switch_codec_t,
    /// Where it comes from; may be null.
    pub source: *const c_char,
    /// The packet it came in; may be null.
    pub packet: *mut c_void,
    /// Bytes.
    pub packetlen: u32,
    /// The host's.
    pub extra_data: *mut c_void,
    /// Its bytes.
    pub data: *mut c_void,
    /// How many of them count.
    pub datalen: u32,
    /// How many there is room for.
    pub buflen: u32,
    /// Samples of each channel.
    pub samples: u32,
    /// Samples a second.
    pub rate: u32,
    /// Channels.
    pub channels: u32,
    /// The payload type it came with.
    pub payload: switch_payload_t,
    /// Of RTP; 0 lets the host count.
    pub timestamp: u32,
    /// Of RTP.
    pub seq: u16,
    /// Of RTP.
    pub ssrc: u32,
    /// Of RTP: the marker.
    pub m: switch_bool_t,
    /// `SFF_*`.
    pub flags: switch_frame_flag_t,
    /// The host's.
    pub user_data: *mut c_void,
    /// The host's.
    pub pmap: *mut payload_map_t,
    /// Null for audio.
    pub img: *mut switch_image_t,
    /// All zero for audio.
    pub geometry: switch_frame_geometry,
}
/// See [`switch_frame`].
pub type switch_frame_t = switch_frame;

/// What to do with input while media plays; all zero is a valid value.
#[repr(C)]
#[derive(Debug)]
pub struct switch_input_args_t {
    /// Called for each digit and event.
    pub input_callback: switch_input_callback_function_t,
    /// Handed to `input_callback`.
    pub buf: *mut c_void,
    /// Handed to `input_callback`.
    pub buflen: u32,
    /// Called for each frame read.
    pub read_frame_callback: switch_read_frame_callback_function_t,
    /// Handed to `read_frame_callback`.
    pub user_data: *mut c_void,
    /// Null here.
    pub dmachine: *mut switch_ivr_dmachine_t,
    /// The host's: how deep prompts are nested in prompts' callbacks, at most 25.
    pub loops: c_int,
}

/// A text that is being spoken. All zero before it is opened.
#[repr(C)]
#[derive(Debug)]
pub struct switch_speech_handle {
    /// The engine.
    pub speech_interface: *mut switch_speech_interface_t,
    /// `SWITCH_SPEECH_FLAG_*`, the host's.
    pub flags: u32,
    /// The engine's name.
    pub name: *mut c_char,
    /// Samples a second.
    pub rate: u32,
    /// The engine's.
    pub speed: u32,
    /// Samples of a packet.
    pub samples: u32,
    /// Channels.
    pub channels: u32,
    /// Channels that the engine gives.
    pub real_channels: u32,
    /// The voice.
    pub voice: [c_char; 80],
    /// The engine's name.
    pub engine: *mut c_char,
    /// What came after a colon in the engine's name.
    pub param: *mut c_char,
    /// The pool it was opened with.
    pub memory_pool: *mut switch_memory_pool_t,
    /// The host's.
    pub resampler: *mut switch_audio_resampler_t,
    /// The host's.
    pub buffer: *mut switch_buffer_t,
    /// The host's.
    pub dbuf: *mut switch_byte_t,
    /// The host's.
    pub dbuflen: switch_size_t,
    /// Samples a second.
    pub samplerate: u32,
    /// Samples a second that the engine gives.
    pub native_rate: u32,
    /// The engine's.
    pub private_info: *mut c_void,
}
/// See [`switch_speech_handle`].
pub type switch_speech_handle_t = switch_speech_handle;
