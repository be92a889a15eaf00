//! Requests that ask for digits.

use crate::fields::Fields;
use crate::flow::{
    Collect, FileName, MAX_DIGITS, MAX_RETRIES, Prompt, Target, Template, Tts, Url, check_pattern,
    is_name, is_voice,
};
use crate::value::{FieldError, PromptPath};
use serde_json::{Map, Value, json};

/// The longest wait for a first key, s.
pub const MAX_TIMEOUT_S: u32 = 60;
/// The shortest, as it is published.
const MIN_TIMEOUT_S: u32 = 5;
/// How long to wait for a first key where the request does not say, s.
const TIMEOUT_S: u32 = 5;
/// How long to wait for each further key, ms.
const INTER_DIGIT_MS: u32 = 2_500;
/// How many times it is asked where the request does not say.
const TRIES: u32 = 1;
/// The most digits where the request does not say.
const DIGITS: u32 = 1;
/// The keys that end an input where the request does not say.
const TERM_KEYS: &str = "#";

/// `request_get_valid_dtmf`: asks for digits until they fit.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidDtmf {
    /// The variable they are kept in.
    pub var_name: String,
    /// The fewest, 1 to 64.
    pub minimum_digits: u32,
    /// The most, up to 64.
    pub maximum_digits: u32,
    /// How many times it is asked, 1 to 10.
    pub minimum_tries: u32,
    /// How long to wait for the first key after the prompt, 5 to 60 s.
    pub timeout_s: u32,
    /// Keys that end the input.
    pub term_keys: String,
    /// What the digits must match.
    pub reg_expr: Option<String>,
    /// What is asked.
    pub prompt_message: Option<Spoken>,
    /// What is said of digits that do not fit, and of none.
    pub error_message: Option<Spoken>,
    /// How both are made.
    pub audio_type: AudioType,
}

/// How messages are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudioType {
    /// Spoken, by that voice and that engine.
    Tts {
        /// The voice; the switch's own where there is none.
        voice: Option<String>,
        /// The engine; the switch's own where there is none.
        engine: Option<String>,
    },
    /// Files of the switch's prompt directory.
    File,
    /// Addresses.
    Url,
}

/// A message as it was given, and the prompt it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Spoken {
    given: String,
    /// The prompt. Nothing in it is filled in.
    pub prompt: Prompt,
}

/// `request_get_simple_dtmf`: waits for a number of digits, once and without a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct SimpleDtmf {
    /// The variable they are kept in.
    pub var_name: String,
    /// How many, 1 to 64.
    pub digit_count: u32,
    /// How long to wait for the first key, 5 to 60 s.
    pub timeout_s: u32,
    /// Keys that end the input.
    pub term_keys: String,
}

impl ValidDtmf {
    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        let var_name = fields.required("var_name", read_name);
        let minimum_digits = fields.number("minimum_digits", 1..=MAX_DIGITS, 1);
        let fewest = minimum_digits.max(DIGITS);
        let maximum_digits = fields.number("maximum_digits", minimum_digits..=MAX_DIGITS, fewest);
        let minimum_tries = fields.number("minimum_tries", 1..=MAX_RETRIES + 1, TRIES);
        let timeout_s = fields.number("timeout", MIN_TIMEOUT_S..=MAX_TIMEOUT_S, TIMEOUT_S);
        let term_keys = read_term_keys(fields);
        let reg_expr = fields.parsed("reg_expr", read_pattern);
        let voice = fields.parsed("tts_voice", read_voice);
        let engine = fields.parsed("tts_engine", read_engine);
        let audio_type = fields.required("audio_type", |field, text| match text {
            "tts" => Ok(AudioType::Tts { voice, engine }),
            "file" => Ok(AudioType::File),
            "url" => Ok(AudioType::Url),
            other => Err(FieldError::new(field, "'tts', 'file' or 'url'", other)),
        })?;
        let read = |field: &str, text: &str| Spoken::read(field, text, &audio_type);
        let prompt_message = fields.parsed("prompt_message", read);
        let error_message = fields.parsed("error_message", read);
        Some(ValidDtmf {
            var_name: var_name?,
            minimum_digits,
            maximum_digits,
            minimum_tries,
            timeout_s,
            term_keys,
            reg_expr,
            prompt_message,
            error_message,
            audio_type,
        })
    }

    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut data = Map::new();
        let mut put = |name: &str, value: Value| drop(data.insert(name.to_owned(), value));
        put("var_name", json!(self.var_name));
        put("minimum_digits", json!(self.minimum_digits));
        put("maximum_digits", json!(self.maximum_digits));
        put("minimum_tries", json!(self.minimum_tries));
        put("timeout", json!(self.timeout_s));
        put("term_keys", json!(self.term_keys));
        let audio_type = match &self.audio_type {
            AudioType::Tts { voice, engine } => {
                put("tts_voice", json!(voice.as_deref().unwrap_or("")));
                put("tts_engine", json!(engine.as_deref().unwrap_or("")));
                "tts"
            }
            AudioType::File => "file",
            AudioType::Url => "url",
        };
        put("audio_type", json!(audio_type));
        let texts = [
            ("reg_expr", &self.reg_expr),
            (
                "prompt_message",
                &self
                    .prompt_message
                    .as_ref()
                    .map(|spoken| spoken.given.clone()),
            ),
            (
                "error_message",
                &self
                    .error_message
                    .as_ref()
                    .map(|spoken| spoken.given.clone()),
            ),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                put(name, json!(text));
            }
        }
        data
    }

    /// The same as a `collect` node.
    pub fn collect(&self) -> Collect {
        let prompts = |spoken: &Option<Spoken>| -> Vec<Prompt> {
            spoken.iter().map(|spoken| spoken.prompt.clone()).collect()
        };
        Collect {
            prompt: prompts(&self.prompt_message),
            var: self.var_name.clone(),
            min_digits: self.minimum_digits,
            max_digits: self.maximum_digits,
            terminators: self.term_keys.clone(),
            timeout_ms: self.timeout_s * 1000,
            inter_digit_ms: INTER_DIGIT_MS,
            pattern: self.reg_expr.clone(),
            retries: self.minimum_tries - 1,
            no_input: prompts(&self.error_message),
            invalid: prompts(&self.error_message),
            exhausted: Target::Hangup,
        }
    }
}

impl SimpleDtmf {
    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        let var_name = fields.required("var_name", read_name);
        let digit_count = fields.number("digit_count", 1..=MAX_DIGITS, DIGITS);
        let timeout_s = fields.number("timeout", MIN_TIMEOUT_S..=MAX_TIMEOUT_S, TIMEOUT_S);
        let term_keys = read_term_keys(fields);
        Some(SimpleDtmf {
            var_name: var_name?,
            digit_count,
            timeout_s,
            term_keys,
        })
    }

    pub(super) fn to_json(&self) -> Map<String, Value> {
        let fields = [
            ("var_name", json!(self.var_name)),
            ("digit_count", json!(self.digit_count)),
            ("timeout", json!(self.timeout_s)),
            ("term_keys", json!(self.term_keys)),
        ];
        Map::from_iter(fields.map(|(name, value)| (name.to_owned(), value)))
    }

    /// The same as a `collect` node. Fewer digits than asked for, ended by a key or by time, are not valid.
    pub fn collect(&self) -> Collect {
        Collect {
            prompt: Vec::new(),
            var: self.var_name.clone(),
            min_digits: self.digit_count,
            max_digits: self.digit_count,
            terminators: self.term_keys.clone(),
            timeout_ms: self.timeout_s * 1000,
            inter_digit_ms: INTER_DIGIT_MS,
            // Any key is a digit here, as `*` may well be meant.
            pattern: Some("^[0-9*#A-D]+$".to_owned()),
            retries: 0,
            no_input: Vec::new(),
            invalid: Vec::new(),
            exhausted: Target::Hangup,
        }
    }
}

impl Spoken {
    fn read(field: &str, text: &str, audio_type: &AudioType) -> Result<Self, FieldError> {
        let prompt = match audio_type {
            AudioType::Tts { voice, engine } => Prompt::Tts(Tts {
                text: Template::literal(read_speech(field, text)?),
                voice: voice.clone(),
                engine: engine.clone(),
            }),
            AudioType::File => {
                PromptPath::parse(field, text)?;
                Prompt::File(FileName::parse(text)?)
            }
            AudioType::Url => Prompt::Url(read_url(field, text)?),
        };
        Ok(Spoken {
            given: text.to_owned(),
            prompt,
        })
    }
}

/// A text to be spoken.
pub(super) fn read_speech<'t>(field: &str, text: &'t str) -> Result<&'t str, FieldError> {
    let length = text.chars().count();
    match length <= crate::flow::MAX_TEXT && !text.trim().is_empty() {
        true => Ok(text),
        false => {
            let expected = format!("a text of 1 to {} characters", crate::flow::MAX_TEXT);
            Err(FieldError::new(field, expected, text))
        }
    }
}

/// An address; what looks like a name to be filled in is none, and refused.
pub(super) fn read_url(field: &str, text: &str) -> Result<Url, FieldError> {
    let url = Url::parse(text).map_err(|mistake| FieldError {
        field: field.to_owned(),
        ..mistake
    })?;
    match url.template().is_literal() {
        true => Ok(url),
        false => {
            let expected = "an address whose special characters are percent-encoded";
            Err(FieldError::new(field, expected, text))
        }
    }
}

pub(super) fn read_voice(field: &str, text: &str) -> Result<String, FieldError> {
    match is_voice(text) {
        true => Ok(text.to_owned()),
        false => {
            let expected = "a voice of 1 to 64 letters, digits, '_', '-', '.' or '+'";
            Err(FieldError::new(field, expected, text))
        }
    }
}

pub(super) fn read_engine(field: &str, text: &str) -> Result<String, FieldError> {
    match is_name(text) {
        true => Ok(text.to_owned()),
        false => {
            let expected = "an engine's name of 1 to 64 letters, digits, '_' or '-'";
            Err(FieldError::new(field, expected, text))
        }
    }
}

fn read_name(field: &str, text: &str) -> Result<String, FieldError> {
    match is_name(text) {
        true => Ok(text.to_owned()),
        false => {
            let expected = "a variable's name of 1 to 64 letters, digits, '_' or '-'";
            Err(FieldError::new(field, expected, text))
        }
    }
}

fn read_term_keys(fields: &mut Fields) -> String {
    let Some(text) = fields.text("term_keys") else {
        return TERM_KEYS.to_owned();
    };
    let is_key = |key: char| matches!(key, '0'..='9' | '*' | '#' | 'A'..='D');
    if text.len() > 16 || !text.chars().all(is_key) {
        let expected = "up to 16 keys of 0-9, '*', '#' and A-D, or nothing";
        fields.note(FieldError::new("term_keys", expected, &text));
    }
    text
}

fn read_pattern(field: &str, text: &str) -> Result<String, FieldError> {
    match check_pattern(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(why) => {
            let expected = why.strip_prefix("expected ").unwrap_or(&why);
            Err(FieldError::new(field, expected, text))
        }
    }
}
