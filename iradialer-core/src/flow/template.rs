//! Texts with names in them that a call fills in: `Hello {{vars.first_name}}.`
//!
//! There are no expressions, and a value is put in as it is: what looks like a name in it stays text, so
//! a template can't refer to itself.

use super::facts::CallFacts;
use crate::value::FieldError;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The longest template and the longest value of a variable, in characters.
pub const MAX_TEXT: usize = 1_000;
/// The longest name of a flow, a node or a variable, in characters.
pub const MAX_NAME_LEN: usize = 64;

/// Whether it may be the name of a flow, a node, a variable or a speech engine: 1 to [`MAX_NAME_LEN`] letters,
/// digits, `_` and `-`, so that a path or a report that holds one stays readable.
pub fn is_name(text: &str) -> bool {
    (1..=MAX_NAME_LEN).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// The text, without what is past [`MAX_TEXT`] characters.
pub(super) fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(end);
    }
    text
}

/// Something that a call gives a value to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Name {
    /// `NAME`: a variable that a node sets, or that the flow's `vars` names.
    Set(String),
    /// `vars.NAME`: the same, or a variable given with the call.
    Var(String),
    /// `call.FIELD`: a fact of the call.
    Call(CallField),
    /// `metadata.NAME`: what the request said of the call.
    Metadata(String),
}

/// A fact of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallField {
    /// The number dialled.
    ToNumber,
    /// The caller's number.
    FromNumber,
    /// The call's UUID.
    CallUuid,
    /// The campaign.
    CampaignName,
}

impl CallField {
    /// All of them, by name.
    pub const ALL: [(&'static str, CallField); 4] = [
        ("to_number", CallField::ToNumber),
        ("from_number", CallField::FromNumber),
        ("call_uuid", CallField::CallUuid),
        ("campaign_name", CallField::CampaignName),
    ];
}

impl Name {
    /// Reads a name as it is written between braces.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "expected a name such as 'amount', 'vars.first_name', 'call.to_number' or 'metadata.order', got \"{}\"",
                crate::strict_json::shown(text)
            )
        };
        let (group, name) = match text.split_once('.') {
            Some((group, name)) => (group, name),
            None => ("", text),
        };
        if !is_name(name) {
            return Err(expected());
        }
        match group {
            "" => Ok(Name::Set(name.to_owned())),
            "vars" => Ok(Name::Var(name.to_owned())),
            "metadata" => Ok(Name::Metadata(name.to_owned())),
            "call" => {
                let field = CallField::ALL.into_iter().find(|(field, _)| *field == name);
                field.map(|(_, field)| Name::Call(field)).ok_or_else(|| {
                    let fields = CallField::ALL.map(|(field, _)| field).join(", ");
                    format!("expected one of {fields} after 'call.', got \"{name}\"")
                })
            }
            _ => Err(expected()),
        }
    }

    /// The variable it stands for, if it is one.
    pub fn variable(&self) -> Option<&str> {
        match self {
            Name::Set(name) | Name::Var(name) => Some(name),
            Name::Call(_) | Name::Metadata(_) => None,
        }
    }
}

impl TryFrom<String> for Name {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Name::parse(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        match name {
            Name::Set(name) => name,
            Name::Var(name) => format!("vars.{name}"),
            Name::Metadata(name) => format!("metadata.{name}"),
            Name::Call(field) => {
                let name = CallField::ALL
                    .into_iter()
                    .find(|(_, known)| *known == field);
                format!("call.{}", name.map_or("", |(name, _)| name))
            }
        }
    }
}

/// A text with names in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(Name),
}

/// What a value has to be made fit for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filling {
    /// Nothing: it is put in as it is.
    Text,
    /// An address: all but letters, digits, `-`, `.`, `_` and `~` is percent-encoded.
    Url,
    /// A file's path: it has to be a part of one as it is, letters, digits, `_`, `-` and `.`.
    PathPart,
}

impl Template {
    /// Reads a text of up to [`MAX_TEXT`] characters. `{{` begins a name and `}}` ends it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let length = text.chars().count();
        if length > MAX_TEXT {
            return Err(format!(
                "expected at most {MAX_TEXT} characters, got {length}"
            ));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, behind) = after
                .split_once("}}")
                .ok_or("expected '}}' after the name that '{{' begins")?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Name(Name::parse(name.trim_matches(' '))?));
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Template {
            text: text.to_owned(),
            parts,
        })
    }

    /// A text in which nothing is filled in, whatever it looks like. It is not for a document, where it would be
    /// read as a template again.
    pub fn literal(text: impl Into<String>) -> Self {
        let text = cut(text.into());
        Template {
            parts: vec![Part::Text(text.clone())],
            text,
        }
    }

    /// The text as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names in it, in order.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.parts.iter().filter_map(|part| match part {
            Part::Name(name) => Some(name),
            Part::Text(_) => None,
        })
    }

    /// Whether there is nothing to be filled in.
    pub fn is_literal(&self) -> bool {
        self.names().next().is_none()
    }

    /// The text with something in place of each name.
    pub fn fill_each(&self, mut value: impl FnMut(&Name) -> String) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => Cow::Borrowed(text.as_str()),
            Part::Name(name) => Cow::Owned(value(name)),
        });
        parts.collect()
    }

    /// The text with the values filled in; a name without one leaves nothing. An error where a value is not
    /// fit for what it is filled into.
    pub fn fill(&self, values: &Values<'_>, filling: Filling) -> Result<String, String> {
        let mut unfit = None;
        let text = self.fill_each(|name| {
            let value = values.get(name);
            match filling {
                Filling::Text => value.to_owned(),
                Filling::Url => percent_encoded(value),
                Filling::PathPart => {
                    if !is_path_part(value) {
                        unfit.get_or_insert_with(|| {
                            FieldError::new(
                                String::from(name.clone()),
                                "letters, digits, '_', '-' or '.', for a file's name",
                                value,
                            )
                        });
                    }
                    value.to_owned()
                }
            }
        });
        match unfit {
            Some(error) => Err(error.to_string()),
            None => Ok(text),
        }
    }

    /// The text with the values filled in, cut after [`MAX_TEXT`] characters.
    pub fn text(&self, values: &Values<'_>) -> String {
        cut(self.fill_each(|name| values.get(name).to_owned()))
    }
}

fn percent_encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn is_path_part(value: &str) -> bool {
    !value.is_empty()
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

impl TryFrom<String> for Template {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Template::parse(&text)
    }
}

impl From<Template> for String {
    fn from(template: Template) -> String {
        template.text
    }
}

/// What the names of a template stand for at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// The call.
    pub facts: &'a CallFacts,
    /// What the flow says a variable is that the call does not give.
    pub defaults: Option<&'a BTreeMap<String, String>>,
    /// The variables set so far.
    pub set: &'a BTreeMap<String, String>,
}

impl<'a> Values<'a> {
    /// The value of a name; empty where it has none.
    pub fn get(&self, name: &Name) -> &'a str {
        let facts = self.facts;
        let found = match name {
            Name::Set(name) | Name::Var(name) => self
                .set
                .get(name)
                .or_else(|| facts.vars.get(name))
                .or_else(|| self.defaults.and_then(|defaults| defaults.get(name))),
            Name::Metadata(name) => facts.metadata.get(name),
            Name::Call(CallField::ToNumber) => Some(&facts.to_number),
            Name::Call(CallField::FromNumber) => Some(&facts.from_number),
            Name::Call(CallField::CallUuid) => Some(&facts.call_uuid),
            Name::Call(CallField::CampaignName) => Some(&facts.campaign_name),
        };
        found.map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests;
