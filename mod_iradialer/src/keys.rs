//! Keys that come twice: as an event, and as the tone in the audio that some gateways let through as well.

use iradialer_core::wire::DigitSource;
use std::collections::VecDeque;

/// How far apart the two may come, µs: an event is complete when the key is let go, a tone is known a moment after.
const APART_US: u64 = 400_000;
/// How many keys are remembered.
const REMEMBERED: usize = 16;

/// Tells the second coming of a key from a second key. It comes the other way than the first one; somebody who
/// presses a key twice does so twice in the same way.
#[derive(Debug, Default)]
pub struct Twins(VecDeque<Came>);

#[derive(Debug)]
struct Came {
    key: char,
    by_tone: bool,
    at_us: u64,
}

impl Twins {
    /// Takes a key that has come, and says whether it is one that has come before in the other way.
    pub fn is_second(&mut self, key: char, source: DigitSource, at_us: u64) -> bool {
        let by_tone = source == DigitSource::Inband;
        self.0
            .retain(|came| at_us.saturating_sub(came.at_us) <= APART_US);
        let first = |came: &Came| came.key == key && came.by_tone != by_tone;
        if let Some(place) = self.0.iter().position(first) {
            self.0.remove(place);
            return true;
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(Came {
            key,
            by_tone,
            at_us,
        });
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn heard(keys: &[(char, DigitSource, u64)]) -> String {
        let mut twins = Twins::default();
        let news = keys
            .iter()
            .filter(|(key, source, ms)| !twins.is_second(*key, *source, ms * 1_000));
        news.map(|(key, ..)| *key).collect()
    }

    #[test]
    fn a_key_that_comes_both_ways_is_heard_once() {
        use DigitSource::{Inband, Info, Rtp};
        for event in [Rtp, Info] {
            assert_eq!(heard(&[('1', event, 0), ('1', Inband, 30)]), "1");
            assert_eq!(heard(&[('1', Inband, 0), ('1', event, 30)]), "1");
        }
        let twice = [
            ('1', Rtp, 0),
            ('1', Inband, 20),
            ('1', Rtp, 120),
            ('1', Inband, 140),
        ];
        assert_eq!(heard(&twice), "11");
        // The tone of the first is found only after the second event.
        let late = [
            ('1', Rtp, 0),
            ('1', Rtp, 120),
            ('1', Inband, 130),
            ('1', Inband, 250),
        ];
        assert_eq!(heard(&late), "11");
    }

    #[test]
    fn keys_that_come_one_way_are_all_heard() {
        use DigitSource::{Inband, Rtp};
        assert_eq!(
            heard(&[('1', Rtp, 0), ('1', Rtp, 60), ('1', Rtp, 120)]),
            "111"
        );
        assert_eq!(heard(&[('1', Inband, 0), ('1', Inband, 60)]), "11");
        assert_eq!(heard(&[('1', Rtp, 0), ('2', Inband, 30)]), "12");
        assert_eq!(heard(&[('1', Rtp, 0), ('1', Inband, 1_000)]), "11");
    }

    proptest! {
        #[test]
        fn none_is_lost_or_doubled(
            keys in proptest::collection::vec("[0-9*#]".prop_map(|key| key.chars().next().unwrap()), 0..40),
            lag in 1u64..300,
        ) {
            let events = keys.iter().enumerate().flat_map(|(n, key)| {
                let at = n as u64 * 120;
                [(*key, DigitSource::Rtp, at), (*key, DigitSource::Inband, at + lag)]
            });
            let mut events: Vec<_> = events.collect();
            events.sort_by_key(|(.., at)| *at);
            prop_assert_eq!(heard(&events), keys.iter().collect::<String>());
        }
    }
}
