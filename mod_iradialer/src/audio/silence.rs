//! How long somebody has said nothing.

use super::{Law, RATE};

/// What is quieter is silence: the mean of the samples' size in a packet, some -42 dB of the loudest.
const LOUD: u32 = 256;

/// Follows what a person says, packet by packet.
#[derive(Debug, Default)]
pub struct SilenceMeter {
    samples: u64,
}

impl SilenceMeter {
    /// Takes a packet of G.711, and returns how long it has been quiet, ms.
    pub fn hear(&mut self, law: Law, packet: &[u8]) -> u64 {
        let sum: u64 = packet
            .iter()
            .map(|byte| u64::from(law.sample(*byte).unsigned_abs()))
            .sum();
        let is_loud = sum > u64::from(LOUD) * packet.len() as u64;
        self.samples = match is_loud {
            true => 0,
            false => self.samples + packet.len() as u64,
        };
        self.samples * 1_000 / u64::from(RATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Audio;

    /// A hum of so many parts of 32,768.
    fn hum(loud: i16) -> Audio {
        let samples: Vec<i16> = (0..160)
            .map(|n| if n / 10 % 2 == 0 { loud } else { -loud })
            .collect();
        Audio::of_samples(&samples)
    }

    #[test]
    fn only_what_can_be_heard_breaks_silence() {
        for law in [Law::Mu, Law::A] {
            let mut quiet = SilenceMeter::default();
            let (noise, speech) = (hum(100), hum(1_000));
            assert_eq!(quiet.hear(law, &[law.silence(); 160]), 20);
            assert_eq!(quiet.hear(law, noise.bytes(law)), 40);
            assert_eq!(quiet.hear(law, &[]), 40);
            assert_eq!(quiet.hear(law, speech.bytes(law)), 0);
            assert_eq!(quiet.hear(law, &noise.bytes(law)[..80]), 10);
        }
    }
}
