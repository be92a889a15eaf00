//! How much of the licence a switch may use: asked at its start and every few seconds.

use crate::license::Features;
use crate::value::{CallUuid, NodeId};
use serde::{Deserialize, Serialize};

/// Switch to IraPass: how much may I use?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseAsk {
    /// Version of the message.
    pub v: u16,
    /// The switch.
    pub node_id: NodeId,
    /// The life of its module.
    pub incarnation: CallUuid,
    /// Its journal, which one life has at a time: a later one with the same journal has taken its place.
    pub journal_id: CallUuid,
    /// Which question of this life it is, from 1. Once it is asked, answers to those before it are not taken any
    /// more.
    pub ask: u64,
    /// Calls at once.
    pub channels: Use,
    /// Calls begun a second, in thousandths.
    pub rate: Use,
    /// How long the lease that it holds still runs, ms; 0 where it holds none.
    pub left_ms: u64,
    /// It is being unloaded, and has no calls any more: what it holds is given back. There is no answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaves: bool,
}

/// How a switch stands with something that is shared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Use {
    /// What it uses now.
    pub using: u32,
    /// What it may use by the lease that it holds.
    pub has: u32,
    /// What it could use by its own settings.
    pub most: u32,
}

/// IraPass to switch: so much, for so long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseReply {
    /// Version of the message.
    pub v: u16,
    /// The question that it answers.
    pub ask: u64,
    /// Calls at once. What is up beyond it goes on.
    pub channels: u32,
    /// Calls begun a second, in thousandths.
    pub rate: u32,
    /// What calls may do.
    pub features: Features,
    /// How long this holds, ms from when it was asked for.
    pub good_for_ms: u64,
    /// Whether it is so because there is no licence.
    pub evaluation: bool,
    /// Why no new calls may be begun, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_none: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_read_as_they_are_documented() {
        let uuid = CallUuid::fresh();
        let ask = json!({
            "v": 1, "node_id": "sw1", "incarnation": uuid, "journal_id": uuid, "ask": 7,
            "channels": {"using": 3, "has": 10, "most": 1000},
            "rate": {"using": 500, "has": 5000, "most": 50000}, "left_ms": 3590000,
        });
        let read: LeaseAsk = serde_json::from_value(ask.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), ask);
        let reply = json!({
            "v": 1, "ask": 7, "channels": 12, "rate": 5000, "features": ["ivr", "tts"],
            "good_for_ms": 3600000, "evaluation": false,
        });
        let read: LeaseReply = serde_json::from_value(reply.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), reply);
        let mut bad = ask;
        bad["node_id"] = json!("a.b");
        assert!(serde_json::from_value::<LeaseAsk>(bad).is_err());
    }
}
