//! What is set of the queue at run time.

use crate::config::Hours;
use serde::{Deserialize, Serialize};

/// The published parameters of the queue. What is not set is as the file, or the rest of the gateway, has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueParameters {
    /// From this many queued calls on, new ones are refused; instead of `queue.refuse_above`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_total_queue_size: Option<u32>,
    /// Kept and told, and without effect: this queue is looked at when something falls due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_delay: Option<u32>,
    /// The same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_delay: Option<u32>,
    /// How much of each trunk's rate is used, 0.1 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cps_percent: Option<f64>,
    /// Whether new calls are dialled at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_firing_calls: Option<bool>,
    /// How long a phone rings where the request does not say, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dial_timeout: Option<u32>,
    /// When campaigns may call that have no hours of their own, where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_hours: Option<Hours>,
}

/// How long a phone rings where nobody says, s.
pub const USUAL_DIAL_TIMEOUT_S: u32 = 30;

impl QueueParameters {
    /// How much of each trunk's rate is used.
    pub fn share_of_cps(&self) -> f64 {
        self.cps_percent.unwrap_or(1.0).clamp(0.1, 1.0)
    }

    /// Whether new calls are dialled.
    pub fn fires(&self) -> bool {
        self.enable_firing_calls.unwrap_or(true)
    }

    /// How long a phone rings where the request does not say, s.
    pub fn dial_timeout_s(&self) -> u32 {
        self.dial_timeout.unwrap_or(USUAL_DIAL_TIMEOUT_S)
    }

    /// The same, but for what `others` sets.
    pub fn with(self, others: QueueParameters) -> QueueParameters {
        QueueParameters {
            max_total_queue_size: others.max_total_queue_size.or(self.max_total_queue_size),
            short_delay: others.short_delay.or(self.short_delay),
            long_delay: others.long_delay.or(self.long_delay),
            cps_percent: others.cps_percent.or(self.cps_percent),
            enable_firing_calls: others.enable_firing_calls.or(self.enable_firing_calls),
            dial_timeout: others.dial_timeout.or(self.dial_timeout),
            working_hours: others.working_hours.or(self.working_hours),
        }
    }
}
