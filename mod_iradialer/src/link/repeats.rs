//! Messages that come again: a bus may hand one over twice, and to play a prompt twice or to transfer a call
//! twice is not what was asked for.

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use std::collections::{HashSet, VecDeque};

/// How many ids are kept: those of some minutes on the busiest switch.
const KEPT: usize = 8_192;
/// The longest id that is looked at, bytes.
const LONGEST: usize = 128;

/// The ids (`Nats-Msg-Id`) of the last messages.
#[derive(Default)]
pub struct Repeats {
    seen: HashSet<String>,
    in_turn: VecDeque<String>,
}

impl Repeats {
    /// Whether a message with these headers has come before. One without an id never has.
    pub fn knows(&mut self, headers: Option<&HeaderMap>) -> bool {
        let id = headers.and_then(|headers| headers.get(NATS_MESSAGE_ID));
        let Some(id) = id.map(|id| id.as_str()).filter(|id| is_id(id)) else {
            return false;
        };
        if !self.seen.insert(id.to_owned()) {
            return true;
        }
        self.in_turn.push_back(id.to_owned());
        if self.in_turn.len() > KEPT
            && let Some(oldest) = self.in_turn.pop_front()
        {
            self.seen.remove(&oldest);
        }
        false
    }
}

fn is_id(id: &str) -> bool {
    (1..=LONGEST).contains(&id.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_id(id: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, id);
        headers
    }

    #[test]
    fn a_message_is_known_when_it_comes_again() {
        let mut repeats = Repeats::default();
        assert!(!repeats.knows(Some(&with_id("a"))));
        assert!(!repeats.knows(Some(&with_id("b"))));
        assert!(repeats.knows(Some(&with_id("a"))));
        assert!(repeats.knows(Some(&with_id("a"))));
    }

    #[test]
    fn one_without_an_id_is_always_new() {
        let mut repeats = Repeats::default();
        let long = "x".repeat(LONGEST + 1);
        for headers in [None, Some(with_id("")), Some(with_id(&long))] {
            assert!(!repeats.knows(headers.as_ref()));
            assert!(!repeats.knows(headers.as_ref()));
        }
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut repeats = Repeats::default();
        for n in 0..=KEPT {
            assert!(!repeats.knows(Some(&with_id(&n.to_string()))));
        }
        assert!(repeats.knows(Some(&with_id("1"))));
        assert!(!repeats.knows(Some(&with_id("0"))));
        assert_eq!(repeats.seen.len(), KEPT);
    }
}
