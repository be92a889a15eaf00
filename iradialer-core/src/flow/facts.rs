//! What a flow is told of the call it runs on, and where it finds other flows.

use super::document::Flow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is known of a call when its flow begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallFacts {
    /// The number dialled.
    pub to_number: String,
    /// The caller's number; empty where it is the trunk's own.
    pub from_number: String,
    /// The call's UUID.
    pub call_uuid: String,
    /// The campaign.
    pub campaign_name: String,
    /// The callee's time zone by its IANA name, where it is known.
    pub timezone: Option<String>,
    /// What the request said of the call: `{{metadata.NAME}}`.
    pub metadata: BTreeMap<String, String>,
    /// The variables given with the call: `{{vars.NAME}}`.
    pub vars: BTreeMap<String, String>,
}

/// The flows that `goto` can go to.
pub trait Library {
    /// The flow of that name.
    fn flow(&self, name: &str) -> Option<&Flow>;
}

/// No other flows.
impl Library for () {
    fn flow(&self, _name: &str) -> Option<&Flow> {
        None
    }
}

impl Library for BTreeMap<String, Arc<Flow>> {
    fn flow(&self, name: &str) -> Option<&Flow> {
        self.get(name).map(Arc::as_ref)
    }
}

impl Library for BTreeMap<String, Flow> {
    fn flow(&self, name: &str) -> Option<&Flow> {
        self.get(name)
    }
}
