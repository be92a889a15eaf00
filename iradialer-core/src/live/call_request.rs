//! What can be asked of a call that is up.

use super::ask::{self, SimpleDtmf, ValidDtmf};
use super::connect::{Bridge, DirectBridge, TransferCall};
use super::values::{DtmfDigits, MAX_LOOPS};
use crate::fields::Fields;
use crate::flow::{RecordCall, Sound};
use crate::value::{CallUuid, FieldError, PromptPath};
use serde_json::{Map, Value, json};

/// Something asked of a call that is up.
#[derive(Debug, Clone, PartialEq)]
pub enum CallRequest {
    /// To play a file, an address or a text.
    Play(Play),
    /// To end what plays or is asked, and drop what waits.
    StopPlay,
    /// To ask for digits until they fit.
    GetValidDtmf(Box<ValidDtmf>),
    /// To wait for digits.
    GetSimpleDtmf(SimpleDtmf),
    /// To send keys to the far end.
    SendDtmf(DtmfDigits),
    /// To hang up.
    Drop,
    /// To let nobody hear the far end, or to let them again.
    Mute(bool),
    /// To let the far end hear nothing, or to let it again.
    Deaf(bool),
    /// The same as [`CallRequest::Deaf`], under its other published name.
    Earmuff(bool),
    /// To hold what plays, with nothing to be heard either way, or to go on.
    Hold(bool),
    /// To end what the call is at, and leave it waiting.
    Park,
    /// To record it as a whole from now on. It is not of the published requests.
    StartRecord(RecordCall),
    /// To end that recording.
    StopRecord,
    /// What there is to know of the call.
    Details,
    /// To connect it with the other call of a conference of two.
    Bridge(Bridge),
    /// To connect it with this call of the same switch.
    BridgeCalls(CallUuid),
    /// To connect it with a number, by a trunk.
    DirectBridge(DirectBridge),
    /// To connect it with a number, by any trunk of its campaign.
    Transfer(TransferCall),
}

/// What to play.
#[derive(Debug, Clone, PartialEq)]
pub struct Play {
    /// A file, an address or a text.
    pub sound: Sound,
    /// How many times, 1 to [`MAX_LOOPS`].
    pub loop_count: u32,
    /// Whether a key ends it.
    pub stop_on_key: bool,
}

/// The requests that say nothing but whose call is meant.
const SIMPLE: [(&str, CallRequest); 13] = [
    ("request_drop_call", CallRequest::Drop),
    ("request_stop_play", CallRequest::StopPlay),
    ("request_get_call_details", CallRequest::Details),
    ("request_mute_call", CallRequest::Mute(true)),
    ("request_unmute_call", CallRequest::Mute(false)),
    ("request_earmuff_on", CallRequest::Earmuff(true)),
    ("request_earmuff_off", CallRequest::Earmuff(false)),
    ("request_deaf_call", CallRequest::Deaf(true)),
    ("request_undeaf_call", CallRequest::Deaf(false)),
    ("request_hold_call", CallRequest::Hold(true)),
    ("request_unhold_call", CallRequest::Hold(false)),
    ("request_park_call", CallRequest::Park),
    ("request_stop_record", CallRequest::StopRecord),
];

const OTHERS: [&str; 11] = [
    "request_play_file",
    "request_play_url",
    "request_play_tts",
    "request_get_valid_dtmf",
    "request_get_simple_dtmf",
    "request_send_dtmf",
    "request_start_record",
    "request_bridge_call",
    "request_bridge_calls",
    "request_direct_bridge",
    "request_transfer_call",
];

impl CallRequest {
    /// Whether there is a request of that name.
    pub(super) fn known(event_name: &str) -> Result<(), FieldError> {
        let simple = SIMPLE.iter().any(|(name, _)| *name == event_name);
        if simple || OTHERS.contains(&event_name) {
            return Ok(());
        }
        let expected = "one of the published requests, such as request_play_file";
        Err(FieldError::new("event_name", expected, event_name))
    }

    pub(super) fn read(event_name: &str, fields: &mut Fields) -> Option<Self> {
        if let Some((_, request)) = SIMPLE.iter().find(|(name, _)| *name == event_name) {
            return Some(request.clone());
        }
        match event_name {
            "request_play_file" => {
                let file = fields.required("filename", PromptPath::parse);
                Play::read(fields, file.map(Sound::File)).map(CallRequest::Play)
            }
            "request_play_url" => {
                let url = fields.required("url", ask::read_url);
                let url = url.map(|url| Sound::Url(String::from(url)));
                Play::read(fields, url).map(CallRequest::Play)
            }
            "request_play_tts" => {
                let text = fields.required("text", |field, text| {
                    ask::read_speech(field, text).map(str::to_owned)
                });
                let voice = fields.parsed("tts_voice", ask::read_voice);
                let engine = fields.parsed("tts_engine", ask::read_engine);
                let sound = text.map(|text| Sound::Tts {
                    text,
                    voice,
                    engine,
                });
                Play::read(fields, sound).map(CallRequest::Play)
            }
            "request_get_valid_dtmf" => ValidDtmf::read(fields)
                .map(Box::new)
                .map(CallRequest::GetValidDtmf),
            "request_get_simple_dtmf" => SimpleDtmf::read(fields).map(CallRequest::GetSimpleDtmf),
            "request_send_dtmf" => {
                let digits = fields.required("digits", DtmfDigits::parse);
                digits.map(CallRequest::SendDtmf)
            }
            "request_start_record" => Some(CallRequest::StartRecord(
                match fields.number("channels", 1..=2, 1) {
                    1 => RecordCall::Mixed,
                    _ => RecordCall::Stereo,
                },
            )),
            "request_bridge_call" => Bridge::read(fields).map(CallRequest::Bridge),
            "request_bridge_calls" => {
                let second = fields.required("second_uuid", CallUuid::parse);
                second.map(CallRequest::BridgeCalls)
            }
            "request_direct_bridge" => DirectBridge::read(fields).map(CallRequest::DirectBridge),
            "request_transfer_call" => TransferCall::read(fields).map(CallRequest::Transfer),
            _ => None,
        }
    }

    /// Its published name.
    pub fn event_name(&self) -> &'static str {
        match self {
            CallRequest::Play(play) => match &play.sound {
                Sound::Url(_) => "request_play_url",
                Sound::Tts { .. } => "request_play_tts",
                _ => "request_play_file",
            },
            CallRequest::GetValidDtmf(_) => "request_get_valid_dtmf",
            CallRequest::GetSimpleDtmf(_) => "request_get_simple_dtmf",
            CallRequest::SendDtmf(_) => "request_send_dtmf",
            CallRequest::StartRecord(_) => "request_start_record",
            CallRequest::Bridge(_) => "request_bridge_call",
            CallRequest::BridgeCalls(_) => "request_bridge_calls",
            CallRequest::DirectBridge(_) => "request_direct_bridge",
            CallRequest::Transfer(_) => "request_transfer_call",
            simple => SIMPLE
                .iter()
                .find(|(_, request)| request == simple)
                .map_or("", |(name, _)| name),
        }
    }

    pub(super) fn to_json(&self) -> (&'static str, Map<String, Value>) {
        let data = match self {
            CallRequest::Play(play) => play.to_json(),
            CallRequest::GetValidDtmf(ask) => ask.to_json(),
            CallRequest::GetSimpleDtmf(ask) => ask.to_json(),
            CallRequest::SendDtmf(digits) => Map::from_iter([("digits".to_owned(), json!(digits))]),
            CallRequest::StartRecord(shape) => {
                let channels = match shape {
                    RecordCall::Mixed => 1,
                    RecordCall::Stereo => 2,
                };
                Map::from_iter([("channels".to_owned(), json!(channels))])
            }
            CallRequest::Bridge(bridge) => bridge.to_json(),
            CallRequest::BridgeCalls(second) => {
                Map::from_iter([("second_uuid".to_owned(), json!(second))])
            }
            CallRequest::DirectBridge(bridge) => bridge.to_json(),
            CallRequest::Transfer(transfer) => transfer.to_json(),
            _ => Map::new(),
        };
        (self.event_name(), data)
    }
}

impl Play {
    fn read(fields: &mut Fields, sound: Option<Sound>) -> Option<Self> {
        let loop_count = fields.number("loop_count", 1..=MAX_LOOPS, 1);
        let stop_on_key = fields.bool("stop_on_key", false);
        sound.map(|sound| Play {
            sound,
            loop_count,
            stop_on_key,
        })
    }

    fn to_json(&self) -> Map<String, Value> {
        let mut data = Map::new();
        let mut put = |name: &str, value: Value| drop(data.insert(name.to_owned(), value));
        put("loop_count", json!(self.loop_count));
        put("stop_on_key", json!(self.stop_on_key));
        match &self.sound {
            Sound::Url(url) => put("url", json!(url)),
            Sound::Tts {
                text,
                voice,
                engine,
            } => {
                put("text", json!(text));
                put("tts_voice", json!(voice.as_deref().unwrap_or("")));
                put("tts_engine", json!(engine.as_deref().unwrap_or("")));
            }
            other => put("filename", json!(other.to_string())),
        }
        data
    }
}
