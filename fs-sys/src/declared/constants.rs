//! Members of the host's C enums, as integers of their C type.

// The names say what these are; where one needs a word it stands on its group.
#![allow(missing_docs)]

use super::types::*;
use core::ffi::c_int;

// The version a module has to declare.
pub const SWITCH_API_VERSION: c_int = 5;

// What most functions return.
pub const SWITCH_STATUS_SUCCESS: switch_status_t = 0;
pub const SWITCH_STATUS_FALSE: switch_status_t = 1;
pub const SWITCH_STATUS_TIMEOUT: switch_status_t = 2;
pub const SWITCH_STATUS_RESTART: switch_status_t = 3;
pub const SWITCH_STATUS_INTR: switch_status_t = 4;
pub const SWITCH_STATUS_NOTIMPL: switch_status_t = 5;
pub const SWITCH_STATUS_MEMERR: switch_status_t = 6;
pub const SWITCH_STATUS_NOOP: switch_status_t = 7;
pub const SWITCH_STATUS_GENERR: switch_status_t = 9;
pub const SWITCH_STATUS_INUSE: switch_status_t = 10;
pub const SWITCH_STATUS_BREAK: switch_status_t = 11;
pub const SWITCH_STATUS_MORE_DATA: switch_status_t = 13;
pub const SWITCH_STATUS_NOTFOUND: switch_status_t = 14;
pub const SWITCH_STATUS_UNLOAD: switch_status_t = 15;
pub const SWITCH_STATUS_NOUNLOAD: switch_status_t = 16;
pub const SWITCH_STATUS_IGNORE: switch_status_t = 17;
pub const SWITCH_STATUS_TERM: switch_status_t = 21;
pub const SWITCH_STATUS_NOT_INITALIZED: switch_status_t = 22;

// C truth.
pub const SWITCH_FALSE: switch_bool_t = 0;
pub const SWITCH_TRUE: switch_bool_t = 1;

// Flags of a module; the loader opens it `RTLD_GLOBAL` for the second.
pub const SMODF_NONE: switch_module_flag_t = 0;
pub const SMODF_GLOBAL_SYMBOLS: switch_module_flag_t = 1;

// Kinds of interface.
pub const SWITCH_ENDPOINT_INTERFACE: switch_module_interface_name_t = 0;
pub const SWITCH_DIALPLAN_INTERFACE: switch_module_interface_name_t = 2;
pub const SWITCH_APPLICATION_INTERFACE: switch_module_interface_name_t = 4;
pub const SWITCH_API_INTERFACE: switch_module_interface_name_t = 5;

// Where a log line goes. With `SESSION` the `userdata` is the session pointer.
pub const SWITCH_CHANNEL_ID_LOG: switch_text_channel_t = 0;
pub const SWITCH_CHANNEL_ID_LOG_CLEAN: switch_text_channel_t = 1;
pub const SWITCH_CHANNEL_ID_EVENT: switch_text_channel_t = 2;
pub const SWITCH_CHANNEL_ID_SESSION: switch_text_channel_t = 3;

// Log levels, the most urgent lowest.
pub const SWITCH_LOG_DISABLE: switch_log_level_t = -1;
pub const SWITCH_LOG_CONSOLE: switch_log_level_t = 0;
pub const SWITCH_LOG_ALERT: switch_log_level_t = 1;
pub const SWITCH_LOG_CRIT: switch_log_level_t = 2;
pub const SWITCH_LOG_ERROR: switch_log_level_t = 3;
pub const SWITCH_LOG_WARNING: switch_log_level_t = 4;
pub const SWITCH_LOG_NOTICE: switch_log_level_t = 5;
pub const SWITCH_LOG_INFO: switch_log_level_t = 6;
pub const SWITCH_LOG_DEBUG: switch_log_level_t = 7;

// States of a channel, in the order a call goes through them. From `CS_HANGUP` on a state only rises.
pub const CS_NEW: switch_channel_state_t = 0;
pub const CS_INIT: switch_channel_state_t = 1;
pub const CS_ROUTING: switch_channel_state_t = 2;
pub const CS_SOFT_EXECUTE: switch_channel_state_t = 3;
pub const CS_EXECUTE: switch_channel_state_t = 4;
pub const CS_EXCHANGE_MEDIA: switch_channel_state_t = 5;
pub const CS_PARK: switch_channel_state_t = 6;
pub const CS_CONSUME_MEDIA: switch_channel_state_t = 7;
pub const CS_HIBERNATE: switch_channel_state_t = 8;
pub const CS_RESET: switch_channel_state_t = 9;
pub const CS_HANGUP: switch_channel_state_t = 10;
pub const CS_REPORTING: switch_channel_state_t = 11;
pub const CS_DESTROY: switch_channel_state_t = 12;
pub const CS_NONE: switch_channel_state_t = 13;

// Causes. 1-127 are Q.850, the rest the host's own.
pub const SWITCH_CAUSE_NONE: switch_call_cause_t = 0;
pub const SWITCH_CAUSE_UNALLOCATED_NUMBER: switch_call_cause_t = 1;
pub const SWITCH_CAUSE_NO_ROUTE_TRANSIT_NET: switch_call_cause_t = 2;
pub const SWITCH_CAUSE_NO_ROUTE_DESTINATION: switch_call_cause_t = 3;
pub const SWITCH_CAUSE_CHANNEL_UNACCEPTABLE: switch_call_cause_t = 6;
pub const SWITCH_CAUSE_CALL_AWARDED_DELIVERED: switch_call_cause_t = 7;
pub const SWITCH_CAUSE_NORMAL_CLEARING: switch_call_cause_t = 16;
pub const SWITCH_CAUSE_USER_BUSY: switch_call_cause_t = 17;
pub const SWITCH_CAUSE_NO_USER_RESPONSE: switch_call_cause_t = 18;
pub const SWITCH_CAUSE_NO_ANSWER: switch_call_cause_t = 19;
pub const SWITCH_CAUSE_SUBSCRIBER_ABSENT: switch_call_cause_t = 20;
pub const SWITCH_CAUSE_CALL_REJECTED: switch_call_cause_t = 21;
pub const SWITCH_CAUSE_NUMBER_CHANGED: switch_call_cause_t = 22;
pub const SWITCH_CAUSE_REDIRECTION_TO_NEW_DESTINATION: switch_call_cause_t = 23;
pub const SWITCH_CAUSE_EXCHANGE_ROUTING_ERROR: switch_call_cause_t = 25;
pub const SWITCH_CAUSE_DESTINATION_OUT_OF_ORDER: switch_call_cause_t = 27;
pub const SWITCH_CAUSE_INVALID_NUMBER_FORMAT: switch_call_cause_t = 28;
pub const SWITCH_CAUSE_FACILITY_REJECTED: switch_call_cause_t = 29;
pub const SWITCH_CAUSE_RESPONSE_TO_STATUS_ENQUIRY: switch_call_cause_t = 30;
pub const SWITCH_CAUSE_NORMAL_UNSPECIFIED: switch_call_cause_t = 31;
pub const SWITCH_CAUSE_NORMAL_CIRCUIT_CONGESTION: switch_call_cause_t = 34;
pub const SWITCH_CAUSE_NETWORK_OUT_OF_ORDER: switch_call_cause_t = 38;
pub const SWITCH_CAUSE_NORMAL_TEMPORARY_FAILURE: switch_call_cause_t = 41;
pub const SWITCH_CAUSE_SWITCH_CONGESTION: switch_call_cause_t = 42;
pub const SWITCH_CAUSE_ACCESS_INFO_DISCARDED: switch_call_cause_t = 43;
pub const SWITCH_CAUSE_REQUESTED_CHAN_UNAVAIL: switch_call_cause_t = 44;
pub const SWITCH_CAUSE_PRE_EMPTED: switch_call_cause_t = 45;
pub const SWITCH_CAUSE_FACILITY_NOT_SUBSCRIBED: switch_call_cause_t = 50;
pub const SWITCH_CAUSE_OUTGOING_CALL_BARRED: switch_call_cause_t = 52;
pub const SWITCH_CAUSE_INCOMING_CALL_BARRED: switch_call_cause_t = 54;
pub const SWITCH_CAUSE_BEARERCAPABILITY_NOTAUTH: switch_call_cause_t = 57;
pub const SWITCH_CAUSE_BEARERCAPABILITY_NOTAVAIL: switch_call_cause_t = 58;
pub const SWITCH_CAUSE_SERVICE_UNAVAILABLE: switch_call_cause_t = 63;
pub const SWITCH_CAUSE_BEARERCAPABILITY_NOTIMPL: switch_call_cause_t = 65;
pub const SWITCH_CAUSE_CHAN_NOT_IMPLEMENTED: switch_call_cause_t = 66;
pub const SWITCH_CAUSE_FACILITY_NOT_IMPLEMENTED: switch_call_cause_t = 69;
pub const SWITCH_CAUSE_SERVICE_NOT_IMPLEMENTED: switch_call_cause_t = 79;
pub const SWITCH_CAUSE_INVALID_CALL_REFERENCE: switch_call_cause_t = 81;
pub const SWITCH_CAUSE_INCOMPATIBLE_DESTINATION: switch_call_cause_t = 88;
pub const SWITCH_CAUSE_INVALID_MSG_UNSPECIFIED: switch_call_cause_t = 95;
pub const SWITCH_CAUSE_MANDATORY_IE_MISSING: switch_call_cause_t = 96;
pub const SWITCH_CAUSE_MESSAGE_TYPE_NONEXIST: switch_call_cause_t = 97;
pub const SWITCH_CAUSE_WRONG_MESSAGE: switch_call_cause_t = 98;
pub const SWITCH_CAUSE_IE_NONEXIST: switch_call_cause_t = 99;
pub const SWITCH_CAUSE_INVALID_IE_CONTENTS: switch_call_cause_t = 100;
pub const SWITCH_CAUSE_WRONG_CALL_STATE: switch_call_cause_t = 101;
pub const SWITCH_CAUSE_RECOVERY_ON_TIMER_EXPIRE: switch_call_cause_t = 102;
pub const SWITCH_CAUSE_MANDATORY_IE_LENGTH_ERROR: switch_call_cause_t = 103;
pub const SWITCH_CAUSE_PROTOCOL_ERROR: switch_call_cause_t = 111;
pub const SWITCH_CAUSE_INTERWORKING: switch_call_cause_t = 127;
pub const SWITCH_CAUSE_SUCCESS: switch_call_cause_t = 142;
pub const SWITCH_CAUSE_ORIGINATOR_CANCEL: switch_call_cause_t = 487;
pub const SWITCH_CAUSE_CRASH: switch_call_cause_t = 700;
pub const SWITCH_CAUSE_SYSTEM_SHUTDOWN: switch_call_cause_t = 701;
pub const SWITCH_CAUSE_LOSE_RACE: switch_call_cause_t = 702;
pub const SWITCH_CAUSE_MANAGER_REQUEST: switch_call_cause_t = 703;
pub const SWITCH_CAUSE_BLIND_TRANSFER: switch_call_cause_t = 800;
pub const SWITCH_CAUSE_ATTENDED_TRANSFER: switch_call_cause_t = 801;
pub const SWITCH_CAUSE_ALLOTTED_TIMEOUT: switch_call_cause_t = 802;
pub const SWITCH_CAUSE_USER_CHALLENGE: switch_call_cause_t = 803;
pub const SWITCH_CAUSE_MEDIA_TIMEOUT: switch_call_cause_t = 804;
pub const SWITCH_CAUSE_PICKED_OFF: switch_call_cause_t = 805;
pub const SWITCH_CAUSE_USER_NOT_REGISTERED: switch_call_cause_t = 806;
pub const SWITCH_CAUSE_PROGRESS_TIMEOUT: switch_call_cause_t = 807;
pub const SWITCH_CAUSE_INVALID_GATEWAY: switch_call_cause_t = 808;
pub const SWITCH_CAUSE_GATEWAY_DOWN: switch_call_cause_t = 809;
pub const SWITCH_CAUSE_INVALID_URL: switch_call_cause_t = 810;
pub const SWITCH_CAUSE_INVALID_PROFILE: switch_call_cause_t = 811;
pub const SWITCH_CAUSE_NO_PICKUP: switch_call_cause_t = 812;
pub const SWITCH_CAUSE_SRTP_READ_ERROR: switch_call_cause_t = 813;
pub const SWITCH_CAUSE_BOWOUT: switch_call_cause_t = 814;
pub const SWITCH_CAUSE_BUSY_EVERYWHERE: switch_call_cause_t = 815;
pub const SWITCH_CAUSE_DECLINE: switch_call_cause_t = 816;
pub const SWITCH_CAUSE_DOES_NOT_EXIST_ANYWHERE: switch_call_cause_t = 817;
pub const SWITCH_CAUSE_NOT_ACCEPTABLE: switch_call_cause_t = 818;
pub const SWITCH_CAUSE_UNWANTED: switch_call_cause_t = 819;
pub const SWITCH_CAUSE_NO_IDENTITY: switch_call_cause_t = 820;
pub const SWITCH_CAUSE_BAD_IDENTITY_INFO: switch_call_cause_t = 821;
pub const SWITCH_CAUSE_UNSUPPORTED_CERTIFICATE: switch_call_cause_t = 822;
pub const SWITCH_CAUSE_INVALID_IDENTITY: switch_call_cause_t = 823;
pub const SWITCH_CAUSE_STALE_DATE: switch_call_cause_t = 824;
pub const SWITCH_CAUSE_REJECT_ALL: switch_call_cause_t = 825;

// Directions of a leg, as the host sees it.
pub const SWITCH_CALL_DIRECTION_INBOUND: switch_call_direction_t = 0;
pub const SWITCH_CALL_DIRECTION_OUTBOUND: switch_call_direction_t = 1;

// Messages the module looks at, or sends.
pub const SWITCH_MESSAGE_INDICATE_BRIDGE: switch_core_session_message_types_t = 5;
pub const SWITCH_MESSAGE_INDICATE_UNBRIDGE: switch_core_session_message_types_t = 6;
pub const SWITCH_MESSAGE_INDICATE_DEFLECT: switch_core_session_message_types_t = 20;
pub const SWITCH_MESSAGE_ANSWER_EVENT: switch_core_session_message_types_t = 54;
pub const SWITCH_MESSAGE_PROGRESS_EVENT: switch_core_session_message_types_t = 55;
pub const SWITCH_MESSAGE_RING_EVENT: switch_core_session_message_types_t = 56;

// Events. Originate makes the variables of a new channel an event of type `CHANNEL_DATA`.
pub const SWITCH_EVENT_CUSTOM: switch_event_types_t = 0;
pub const SWITCH_EVENT_CLONE: switch_event_types_t = 1;
pub const SWITCH_EVENT_CHANNEL_DATA: switch_event_types_t = 63;

// Where a header goes in its event.
pub const SWITCH_STACK_BOTTOM: switch_stack_t = 1;
pub const SWITCH_STACK_TOP: switch_stack_t = 2;

// What an input callback is given.
pub const SWITCH_INPUT_TYPE_DTMF: switch_input_type_t = 0;
pub const SWITCH_INPUT_TYPE_EVENT: switch_input_type_t = 1;

// How a digit came.
pub const SWITCH_DTMF_UNKNOWN: switch_dtmf_source_t = 0;
pub const SWITCH_DTMF_INBAND_AUDIO: switch_dtmf_source_t = 1;
pub const SWITCH_DTMF_RTP: switch_dtmf_source_t = 2;
pub const SWITCH_DTMF_ENDPOINT: switch_dtmf_source_t = 3;
pub const SWITCH_DTMF_APP: switch_dtmf_source_t = 4;

// Which way a digit went.
pub const SWITCH_DTMF_RECV: switch_dtmf_direction_t = 0;
pub const SWITCH_DTMF_SEND: switch_dtmf_direction_t = 1;

// How to read or write a frame.
pub const SWITCH_IO_FLAG_NONE: switch_io_flag_t = 0;
pub const SWITCH_IO_FLAG_NOBLOCK: switch_io_flag_t = 1;
pub const SWITCH_IO_FLAG_SINGLE_READ: switch_io_flag_t = 2;
pub const SWITCH_IO_FLAG_FORCE: switch_io_flag_t = 4;
pub const SWITCH_IO_FLAG_QUEUED: switch_io_flag_t = 8;

// Why a media bug's callback is called.
pub const SWITCH_ABC_TYPE_INIT: switch_abc_type_t = 0;
pub const SWITCH_ABC_TYPE_TAP_NATIVE_READ: switch_abc_type_t = 6;
pub const SWITCH_ABC_TYPE_TAP_NATIVE_WRITE: switch_abc_type_t = 7;
pub const SWITCH_ABC_TYPE_CLOSE: switch_abc_type_t = 8;

// What a media bug is there for: packets as they come and go.
pub const SMBF_TAP_NATIVE_READ: switch_media_bug_flag_t = 1 << 13;
pub const SMBF_TAP_NATIVE_WRITE: switch_media_bug_flag_t = 1 << 14;

// What an application gets along with: a channel without media, which it is then not given any for.
pub const SAF_SUPPORT_NOMEDIA: switch_application_flag_enum_t = 1 << 0;

// Flags of a frame: nothing was heard.
pub const SFF_CNG: switch_frame_flag_t = 1;
// Speaking a text.
pub const SWITCH_SPEECH_FLAG_NONE: switch_speech_flag_t = 0;
pub const SWITCH_SPEECH_FLAG_HASTEXT: switch_speech_flag_t = 1;
pub const SWITCH_SPEECH_FLAG_PEEK: switch_speech_flag_t = 2;
pub const SWITCH_SPEECH_FLAG_FREE_POOL: switch_speech_flag_t = 4;
pub const SWITCH_SPEECH_FLAG_BLOCKING: switch_speech_flag_t = 8;
pub const SWITCH_SPEECH_FLAG_PAUSE: switch_speech_flag_t = 16;
pub const SWITCH_SPEECH_FLAG_OPEN: switch_speech_flag_t = 32;
pub const SWITCH_SPEECH_FLAG_DONE: switch_speech_flag_t = 64;

// Flags of a table of state handlers.
pub const SSH_FLAG_STICKY: switch_state_handler_flag_t = 1;

// How to originate.
pub const SOF_NONE: switch_originate_flag_t = 0;
pub const SOF_NOBLOCK: switch_originate_flag_t = 1;
pub const SOF_NO_LIMITS: switch_originate_flag_t = 64;
