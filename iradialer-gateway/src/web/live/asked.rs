//! What live requests may have in them. They are read by `iradialer_core::live`, which a switch reads them with too.

use utoipa::ToSchema;

/// Which call is meant.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
pub(super) struct OfACall {
    /// The call.
    call_uuid: uuid::Uuid,
}

/// Which call is recorded, and how.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
pub(super) struct StartRecord {
    /// The call.
    call_uuid: uuid::Uuid,
    /// 1: both sides mixed; 2: each in a channel of its own.
    #[schema(minimum = 1, maximum = 2, default = 1)]
    channels: Option<u32>,
}

/// What is played.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
pub(super) struct PlayFile {
    /// The call.
    call_uuid: uuid::Uuid,
    /// A file of the switch's prompt directory.
    filename: String,
    /// How many times it is played.
    #[schema(minimum = 1, maximum = 100, default = 1)]
    loop_count: Option<u32>,
    /// Whether a key ends it.
    #[schema(default = false)]
    stop_on_key: Option<bool>,
}

/// What is played.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
pub(super) struct PlayUrl {
    /// The call.
    call_uuid: uuid::Uuid,
    /// How many times it is played.
    #[schema(minimum = 1, maximum = 100, default = 1)]
    loop_count: Option<u32>,
    /// Whether a key ends it.
    #[schema(default = false)]
    stop_on_key: Option<bool>,
    /// The address of a sound.
    url: String,
}

/// What is spoken.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
pub(super) struct PlayTts {
    /// The call.
    call_uuid: uuid::Uuid,
    /// How many times it is played.
    #[schema(minimum = 1, maximum = 100, default = 1)]
    loop_count: Option<u32>,
    /// Whether a key ends it.
    #[schema(default = false)]
    stop_on_key: Option<bool>,
    /// Spoken as it is: nothing is filled in.
    #[schema(min_length = 1, max_length = 1000)]
    text: String,
    /// The speech engine; without it the switch's own.
    tts_engine: Option<String>,
    /// The voice; without it the switch's own.
    tts_voice: Option<String>,
}

/// What is asked, and which digits fit.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
pub(super) struct GetValidDtmf {
    /// What both messages are: `file`, `url` or `tts`.
    audio_type: String,
    /// The call.
    call_uuid: uuid::Uuid,
    /// What is said of digits that don't fit, and of none.
    error_message: Option<String>,
    /// The most digits; without it `minimum_digits`.
    #[schema(minimum = 1, maximum = 64)]
    maximum_digits: Option<u32>,
    /// The fewest digits.
    #[schema(minimum = 1, maximum = 64, default = 1)]
    minimum_digits: Option<u32>,
    /// How many times it is asked.
    #[schema(minimum = 1, maximum = 10, default = 1)]
    minimum_tries: Option<u32>,
    /// What is asked.
    prompt_message: Option<String>,
    /// What the digits have to match, in RE2 syntax.
    #[schema(max_length = 200)]
    reg_expr: Option<String>,
    /// Keys that end the input.
    #[schema(default = "#", pattern = "^[0-9*#]*$")]
    term_keys: Option<String>,
    /// How long the first key is waited for, s.
    #[schema(minimum = 5, maximum = 60, default = 5)]
    timeout: Option<u32>,
    /// The speech engine; without it the switch's own.
    tts_engine: Option<String>,
    /// The voice; without it the switch's own.
    tts_voice: Option<String>,
    /// The variable that the digits are kept in.
    var_name: String,
}

/// Which digits are collected.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
pub(super) struct GetSimpleDtmf {
    /// The call.
    call_uuid: uuid::Uuid,
    /// How many.
    #[schema(minimum = 1, maximum = 64, default = 1)]
    digit_count: Option<u32>,
    /// Keys that end the input.
    #[schema(default = "#", pattern = "^[0-9*#]*$")]
    term_keys: Option<String>,
    /// How long the first key is waited for, s.
    #[schema(minimum = 5, maximum = 60, default = 5)]
    timeout: Option<u32>,
    /// The variable that the digits are kept in.
    var_name: String,
}

/// Which keys are sent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
pub(super) struct SendDtmf {
    /// The call.
    call_uuid: uuid::Uuid,
    /// `0-9*#A-D`; `w` waits 0.5 s, `W` 1 s.
    #[schema(pattern = "^[0-9*#A-DwW]{1,64}$")]
    digits: String,
}

/// Whom the call is connected with.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
pub(super) struct TransferCall {
    /// The call.
    call_uuid: uuid::Uuid,
    /// Whether the carrier is asked to connect them (SIP REFER).
    #[schema(default = false)]
    deflect: Option<bool>,
    /// The number: an optional `+` and 3 to 15 digits.
    destination: String,
    /// How long it may ring, s.
    #[schema(minimum = 5, maximum = 600, default = 25)]
    timeout: Option<u32>,
}

/// Which calls are connected.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
pub(super) struct BridgeCalls {
    /// One of them.
    first_uuid: uuid::Uuid,
    /// The other one, on the same switch.
    second_uuid: uuid::Uuid,
}
