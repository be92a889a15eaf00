//! Channel variables and SIP headers that a request may set on its call.

use super::FieldError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many variables a call may carry.
pub const MAX_CHANNEL_VARS: usize = 64;
/// The longest value, in bytes.
pub const MAX_VALUE_LEN: usize = 512;

/// Variables for the channel, checked by allow-list: `sip_h_X-…` (a header of the INVITE), and names
/// that start with `ira_` or `x_`, which FreeSWITCH gives no meaning to. Anything else is refused,
/// because a variable such as `api_on_answer` runs code and `origination_uuid` breaks the books.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "BTreeMap<String, String>",
    into = "BTreeMap<String, String>"
)]
pub struct ChannelVars(BTreeMap<String, String>);

impl ChannelVars {
    /// Checks names and values; a refusal speaks of `field.NAME`.
    pub fn parse(field: &str, vars: BTreeMap<String, String>) -> Result<Self, FieldError> {
        if vars.len() > MAX_CHANNEL_VARS {
            let expected = format!("at most {MAX_CHANNEL_VARS} variables");
            return Err(FieldError::new(field, expected, &vars.len().to_string()));
        }
        for (name, value) in &vars {
            if !is_allowed_name(name) {
                let expected = "a variable named sip_h_X-…, ira_… or x_… (letters, digits, '_'; '-' in a header), \
                                up to 64 characters";
                return Err(FieldError::new(
                    format!("{field}.{}", shown(name)),
                    expected,
                    name,
                ));
            }
            if !is_allowed_value(value) {
                let expected = "printable ASCII without quotes, backslash, '$', '{' or '}', up to 512 characters";
                return Err(FieldError::new(format!("{field}.{name}"), expected, value));
            }
        }
        Ok(ChannelVars(vars))
    }

    /// Each variable with its value, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn shown(name: &str) -> String {
    name.chars().take(64).flat_map(char::escape_debug).collect()
}

fn is_allowed_name(name: &str) -> bool {
    let word = |rest: &str, dash: bool| {
        (1..=64).contains(&rest.len())
            && rest
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || (dash && b == b'-'))
    };
    if let Some(rest) = name.strip_prefix("sip_h_X-") {
        return word(rest, true);
    }
    ["ira_", "x_"].iter().any(|prefix| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| word(rest, false))
    })
}

fn is_allowed_value(value: &str) -> bool {
    value.len() <= MAX_VALUE_LEN
        && value.bytes().all(|b| {
            (b' '..=b'~').contains(&b) && !matches!(b, b'"' | b'\'' | b'\\' | b'$' | b'{' | b'}')
        })
}

impl TryFrom<BTreeMap<String, String>> for ChannelVars {
    type Error = FieldError;
    fn try_from(vars: BTreeMap<String, String>) -> Result<Self, FieldError> {
        ChannelVars::parse("channel_vars", vars)
    }
}

impl From<ChannelVars> for BTreeMap<String, String> {
    fn from(vars: ChannelVars) -> Self {
        vars.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, value: &str) -> Result<ChannelVars, FieldError> {
        ChannelVars::parse(
            "channel_vars",
            BTreeMap::from([(name.to_owned(), value.to_owned())]),
        )
    }

    #[test]
    fn headers_and_own_names_pass() {
        for name in ["sip_h_X-Order", "ira_case", "x_1"] {
            assert!(
                parse(name, "a value; with=punctuation, and <angles>").is_ok(),
                "{name}"
            );
        }
    }

    #[test]
    fn names_that_mean_something_to_the_switch_are_refused() {
        for name in [
            "origination_uuid",
            "api_on_answer",
            "execute_on_answer",
            "sip_h_Via",
            "sip_h_X-",
            "sip_h_X-a\r\nVia",
            "x_a b",
            "ira_",
            "bridge_pre_execute_aleg_app",
            "",
        ] {
            let refusal = parse(name, "v").unwrap_err();
            assert!(refusal.field.starts_with("channel_vars."), "{refusal}");
        }
    }

    #[test]
    fn values_that_break_a_header_are_refused() {
        for value in ["a\r\nb", "a\0b", "${x}", "it's", "é", &"a".repeat(513)] {
            assert_eq!(parse("x_a", value).unwrap_err().field, "channel_vars.x_a");
        }
    }
}
