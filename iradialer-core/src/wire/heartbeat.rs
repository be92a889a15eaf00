//! The sign of life of a switch.

use crate::value::{CallUuid, NodeId};
use serde::{Deserialize, Serialize};

/// Published by each switch every second, and at once when its state changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Version of the message.
    pub v: u16,
    /// The switch.
    pub node_id: NodeId,
    /// The life of its module: new at every load.
    pub incarnation: CallUuid,
    /// Its journal: new when the journal is.
    pub journal_id: CallUuid,
    /// Whether it takes calls.
    pub state: SwitchState,
    /// Calls it holds now, in any state.
    pub calls: u32,
    /// Calls being set up now: taken a moment ago, and the far end has not said anything.
    pub setups: u32,
    /// The most calls it holds, by its settings and by the lease of the licence.
    pub max_calls: u32,
    /// Calls a second it takes at the most, as it believes now.
    pub max_cps: f64,
    /// Why the licence lets it begin no new call, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Events that wait for the event stream.
    pub events_waiting: u64,
    /// The module's version.
    pub version: String,
    /// The host's version.
    pub host: String,
    /// Seconds since the module was loaded.
    pub uptime_s: u64,
    /// When, ms since the Unix epoch, by the switch's clock.
    pub at_ms: u64,
}

/// Whether a switch takes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwitchState {
    /// It takes calls.
    Active,
    /// It finishes the calls it has.
    Draining,
    /// Its journal can't be written: it finishes the calls it has, and an operator has to look at it.
    Faulty,
    /// The module is being unloaded: the last heartbeat of this incarnation.
    Leaving,
}
