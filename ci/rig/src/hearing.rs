//! What the far end of a call heard, by the tones in it. The sandbox keeps it in files; what a real switch sends is
//! read on its way, so that sipp need not know of it.

use anyhow::{Context, Result};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, socket};
use serde::Deserialize;
use std::collections::HashMap;
use std::f64::consts::TAU;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Samples of 20 ms.
const PACKET: usize = 160;
const RATE: f64 = 8_000.0;
/// What is louder, in the mean of 20 ms, is heard.
const LOUD: f64 = 256.0;
/// A tone has at least so much of what is heard in its 20 ms.
const MOST_OF_IT: f64 = 0.5;
/// Longer than any packet that comes.
const LONGEST: usize = 2_048;
const UDP_HEADER: usize = 8;
const RTP_HEADER: usize = 12;

/// A tone that a far end must have heard, or not.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tone {
    /// Its frequency.
    pub hz: u32,
    /// For how long, at the least and at the most, ms.
    pub ms: [u64; 2],
}

/// What is not as expected of what was heard (PCMU at 8 kHz), a line each.
pub fn faults(expected: &[Tone], heard: &[u8]) -> Vec<String> {
    let wrong = expected.iter().filter_map(|tone| {
        let ([low, high], got) = (tone.ms, ms_of(heard, tone.hz));
        let hz = tone.hz;
        (!(low..=high).contains(&got))
            .then(|| format!("  heard {hz} Hz: expected {low} to {high} ms, got {got}"))
    });
    wrong.collect()
}

/// For how many ms the tone was heard.
fn ms_of(heard: &[u8], hz: u32) -> u64 {
    let packets = heard.chunks_exact(PACKET);
    packets.filter(|packet| is_heard(packet, hz.into())).count() as u64 * 20
}

/// Whether most of a packet is of that frequency (Goertzel).
fn is_heard(packet: &[u8], hz: f64) -> bool {
    let samples: Vec<f64> = packet.iter().map(|byte| linear(*byte)).collect();
    let loudness = samples.iter().map(|sample| sample.abs()).sum::<f64>() / PACKET as f64;
    if loudness <= LOUD {
        return false;
    }
    let (sine, cosine) = samples
        .iter()
        .enumerate()
        .fold((0.0, 0.0), |(s, c), (n, x)| {
            let (sin, cos) = (TAU * hz * n as f64 / RATE).sin_cos();
            (s + x * sin, c + x * cos)
        });
    let all: f64 = samples.iter().map(|sample| sample * sample).sum();
    let of_tone = (sine * sine + cosine * cosine) * 2.0 / PACKET as f64;
    of_tone / all > MOST_OF_IT
}

/// The sample of a µ-law byte (ITU-T G.711).
fn linear(byte: u8) -> f64 {
    let byte = !byte;
    let (segment, step) = (i32::from(byte >> 4 & 7), i32::from(byte & 0x0F));
    let size = (((step << 3) + 0x84) << segment) - 0x84;
    f64::from(if byte & 0x80 != 0 { -size } else { size })
}

/// Reads what UDP comes to this machine from itself, and keeps the audio for some ports. Needs `CAP_NET_RAW`, as sipp
/// does that plays a capture.
#[derive(Clone)]
pub struct Ears(Arc<Mutex<HashMap<u16, Vec<u8>>>>);

impl Ears {
    /// Listens from now on.
    pub fn open() -> Result<Self> {
        let socket = socket(
            AddressFamily::Inet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::Udp,
        );
        let socket = socket.context("a raw socket, to read what far ends hear")?;
        let ears = Ears(Arc::default());
        let listening = ears.clone();
        std::thread::spawn(move || listening.listen(&socket));
        Ok(ears)
    }

    /// Keeps what comes to this port from now on.
    pub fn keep(&self, port: u16) {
        self.all().insert(port, Vec::new());
    }

    /// All that came to it.
    pub fn heard(&self, port: u16) -> Vec<u8> {
        self.all().get(&port).cloned().unwrap_or_default()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<u16, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For as long as somebody may ask.
    fn listen(&self, socket: &OwnedFd) {
        let mut buffer = [0; LONGEST];
        while Arc::strong_count(&self.0) > 1 {
            match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(len) => self.comes(&buffer[..len]),
                Err(nix::Error::EINTR) => {}
                Err(error) => return eprintln!("nothing is heard any more: {error}"),
            }
        }
    }

    /// An IPv4 packet of UDP.
    fn comes(&self, packet: &[u8]) {
        let header = packet
            .first()
            .map_or(0, |first| usize::from(first & 0x0F) * 4);
        let Some(udp) = packet
            .get(header..)
            .filter(|udp| udp.len() > UDP_HEADER + RTP_HEADER)
        else {
            return;
        };
        let port = u16::from_be_bytes([udp[2], udp[3]]);
        let (rtp, audio) = udp[UDP_HEADER..].split_at(RTP_HEADER);
        const PCMU: u8 = 0;
        if rtp[0] == 0x80
            && rtp[1] & 0x7F == PCMU
            && let Some(heard) = self.all().get_mut(&port)
        {
            heard.extend(audio);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mu_law(samples: impl Iterator<Item = f64>) -> Vec<u8> {
        // Each sample becomes the nearest there is.
        let nearest = |sample: f64| {
            let far = |byte: &u8| (linear(*byte) - sample).abs();
            (0..=255)
                .min_by(|a, b| far(a).total_cmp(&far(b)))
                .unwrap_or_default()
        };
        samples.map(nearest).collect()
    }

    fn tone(hz: f64, level: f64, ms: usize) -> Vec<u8> {
        mu_law((0..ms * 8).map(|n| level * (TAU * hz * n as f64 / RATE).sin()))
    }

    #[test]
    fn a_tone_is_told_from_others_and_from_silence() {
        assert_eq!((linear(0xFF), linear(0x80)), (0.0, 32_124.0));
        assert_eq!(linear(0x00), -32_124.0);
        let mut heard = tone(659.0, 8_000.0, 200);
        heard.extend(tone(784.0, 4_000.0, 100));
        heard.extend(tone(784.0, 100.0, 100));
        heard.extend([0xFF; 1_600]);
        let of = [(659, 200), (784, 100), (523, 0), (440, 0)];
        assert_eq!(of.map(|(hz, _)| ms_of(&heard, hz)), of.map(|(_, ms)| ms));
        let expect = |hz, ms| faults(&[Tone { hz, ms }], &heard).len();
        assert_eq!((expect(659, [180, 220]), expect(659, [0, 0])), (0, 1));
    }

    #[test]
    fn what_comes_to_a_port_is_kept() {
        let ears = Ears(Arc::default());
        ears.keep(6_000);
        for (port, kind, byte) in [
            (6_000_u16, 0, 1),
            (6_002, 0, 2),
            (6_000, 101, 3),
            (6_000, 0, 4),
        ] {
            let mut packet = vec![0x45];
            packet.resize(20, 0);
            packet.extend([0, 0]);
            packet.extend(port.to_be_bytes());
            packet.extend([0; 4]);
            packet.extend([0x80, kind]);
            packet.resize(40, 0);
            packet.push(byte);
            ears.comes(&packet);
        }
        ears.comes(&[0x45]);
        assert_eq!((ears.heard(6_000), ears.heard(6_002)), (vec![1, 4], vec![]));
    }
}
