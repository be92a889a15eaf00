//! A trunk, as it is now, and as it is defined at run time.

use super::{NumberRange, Source};
use iradialer_core::value::{NodeId, TrunkName};
use iradialer_core::wire::DtmfWay;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A SIP trunk, a FreeSWITCH gateway of that name: `[[trunks]]`, or one that was added.
#[derive(Debug, Clone)]
pub struct Trunk {
    /// Its name.
    pub name: TrunkName,
    /// Whether calls go through it.
    pub enabled: bool,
    /// Calls a second; above 0. Those of one region, whose router counts them.
    pub max_cps: f64,
    /// The same as the file, its definition or an override has it, before the queue's `cps_percent`.
    pub defined_cps: f64,
    /// Calls at once.
    pub max_calls: u32,
    /// How keys come on it.
    pub dtmf: DtmfWay,
    /// Numbers that its calls may show.
    pub caller_ranges: Vec<NumberRange>,
    /// The switches that have it; empty: any.
    pub nodes: Vec<NodeId>,
    /// The gateway for the switches, where it was defined here.
    pub definition: Option<Definition>,
    /// Where it is from.
    pub source: Source,
    /// When it was last changed at run time, ms since the Unix epoch.
    pub changed_ms: Option<u64>,
}

impl Trunk {
    /// Whether the switch has it.
    pub fn is_on(&self, node: &NodeId) -> bool {
        self.nodes.is_empty() || self.nodes.contains(node)
    }
}

/// A trunk as it is defined at run time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrunkDefinition {
    /// As [`Trunk`].
    pub enabled: bool,
    /// As [`Trunk`].
    pub max_cps: f64,
    /// As [`Trunk`].
    pub max_calls: u32,
    /// As [`Trunk`].
    #[serde(default)]
    pub dtmf: DtmfWay,
    /// As [`Trunk`].
    #[serde(default)]
    pub caller_ranges: Vec<NumberRange>,
    /// As [`Trunk`].
    #[serde(default)]
    pub nodes: Vec<NodeId>,
    /// The gateway.
    pub gateway: Definition,
}

impl TrunkDefinition {
    /// The trunk that it makes.
    pub fn trunk(&self, name: &TrunkName, source: Source) -> Trunk {
        Trunk {
            name: name.clone(),
            enabled: self.enabled,
            max_cps: self.max_cps,
            defined_cps: self.max_cps,
            max_calls: self.max_calls,
            dtmf: self.dtmf,
            caller_ranges: self.caller_ranges.clone(),
            nodes: self.nodes.clone(),
            definition: Some(self.gateway.clone()),
            source,
            changed_ms: None,
        }
    }
}

/// A gateway of FreeSWITCH, as its file defines it. There may be a password in it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// The profile it belongs to.
    pub sip_profile: String,
    /// Its parameters, of [`PARAMS`].
    pub params: BTreeMap<String, String>,
    /// Variables of its channels, of [`VARIABLES`].
    pub variables: BTreeMap<String, String>,
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Definition({})", self.sip_profile)
    }
}

/// The profile of a gateway that names none.
pub const USUAL_PROFILE: &str = "external";
/// The parameter that is a secret.
pub const PASSWORD: &str = "password";
/// The parameters that a gateway may have: what a trunk needs, and nothing that names a file or a command.
pub const PARAMS: [&str; 29] = [
    "auth-username",
    "caller-id-in-from",
    "cid-type",
    "contact-host",
    "contact-in-ping",
    "contact-params",
    "context",
    "destination-prefix",
    "distinct-to",
    "expire-seconds",
    "extension",
    "extension-in-contact",
    "from-domain",
    "from-user",
    "options-user-agent",
    "outbound-proxy",
    PASSWORD,
    "ping",
    "ping-max",
    "ping-min",
    "proxy",
    "realm",
    "reg-id",
    "register",
    "register-proxy",
    "register-transport",
    "retry-seconds",
    "sip-cid-type",
    "username",
];
/// The variables that it may give its channels: none that runs an application or a command.
pub const VARIABLES: [&str; 11] = [
    "absolute_codec_string",
    "codec_string",
    "dtmf_type",
    "effective_caller_id_name",
    "effective_caller_id_number",
    "ignore_early_media",
    "media_timeout",
    "rtp_secure_media",
    "send_silence_when_idle",
    "sip_cid_type",
    "sip_invite_domain",
];
/// The longest value of either, in characters.
pub const MAX_VALUE: usize = 255;

/// Whether a gateway may have that value in its file: printable, in one line.
pub fn is_value(text: &str) -> bool {
    text.chars().count() <= MAX_VALUE && !text.chars().any(char::is_control)
}

/// Whether that may be the name of a profile.
pub fn is_profile(text: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (2..=30).contains(&text.len()) && text.bytes().all(is_part)
}

impl Definition {
    /// The file that an operator puts among the gateways of the profile on each switch.
    pub fn to_xml(&self, name: &TrunkName) -> String {
        let mut xml = format!(
            "<include>\n  <gateway name=\"{}\">\n",
            escaped(name.as_str())
        );
        for (name, value) in &self.params {
            xml += &format!(
                "    <param name=\"{}\" value=\"{}\"/>\n",
                escaped(name),
                escaped(value)
            );
        }
        if !self.variables.is_empty() {
            xml += "    <variables>\n";
            for (name, value) in &self.variables {
                xml += &format!(
                    "      <variable name=\"{}\" value=\"{}\" direction=\"outbound\"/>\n",
                    escaped(name),
                    escaped(value)
                );
            }
            xml += "    </variables>\n";
        }
        xml + "  </gateway>\n</include>\n"
    }

    /// Its parameters, the password only as that there is one.
    pub fn shown_params(&self) -> BTreeMap<String, String> {
        let shown = |(name, value): (&String, &String)| match name.as_str() {
            PASSWORD => (name.clone(), "***".to_owned()),
            _ => (name.clone(), value.clone()),
        };
        self.params.iter().map(shown).collect()
    }
}

/// FreeSWITCH puts its own variables into the text of its files before it reads their XML: `$${…}`, which is kept
/// from it by a reference that XML reads as `$`.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '$' => escaped += "&#36;",
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_the_file_of_a_gateway_whatever_is_in_it() {
        let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let definition = Definition {
            sip_profile: USUAL_PROFILE.to_owned(),
            params: BTreeMap::from([
                text("password", "a\"<&>$${x}"),
                text("proxy", "sip.example.net"),
            ]),
            variables: BTreeMap::from([text("codec_string", "PCMU")]),
        };
        let name = TrunkName::parse("trunk", "chime").unwrap();
        assert_eq!(
            definition.to_xml(&name),
            "<include>\n  <gateway name=\"chime\">\n    <param name=\"password\" \
             value=\"a&quot;&lt;&amp;&gt;&#36;&#36;{x}\"/>\n    <param name=\"proxy\" value=\"sip.example.net\"/>\n    \
             <variables>\n      <variable name=\"codec_string\" value=\"PCMU\" direction=\"outbound\"/>\n    \
             </variables>\n  </gateway>\n</include>\n"
        );
        assert_eq!(definition.shown_params()["password"], "***");
        assert!(!format!("{definition:?}").contains("<&>"));
    }
}
