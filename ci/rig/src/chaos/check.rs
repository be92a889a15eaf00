//! What must be true when all is over, whatever was done to the system.

mod bounds;
mod calls;
mod dialling;
mod findings;
mod transfers;

pub use findings::{Findings, Verdict};

use super::chronicle::{Entry, What};
use super::facts::{Call, Facts};
use super::load::Asked;
use super::plan::UNKNOWN_AFTER;
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
    /// Which faults and failpoints there should have been and were not.
    pub not_struck: Vec<String>,
}

/// Whose clock the TDB's times of assignments are of.
const ROUTERS: &[&str] = &["router-a", "router-b"];
/// How much later than we a process may see that its clock was moved, ms.
const CLOCK_SLACK_MS: i64 = 1_000;

impl Evidence {
    /// What a far end of its own saw says which request it is of: that gives the call, and the call the
    /// attempt, the last one assigned before on that switch and trunk. One that was not assigned at all
    /// stays without a name, and so is found.
    pub fn name_what_came_by_wire(&mut self) {
        let mut invites = std::mem::take(&mut self.facts.invites);
        for invite in invites.iter_mut().filter(|i| i.attempt_id.is_empty()) {
            let mut calls = self.facts.calls.iter();
            // The other side of a transfer has no key, but a number of its own.
            let is_its = |call: &&Call| match invite.call.is_empty() {
                true => call.parent.is_some() && call.number == invite.number,
                false => call.key == invite.call,
            };
            if let Some(call) = calls.find(is_its) {
                invite.call = call.call.clone();
            }
            let attempts = self.facts.attempts.iter().flatten();
            // A router's clock may have been ahead when it wrote down the time.
            let its = attempts.map(|(_, attempt)| attempt).filter(|attempt| {
                attempt.call == invite.call
                    && attempt.node == invite.node
                    && attempt.trunk == invite.trunk
                    && self.wall(ROUTERS, attempt.assigned_ms).0 <= invite.at_ms()
            });
            if let Some(attempt) = its.max_by_key(|attempt| attempt.attempt) {
                invite.attempt_id = attempt.attempt_id.clone();
            }
        }
        self.facts.invites = invites;
    }

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

    /// Whether the process stood still or was cut off so long that a router may give it up.
    fn given_up(&self, node: &str, from_ms: i64, to_ms: i64) -> bool {
        self.entries.iter().any(|entry| {
            let What::Hindered { until_ms } = entry.what else {
                return false;
            };
            let lasted_ms = until_ms.saturating_sub(entry.at_ms);
            u128::from(lasted_ms) >= UNKNOWN_AFTER.as_millis()
                && entry.target.name() == node
                && entry.at_ms as i64 <= to_ms
                && until_ms as i64 >= from_ms
        })
    }

    /// How far the clock of the process may have been off at a moment, ms: not at all, or as it was moved.
    fn clock_off(&self, node: &str, at_ms: i64) -> impl Iterator<Item = i64> {
        let moved = self.moves(node).filter(move |(_, from_ms, until_ms)| {
            (from_ms - CLOCK_SLACK_MS..=until_ms + CLOCK_SLACK_MS).contains(&at_ms)
        });
        std::iter::once(0).chain(moved.map(|(off_ms, ..)| off_ms))
    }

    /// The earliest and the latest moment that it may have been when the clock of one of `nodes` showed
    /// `shown_ms`.
    fn wall(&self, nodes: &[&str], shown_ms: i64) -> (i64, i64) {
        let may_be = self.moments(nodes, shown_ms);
        may_be.fold((shown_ms, shown_ms), |(first, last), at_ms| {
            (first.min(at_ms), last.max(at_ms))
        })
    }

    /// The moments that it may have been when the clock of one of `nodes` showed `shown_ms`.
    fn moments(&self, nodes: &[&str], shown_ms: i64) -> impl Iterator<Item = i64> {
        let moves = nodes.iter().flat_map(|node| self.moves(node));
        let moved = moves.filter_map(move |(off_ms, from_ms, until_ms)| {
            let at_ms = shown_ms.saturating_sub(off_ms);
            let during = from_ms - CLOCK_SLACK_MS..=until_ms + CLOCK_SLACK_MS;
            during.contains(&at_ms).then_some(at_ms)
        });
        std::iter::once(shown_ms).chain(moved)
    }

    /// Each move of the clock of `node`: by how much, from when and until when, ms.
    fn moves(&self, node: &str) -> impl Iterator<Item = (i64, i64, i64)> {
        self.entries.iter().filter_map(move |entry| {
            let What::ClockMoved { off_ms, until_ms } = entry.what else {
                return None;
            };
            (entry.target.name() == node).then_some((off_ms, entry.at_ms as i64, until_ms as i64))
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
    transfers::check(evidence, &mut findings);
    findings.rule(
        "a long run has every kind of fault and every failpoint",
        evidence.not_struck.len(),
        evidence.not_struck.clone(),
    );
    findings
}

#[cfg(test)]
mod tests;
