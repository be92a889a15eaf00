//! Requests about SIP gateways: trunks.

use super::{did_range, put, text_of, texts, whole};
use crate::fields::Fields;
use crate::value::FieldError;
use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;

/// The length of a gateway's name.
const NAME: RangeInclusive<usize> = 2..=30;
/// The length of a profile's name.
const PROFILE: RangeInclusive<usize> = 2..=15;
/// Calls at once.
const CAPACITY: RangeInclusive<u32> = 1..=10_000;
/// The most JSON of an object, bytes.
const MAX_OBJECT: usize = 16 * 1024;

/// `request_add_sip_gateway`
#[derive(Debug, Clone, PartialEq)]
pub struct AddGateway {
    /// Its name.
    pub name: String,
    /// The profile it belongs to.
    pub sip_profile: Option<String>,
    /// Whether calls go through it.
    pub enable: bool,
    /// Calls at once.
    pub capacity: u32,
    /// Calls a second.
    pub cps: u32,
    /// Its parameters in FreeSWITCH.
    pub params: Map<String, Value>,
    /// Variables of its channels.
    pub variables: Map<String, Value>,
    /// After what it is to be disabled.
    pub disable_after: Option<u32>,
    /// Hops.
    pub hop_count: Option<u32>,
    /// The switches that have it; none: any.
    pub dialer_ip_list: Vec<String>,
    /// What its numbers begin with.
    pub did_prefix: Option<String>,
    /// The numbers that its calls may show, `FIRST-LAST`.
    pub did_range: Vec<String>,
}

/// `request_manage_sip_gateway`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManageGateway {
    /// Its name.
    pub name: String,
    /// The profile it belongs to.
    pub sip_profile: Option<String>,
    /// What is to be done.
    pub action: GatewayAction,
    /// Calls at once, where it is to be resized.
    pub new_size: Option<u32>,
    /// Hops.
    pub hop_count: Option<u32>,
}

/// What is done with a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayAction {
    /// It is deleted.
    Delete,
    /// Calls go through it.
    Enable,
    /// None do.
    Disable,
    /// What it has shown of itself is forgotten.
    Clear,
    /// It takes another number of calls at once.
    Resize,
}

impl GatewayAction {
    const ALL: [(&'static str, GatewayAction); 5] = [
        ("delete", GatewayAction::Delete),
        ("enable", GatewayAction::Enable),
        ("disable", GatewayAction::Disable),
        ("clear", GatewayAction::Clear),
        ("resize", GatewayAction::Resize),
    ];

    fn parse(field: &str, text: &str) -> Result<Self, FieldError> {
        let found = Self::ALL.into_iter().find(|(name, _)| *name == text);
        let expected = "delete, enable, disable, clear or resize";
        found
            .map(|(_, action)| action)
            .ok_or_else(|| FieldError::new(field, expected, text))
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        let found = Self::ALL.into_iter().find(|(_, action)| *action == self);
        found.map_or("", |(name, _)| name)
    }
}

impl AddGateway {
    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name", text_of(NAME));
        let sip_profile = fields.strict("sip_profile", text_of(PROFILE));
        let enable = fields.required_bool("enable");
        let capacity = required(fields, "capacity", CAPACITY);
        let cps = required(fields, "cps", 1..=1_000);
        let params = match fields.has("params") {
            true => Some(fields.object("params", MAX_OBJECT)),
            false => {
                fields.note(FieldError::missing("params", "an object"));
                None
            }
        };
        let variables = fields.object("variables", MAX_OBJECT);
        let disable_after = whole(fields, "disable_after", 0..=u32::MAX);
        let hop_count = whole(fields, "hop_count", 0..=u32::MAX);
        let dialer_ip_list = texts(fields, "dialer_ip_list", text_of(0..=60));
        if dialer_ip_list.is_none() {
            fields.note(FieldError::missing("dialer_ip_list", "a list of texts"));
        }
        let did_prefix = fields.strict("did_prefix", text_of(2..=15));
        let did_range = texts(fields, "did_range", did_range);
        Some(AddGateway {
            name: name?,
            sip_profile,
            enable: enable?,
            capacity: capacity?,
            cps: cps?,
            params: params?,
            variables,
            disable_after,
            hop_count,
            dialer_ip_list: dialer_ip_list?,
            did_prefix,
            did_range: did_range.unwrap_or_default(),
        })
    }

    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut data = Map::new();
        put(&mut data, "name", Some(&self.name));
        put(&mut data, "sip_profile", self.sip_profile.as_ref());
        put(&mut data, "enable", Some(self.enable));
        put(&mut data, "capacity", Some(self.capacity));
        put(&mut data, "cps", Some(self.cps));
        put(&mut data, "params", Some(&self.params));
        put(&mut data, "variables", Some(&self.variables));
        put(&mut data, "disable_after", self.disable_after);
        put(&mut data, "hop_count", self.hop_count);
        put(&mut data, "dialer_ip_list", Some(&self.dialer_ip_list));
        put(&mut data, "did_prefix", self.did_prefix.as_ref());
        data.insert("did_range".to_owned(), json!(self.did_range));
        data
    }
}

impl ManageGateway {
    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name", text_of(NAME));
        let sip_profile = fields.strict("sip_profile", text_of(PROFILE));
        let action = fields.required("action", GatewayAction::parse);
        let new_size = whole(fields, "new_size", 1..=100_000);
        if action == Some(GatewayAction::Resize) && new_size.is_none() {
            fields.note(FieldError::missing(
                "new_size",
                "a whole number from 1 to 100000",
            ));
        }
        let hop_count = whole(fields, "hop_count", 0..=u32::MAX);
        Some(ManageGateway {
            name: name?,
            sip_profile,
            action: action?,
            new_size,
            hop_count,
        })
    }

    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut data = Map::new();
        put(&mut data, "name", Some(&self.name));
        put(&mut data, "sip_profile", self.sip_profile.as_ref());
        put(&mut data, "action", Some(self.action.as_str()));
        put(&mut data, "new_size", self.new_size);
        put(&mut data, "hop_count", self.hop_count);
        data
    }
}

fn required(fields: &mut Fields, name: &str, range: RangeInclusive<u32>) -> Option<u32> {
    let number = whole(fields, name, range.clone());
    if number.is_none() {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        fields.note(FieldError::missing(name, expected));
    }
    number
}
