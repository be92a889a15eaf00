//! What someone hears who waits until another phone is answered.

use super::{Audio, Law, RATE, tone};
use std::sync::LazyLock;

/// North America's: two frequencies for 2 s, and 4 s of nothing.
const HZ: [u32; 2] = [440, 480];
const RINGS_MS: u32 = 2_000;
const PAUSE_MS: u32 = 4_000;

static RING: LazyLock<Audio> = LazyLock::new(|| tone(&HZ, RINGS_MS));

/// Ringback tone, packet by packet.
#[derive(Default)]
pub struct Ringback {
    at: usize,
}

impl Ringback {
    /// The next `packet` bytes, fewer or none where the rest of it is silence.
    pub fn next(&mut self, law: Law, packet: usize) -> &'static [u8] {
        let ring = RING.bytes(law);
        let period = (RINGS_MS + PAUSE_MS) as usize * RATE as usize / 1_000;
        let from = self.at.min(ring.len());
        let to = (self.at + packet).min(ring.len());
        self.at = (self.at + packet) % period;
        &ring[from..to]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rings_two_seconds_of_six() {
        let mut ringback = Ringback::default();
        let rings: Vec<bool> = (0..600)
            .map(|_| !ringback.next(Law::Mu, 160).is_empty())
            .collect();
        for period in rings.chunks(300) {
            assert!(period[..100].iter().all(|it| *it) && !period[100..].iter().any(|it| *it));
        }
    }

    #[test]
    fn an_odd_packet_fits_too() {
        let mut ringback = Ringback::default();
        let heard: usize = (0..400).map(|_| ringback.next(Law::A, 240).len()).sum();
        assert_eq!(heard, 2 * RING.bytes(Law::A).len());
    }
}
