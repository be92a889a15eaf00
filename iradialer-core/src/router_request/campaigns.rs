//! Requests about campaigns.

use super::{did_range, put, text_of, whole, yes_no};
use crate::fields::Fields;
use crate::value::FieldError;
use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;

/// The length of a campaign's name.
pub(super) const NAME: RangeInclusive<usize> = 2..=55;
/// How many calls a campaign has at once, as it is offered here.
const MAX_LIMIT: RangeInclusive<u32> = 1..=100_000;

/// `request_add_campaign_name`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCampaign {
    /// Its name.
    pub name: String,
    /// Whether its calls are dialled; where nothing is said they are.
    pub active: Option<bool>,
    /// Calls at once.
    pub max_limit: u32,
    /// Its trunks, in order of preference.
    pub gateways: Vec<GatewayUse>,
}

/// A trunk of a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayUse {
    /// Its name.
    pub name: String,
    /// Numbers that the campaign's calls may show, `FIRST-LAST`.
    pub did_range: Vec<String>,
}

/// `request_manage_campaign_name`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManageCampaign {
    /// Its name.
    pub name: String,
    /// Whether its calls are dialled.
    pub active: Option<bool>,
    /// Calls at once.
    pub max_limit: Option<u32>,
}

impl AddCampaign {
    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name", text_of(NAME));
        let active = yes_no(fields, "active");
        let max_limit = whole(fields, "max_limit", MAX_LIMIT);
        if max_limit.is_none() {
            fields.note(FieldError::missing(
                "max_limit",
                "a whole number from 1 to 100000",
            ));
        }
        let gateways = gateways(fields);
        Some(AddCampaign {
            name: name?,
            active,
            max_limit: max_limit?,
            gateways: gateways?,
        })
    }

    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut data = Map::new();
        put(&mut data, "name", Some(&self.name));
        put(&mut data, "active", self.active);
        put(&mut data, "max_limit", Some(self.max_limit));
        let gateways = self
            .gateways
            .iter()
            .map(|gateway| json!({"name": gateway.name, "did_range": gateway.did_range}));
        data.insert("gateways".to_owned(), gateways.collect());
        data
    }
}

impl ManageCampaign {
    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name", text_of(NAME));
        let active = yes_no(fields, "active");
        let max_limit = whole(fields, "max_limit", MAX_LIMIT);
        Some(ManageCampaign {
            name: name?,
            active,
            max_limit,
        })
    }

    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut data = Map::new();
        put(&mut data, "name", Some(&self.name));
        put(&mut data, "active", self.active);
        put(&mut data, "max_limit", self.max_limit);
        data
    }
}

/// Every one of the list, not the first alone.
fn gateways(fields: &mut Fields) -> Option<Vec<GatewayUse>> {
    let expected = "a list of objects with the name of a gateway each";
    let items = match fields.value("gateways") {
        Some(Value::Array(items)) => items,
        Some(other) => return fields.refuse("gateways", expected, &other),
        None => {
            fields.note(FieldError::missing("gateways", expected));
            return None;
        }
    };
    let mut gateways = Vec::new();
    for (place, item) in items.into_iter().enumerate() {
        let field = format!("gateways[{place}]");
        let Value::Object(members) = item else {
            fields.refuse::<()>(&field, "an object", &item);
            continue;
        };
        let mut of = Fields::new(members);
        let name = of.required("name", text_of(0..=60));
        let did_range = super::texts(&mut of, "did_range", did_range);
        // What else is in it is let through, as what is in the message.
        let (mistakes, _) = of.finish();
        for mistake in mistakes {
            fields.note(mistake.within(&field));
        }
        gateways.extend(name.map(|name| GatewayUse {
            name,
            did_range: did_range.unwrap_or_default(),
        }));
    }
    Some(gateways)
}
