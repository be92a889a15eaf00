//! What must be true when all is over, whatever was done to the system.

mod bounds;
mod calls;
mod dialling;
mod findings;

pub use findings::{Findings, Verdict};

use super::chronicle::{Entry, What};
use super::facts::Facts;
use super::load::Asked;
use crate::webhook::Delivery;

/// Everything there is to judge by.
pub struct Evidence {
    /// The requests for calls.
    pub asked: Vec<Asked>,
    /// The TDB and the INVITEs.
    pub facts: Facts,
    /// What was done to the processes, by time.
    pub entries: Vec<Entry>,
    /// What the webhook's receiver got.
    pub deliveries: Vec<Delivery>,
    /// What it turned away.
    pub refused: Vec<String>,
    /// Whether the switches' journals survive their death.
    pub durable_journal: bool,
    /// Whether everything had come to its end in time.
    pub settled: bool,
}

impl Evidence {
    /// Whether the switch `node` died between the two times (ms since the Unix epoch).
    fn died(&self, node: &str, from_ms: i64, to_ms: i64) -> bool {
        self.happened(node, from_ms, to_ms, |what| *what == What::Died)
    }

    /// Whether the journal of `node` was lost between the two times.
    fn lost_journal(&self, node: &str, from_ms: i64, to_ms: i64) -> bool {
        self.happened(node, from_ms, to_ms, |what| match what {
            What::Wiped => true,
            What::Died | What::Started => !self.durable_journal,
            _ => false,
        })
    }

    /// Whether the process stood still or was cut off at some moment between the two times.
    fn hindered(&self, node: &str, from_ms: i64, to_ms: i64) -> bool {
        self.entries.iter().any(|entry| {
            let What::Hindered { until_ms } = entry.what else {
                return false;
            };
            entry.target.name() == node && entry.at_ms as i64 <= to_ms && until_ms as i64 >= from_ms
        })
    }

    fn happened(&self, node: &str, from_ms: i64, to_ms: i64, is: impl Fn(&What) -> bool) -> bool {
        let during = |entry: &&Entry| (from_ms..=to_ms).contains(&(entry.at_ms as i64));
        self.entries
            .iter()
            .filter(during)
            .any(|entry| entry.target.name() == node && is(&entry.what))
    }
}

/// Judges.
pub fn check(evidence: &Evidence) -> Findings {
    let mut findings = Findings::default();
    calls::check(evidence, &mut findings);
    dialling::check(evidence, &mut findings);
    bounds::check(evidence, &mut findings);
    findings
}

#[cfg(test)]
mod tests;
