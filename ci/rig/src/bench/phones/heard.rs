//! What a phone heard: how evenly it came, and what answered a key.

use super::Phone;
use crate::bench::quantile;

/// Timestamp units in a packet of 20 ms.
const STEP: u32 = 160;
const STEP_NS: i64 = 20_000_000;
/// A frame that is heard so much after it was due is late.
const LATE_MS: f64 = 10.0;
/// A pause of more packets than this is the switch's silence and not a gap.
const PAUSE: u32 = 50;

/// A packet of audio that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// When, ns since 1970.
    pub at_ns: u64,
    /// Its RTP timestamp.
    pub timestamp: u32,
    /// Its RTP sequence number.
    pub sequence: u16,
    /// How loud the sample in its middle is, as G.711 writes it; tells prompts of one loudness each apart.
    pub level: u8,
}

/// How evenly audio came, over many calls.
#[derive(Debug, Clone, Default)]
pub struct Delays {
    /// By how much the time between two packets differed from what their timestamps say, ms.
    jitter: Vec<f64>,
    /// Packets that came more than 10 ms after they were due, by the earliest of their talk.
    late: usize,
    /// Packets that should have come between two of one prompt.
    missing: usize,
}

impl Delays {
    /// Adds what a phone heard.
    pub fn add(&mut self, phone: &Phone) {
        for talk in talks(&phone.heard) {
            let due = |one: &Heard| {
                let steps = i64::from(one.timestamp.wrapping_sub(talk[0].timestamp) / STEP);
                one.at_ns as i64 - steps * STEP_NS
            };
            let earliest = talk.iter().map(due).min().unwrap_or_default();
            let late = |one: &&Heard| (due(one) - earliest) as f64 / 1e6 > LATE_MS;
            self.late += talk.iter().filter(late).count();
            for pair in talk.windows(2) {
                let off_ns = due(&pair[1]) - due(&pair[0]);
                self.jitter.push(off_ns.unsigned_abs() as f64 / 1e6);
                let steps = pair[1].timestamp.wrapping_sub(pair[0].timestamp) / STEP;
                self.missing += steps.saturating_sub(1) as usize;
            }
        }
    }

    /// How many packets were compared with the one before.
    pub fn packets(&self) -> usize {
        self.jitter.len()
    }

    /// What so much of the packets does not exceed, of p50, p99 and p99.9, ms.
    pub fn jitter_ms(&self) -> [f64; 3] {
        let mut jitter = self.jitter.clone();
        jitter.sort_by(f64::total_cmp);
        [0.5, 0.99, 0.999].map(|part| quantile(&jitter, part))
    }

    /// How many packets of a thousand came late or never.
    pub fn late_per_mille(&self) -> f64 {
        1e3 * (self.late + self.missing) as f64 / self.packets().max(1) as f64
    }
}

/// Packets of one prompt without a pause.
fn talks(heard: &[Heard]) -> impl Iterator<Item = &[Heard]> {
    heard.chunk_by(|one, next| {
        let ahead = next.timestamp.wrapping_sub(one.timestamp);
        one.level == next.level && ahead.is_multiple_of(STEP) && (1..=PAUSE * STEP).contains(&ahead)
    })
}

impl Phone {
    /// How long after a key was let go another prompt than before was heard, ms, for each key that changed
    /// anything before the next one.
    pub fn answers_ms(&self) -> Vec<f64> {
        let mut answers = Vec::new();
        for (n, &pressed) in self.pressed.iter().enumerate() {
            let until = self.pressed.get(n + 1).copied().unwrap_or(u64::MAX);
            let begins = self.heard.partition_point(|one| one.at_ns < pressed);
            let Some(before) = begins.checked_sub(1).map(|last| self.heard[last].level) else {
                continue;
            };
            let other = |one: &&Heard| one.level != before && one.at_ns < until;
            if let Some(first) = self.heard[begins..].iter().find(other) {
                answers.push((first.at_ns - pressed) as f64 / 1e6);
            }
        }
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::super::rtp::Speaker;
    use super::*;

    fn phone(heard: &[(i64, u32, u8)], pressed: &[u64]) -> Phone {
        let heard = heard.iter().enumerate();
        Phone {
            switch: ([127, 0, 0, 1], 9).into(),
            speaker: Speaker::new(&[], 0, 0),
            heard: heard
                .map(|(n, (ms, step, level))| Heard {
                    at_ns: (ms * 1_000_000) as u64,
                    timestamp: step * STEP,
                    sequence: n as u16,
                    level: *level,
                })
                .collect(),
            pressed: pressed.iter().map(|ms| ms * 1_000_000).collect(),
        }
    }

    #[test]
    fn late_and_missing_packets_are_counted_and_pauses_are_not() {
        let mut delays = Delays::default();
        let even = (0..10).map(|n| (i64::from(n) * 20 + 100, n, 5));
        let mut heard: Vec<_> = even.collect();
        heard[4].0 += 15;
        // Two are missing, then another prompt, then a pause.
        heard.extend([(360, 13, 5), (380, 14, 9), (3_000, 200, 9)]);
        delays.add(&phone(&heard, &[]));
        assert_eq!((delays.packets(), delays.late, delays.missing), (10, 1, 3));
        let [p50, _, most] = delays.jitter_ms();
        assert!(p50 < 0.001 && (most - 15.0).abs() < 0.001, "{delays:?}");
        assert!((delays.late_per_mille() - 400.0).abs() < 0.001);
    }

    #[test]
    fn a_key_is_answered_by_another_prompt() {
        let heard = [(0, 0, 5), (20, 1, 5), (40, 2, 5), (55, 3, 9), (75, 4, 9)];
        assert_eq!(phone(&heard, &[30, 60]).answers_ms(), [25.0]);
    }
}
