//! Tones of a sum of sines.

use super::{Audio, RATE};
use std::f64::consts::TAU;

/// How loud each frequency is, of full scale: about -15 dBm0 each, as call progress tones are.
const LEVEL: f64 = 0.125;
/// A tone that begins or ends at full height clicks.
const EDGE_MS: u32 = 5;

/// A tone of the frequencies, Hz, for so many ms.
pub fn tone(hz: &[u32], ms: u32) -> Audio {
    let samples_of = |ms: u32| ms as usize * RATE as usize / 1_000;
    let (len, edge) = (samples_of(ms), samples_of(EDGE_MS.min(ms / 2)).max(1));
    let samples: Vec<i16> = (0..len)
        .map(|at| {
            let swell = (at.min(len - 1 - at) as f64 / edge as f64).min(1.0);
            let wave = |hz: &u32| (TAU * f64::from(*hz) * at as f64 / f64::from(RATE)).sin();
            let sum: f64 = hz.iter().map(wave).sum();
            (sum * LEVEL * swell * f64::from(i16::MAX)) as i16
        })
        .collect();
    Audio::of_samples(&samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Law;
    use std::time::Duration;

    #[test]
    fn a_tone_lasts_as_long_as_it_should_and_swings() {
        let audio = tone(&[440, 480], 1_000);
        assert_eq!(audio.duration(), Duration::from_secs(1));
        let bytes = audio.bytes(Law::Mu);
        // The sign is the highest bit: twice for each swing of the mean frequency, 460 Hz.
        let turns = bytes
            .windows(2)
            .filter(|two| (two[0] ^ two[1]) & 0x80 != 0)
            .count();
        assert!((900..=960).contains(&turns), "{turns} changes of sign");
        assert_eq!(bytes[0], Law::Mu.silence());
        assert_eq!(tone(&[440], 1).duration(), Duration::from_millis(1));
    }
}
