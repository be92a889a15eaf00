//! What is to be heard.

use crate::flow::template::{Filling, Template, Values};
use crate::value::{FieldError, PromptPath};
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeStruct as _, Serializer};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The prompts of a `play` node.
pub type Play = Vec<Prompt>;

/// Something to be heard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Prompt {
    /// A WAV file below the switch's prompt directory. A name in it stands for one part of the path, or
    /// part of one.
    File(FileName),
    /// Audio from an address, fetched before the phone rings.
    Url(Url),
    /// A text to be spoken by the switch's speech engine.
    Tts(Tts),
    /// Silence, 1 to 60,000 ms.
    Silence(u32),
    /// A tone.
    Tone(Tone),
}

/// A tone of one or two frequencies.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tone {
    /// 1 or 2 frequencies, 50 to 3,400 Hz.
    pub hz: Vec<u32>,
    /// How long, 1 to 60,000 ms.
    pub ms: u32,
}

/// The name of a prompt file, with or without names to be filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(Template);

impl FileName {
    /// Checks `text`; each name in it may stand for letters, digits, `_`, `-` and `.` only.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let refuse = |error: String| FieldError::new("file", error, text);
        let template = Template::parse(text).map_err(refuse)?;
        // The shortest thing that a name may stand for: what is wrong then is wrong with the rest.
        let example = template.fill_each(|_| "x".to_owned());
        PromptPath::parse("file", &example)
            .map_err(|error| FieldError::new("file", error.expected, text))?;
        Ok(FileName(template))
    }

    /// The template.
    pub fn template(&self) -> &Template {
        &self.0
    }

    /// The path with the values filled in, or why there is none.
    pub fn resolve(&self, values: &Values<'_>) -> Result<PromptPath, String> {
        let path = self.0.fill(values, Filling::PathPart)?;
        PromptPath::parse("file", &path).map_err(|error| error.to_string())
    }
}

impl TryFrom<String> for FileName {
    type Error = FieldError;
    fn try_from(text: String) -> Result<Self, FieldError> {
        FileName::parse(&text)
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> String {
        name.0.into()
    }
}

/// An address: `https://`, a host without names in it, and a path and query that may have some. Values are
/// percent-encoded. `http://` is let through for a loopback address only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Url(Template);

impl Url {
    /// The longest address, with everything filled in, in characters.
    pub const MAX_LEN: usize = 2_000;

    /// Checks `text`.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let refuse = |expected: &str| FieldError::new("url", expected, text);
        let template =
            Template::parse(text).map_err(|error| FieldError::new("url", error, text))?;
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let host = authority_host(&rest[..end]).ok_or_else(|| {
            refuse("an address of 'https://', a host's name without anything to be filled in, and a path")
        })?;
        match scheme {
            "https" => {}
            "http" if is_loopback(host) => {}
            _ => return Err(refuse("an address that begins with 'https://'")),
        }
        let printable =
            |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`');
        let plain = template.fill_each(|_| String::new());
        if !plain.bytes().all(printable) || plain.contains(['{', '}', '|']) {
            return Err(refuse(
                "an address whose special characters are percent-encoded",
            ));
        }
        Ok(Url(template))
    }

    /// The template.
    pub fn template(&self) -> &Template {
        &self.0
    }

    /// The address with the values filled in, or why there is none.
    pub fn resolve(&self, values: &Values<'_>) -> Result<String, String> {
        let url = self.0.fill(values, Filling::Url)?;
        match url.len() {
            0..=Self::MAX_LEN => Ok(url),
            long => Err(format!(
                "expected an address of at most {} characters, got {long}",
                Self::MAX_LEN
            )),
        }
    }

    /// Whether it is `http://`, which is for development.
    pub fn is_plain(&self) -> bool {
        self.0.as_str().starts_with("http://")
    }
}

/// The host of `host` or `host:port`.
fn authority_host(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => match authority.find(':') {
            Some(colon) => authority.split_at(colon),
            None => (authority, ""),
        },
    };
    let port_ok = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|digits| digits.parse::<u16>().is_ok_and(|port| port > 0));
    let host_ok = !host.is_empty()
        && host.len() <= 253
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':'));
    (port_ok && host_ok).then_some(host)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

impl TryFrom<String> for Url {
    type Error = FieldError;
    fn try_from(text: String) -> Result<Self, FieldError> {
        Url::parse(&text)
    }
}

impl From<Url> for String {
    fn from(url: Url) -> String {
        url.0.into()
    }
}

/// A text to be spoken: written as the text alone, or with the voice and engine to speak it with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tts {
    /// The text, 1 to 1,000 characters.
    pub text: Template,
    /// The voice; the switch's own where it is left out. Letters, digits, `_`, `-`, `.`, `+`, up to 64.
    pub voice: Option<String>,
    /// The engine; the switch's own where it is left out. A name.
    pub engine: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTts {
    text: Template,
    voice: Option<String>,
    engine: Option<String>,
}

impl Serialize for Tts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.voice.is_none() && self.engine.is_none() {
            return self.text.serialize(serializer);
        }
        let mut map = serializer.serialize_struct("Tts", 3)?;
        map.serialize_field("text", &self.text)?;
        if let Some(voice) = &self.voice {
            map.serialize_field("voice", voice)?;
        }
        if let Some(engine) = &self.engine {
            map.serialize_field("engine", engine)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Tts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrObject;
        impl<'de> Visitor<'de> for TextOrObject {
            type Value = Tts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or an object of text, voice and engine")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Tts, E> {
                let text = Template::try_from(text.to_owned()).map_err(E::custom)?;
                Ok(Tts {
                    text,
                    voice: None,
                    engine: None,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Tts, A::Error> {
                let written = WrittenTts::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Tts {
                    text: written.text,
                    voice: written.voice,
                    engine: written.engine,
                })
            }
        }
        deserializer.deserialize_any(TextOrObject)
    }
}
