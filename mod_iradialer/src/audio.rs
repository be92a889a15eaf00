//! What callers hear, ready to be sent: audio of 8 kHz as the trunks' codecs carry it.
//!
//! It is made before a phone rings ([`decode`], [`tone`]) and shared by every call that plays it, so that
//! playing costs a copy of some bytes for each packet and encodes nothing.

pub mod decode;
mod g711;
pub mod ringback;
mod silence;
mod tone;

#[cfg(test)]
pub mod test_support;

pub use silence::SilenceMeter;
pub use tone::tone;

#[cfg(test)]
use std::time::Duration;

/// Samples a second of everything that is played.
pub const RATE: u32 = 8_000;

/// A law of G.711 that a trunk's codec follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// PCMU, payload type 0.
    Mu,
    /// PCMA, payload type 8.
    A,
}

impl Law {
    /// What a byte stands for.
    pub fn sample(self, byte: u8) -> i16 {
        match self {
            Law::Mu => g711::of_mu_law(byte),
            Law::A => g711::of_a_law(byte),
        }
    }

    /// The byte of silence.
    pub fn silence(self) -> u8 {
        match self {
            Law::Mu => 0xFF,
            Law::A => 0xD5,
        }
    }
}

/// Audio in both laws.
#[derive(Debug, PartialEq, Eq)]
pub struct Audio {
    mu: Box<[u8]>,
    a: Box<[u8]>,
}

impl Audio {
    /// Audio of samples at [`RATE`].
    pub fn of_samples(samples: &[i16]) -> Self {
        Audio {
            mu: samples.iter().map(|sample| g711::mu_law(*sample)).collect(),
            a: samples.iter().map(|sample| g711::a_law(*sample)).collect(),
        }
    }

    /// The bytes of a law, one for each sample.
    pub fn bytes(&self, law: Law) -> &[u8] {
        match law {
            Law::Mu => &self.mu,
            Law::A => &self.a,
        }
    }

    /// A WAV file of it, µ-law.
    pub fn wav(&self) -> Vec<u8> {
        let len = self.mu.len() as u32;
        let mut file = b"RIFF".to_vec();
        file.extend((50 + len + len % 2).to_le_bytes());
        file.extend(b"WAVEfmt ");
        file.extend(18u32.to_le_bytes());
        // µ-law, one channel.
        file.extend([7, 0, 1, 0]);
        file.extend(RATE.to_le_bytes());
        file.extend(RATE.to_le_bytes());
        // Bytes and bits of a sample, and nothing more.
        file.extend([1, 0, 8, 0, 0, 0]);
        file.extend(b"fact");
        file.extend(4u32.to_le_bytes());
        file.extend(len.to_le_bytes());
        file.extend(b"data");
        file.extend(len.to_le_bytes());
        file.extend(&self.mu);
        file.extend(std::iter::repeat_n(0, self.mu.len() % 2));
        file
    }

    /// How long it lasts.
    #[cfg(test)]
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.mu.len() as u64 * 1_000_000 / u64::from(RATE))
    }

    /// The memory it takes, bytes.
    pub fn size(&self) -> usize {
        self.mu.len() + self.a.len()
    }
}
