//! Flows on their way to a switch: a call names its flow, and a switch that lacks the document asks for it.

use crate::flow::Flow;
use crate::value::{CampaignName, DialNumber, FlowHash, FlowName, TenantId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most flows that a call's flow leads to by `goto`, over whatever others.
pub const MOST_OTHERS: usize = 50;

/// The flow of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallFlow {
    /// The document itself, which leads to no other flow.
    Inline(Flow),
    /// One that the switch has, or asks for.
    Named(FlowRef),
}

impl CallFlow {
    /// The flow's name.
    pub fn name(&self) -> &str {
        match self {
            CallFlow::Inline(flow) => &flow.name,
            CallFlow::Named(flow) => flow.name.as_str(),
        }
    }
}

/// A flow as it was when a call was accepted: it, and those that it leads to, stay so for that call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowRef {
    /// Its name.
    pub name: FlowName,
    /// Its version, from 1, where it is one of the tenant's stored flows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Its document.
    pub hash: FlowHash,
    /// The documents of the flows that `goto` comes to, by name; at most [`MOST_OTHERS`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub others: BTreeMap<FlowName, FlowHash>,
}

/// What a flow may use of a call beyond what the command says anyway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenFacts {
    /// The callee's time zone, an IANA name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// The request's variables: `{{vars.NAME}}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vars: BTreeMap<String, String>,
    /// What the request said of the call: `{{metadata.NAME}}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// Switch to routers: a flow, please.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowQuery {
    /// Version of the message.
    pub v: u16,
    /// Which.
    pub of: FlowOf,
}

/// Which flow is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FlowOf {
    /// A document; the answer is [`FlowReply::Document`].
    Hash {
        /// Whose it is.
        tenant_id: TenantId,
        /// What it is known by.
        hash: FlowHash,
    },
    /// What a name stands for now; the answer is [`FlowReply::Found`].
    Name {
        /// Whose flow. Without one it is of the only tenant that has campaigns, or one of the cluster's own.
        #[serde(default)]
        tenant_id: Option<TenantId>,
        /// Its name.
        name: FlowName,
    },
    /// What a number that was called stands for; the answer is [`FlowReply::Found`].
    Did {
        /// The number.
        number: DialNumber,
    },
}

/// Router to switch: the answer to a [`FlowQuery`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowReply {
    /// The canonical document, which has the hash that was asked for.
    Document(String),
    /// What was asked for, as of now. Its documents are to be had by their hashes.
    Found {
        /// Whose it is.
        tenant_id: TenantId,
        /// The campaign of a number that was called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        campaign_name: Option<CampaignName>,
        /// The flow.
        flow: FlowRef,
    },
    /// There is none, as the sentence says.
    Unknown(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_question_reads_as_it_is_documented() {
        let hash = FlowHash::of("{}");
        for question in [
            json!({"v": 1, "of": {"hash": {"tenant_id": "acme", "hash": hash}}}),
            json!({"v": 1, "of": {"name": {"tenant_id": null, "name": "hello"}}}),
            json!({"v": 1, "of": {"did": {"number": "+15005550006"}}}),
        ] {
            let read: FlowQuery = serde_json::from_value(question.clone()).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), question);
        }
        for bad in [
            json!({"v": 1, "of": {"hash": {"tenant_id": "acme", "hash": "x"}}}),
            json!({"v": 1, "of": {"name": {"name": "../x"}}}),
            json!({"v": 1, "of": {"did": {"number": "12"}}}),
        ] {
            assert!(serde_json::from_value::<FlowQuery>(bad).is_err());
        }
    }
}
