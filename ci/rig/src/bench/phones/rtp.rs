//! RTP as the phones send and read it: G.711 of 20 ms, and keys by RFC 4733.

use super::Heard;

/// Payload type of telephone events, as `bench.xml` has it.
const EVENT: u8 = 101;
/// PCMU.
const AUDIO: u8 = 0;
/// Timestamp units in a packet of 20 ms.
const STEP: u32 = 160;
const STEP_MS: u32 = 20;
/// Packets of a key that is held: 60 ms.
const HELD: u32 = 3;
/// The end of an event is sent three times (RFC 4733, 2.5.1.4).
const ENDS: u32 = 3;
const HEADER: usize = 12;

/// What one phone says.
pub struct Speaker {
    keys: Vec<(u32, u8)>,
    step: u32,
    ends: u32,
    sequence: u16,
    ssrc: u32,
}

/// A packet to send.
pub struct Packet {
    /// All of it.
    pub bytes: Vec<u8>,
    /// It is the first that says that a key was let go.
    pub ends_key: bool,
}

impl Speaker {
    /// One that presses these keys, all of them so much later, and ends after so many ms.
    pub fn new(keys: &[(u32, char)], later_ms: u32, ends_ms: u32) -> Self {
        let code = |key| "0123456789*#ABCD".find(key).unwrap_or_default() as u8;
        let keys = keys
            .iter()
            .map(|(ms, key)| ((ms + later_ms) / STEP_MS, code(*key)));
        Speaker {
            keys: keys.collect(),
            step: 0,
            ends: ends_ms / STEP_MS,
            sequence: 0,
            ssrc: rand::random(),
        }
    }

    /// What is said in the next 20 ms.
    pub fn next(&mut self) -> Vec<Packet> {
        let step = self.step;
        if step >= self.ends {
            return Vec::new();
        }
        self.step += 1;
        let pressed = self
            .keys
            .iter()
            .find(|(begins, _)| (*begins..=begins + HELD).contains(&step));
        let Some((begins, code)) = pressed.copied() else {
            return vec![self.packet(AUDIO, false, step, &[0xFF; STEP as usize])];
        };
        let held = step - begins;
        if held < HELD {
            let event = event(code, false, held + 1);
            return vec![self.packet(EVENT, held == 0, begins, &event)];
        }
        let mut ends: Vec<Packet> = (0..ENDS)
            .map(|_| self.packet(EVENT, false, begins, &event(code, true, HELD)))
            .collect();
        ends[0].ends_key = true;
        ends
    }

    fn packet(&mut self, kind: u8, marker: bool, step: u32, payload: &[u8]) -> Packet {
        let mut bytes = vec![0x80, kind | if marker { 0x80 } else { 0 }];
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend((step * STEP).to_be_bytes());
        bytes.extend(self.ssrc.to_be_bytes());
        bytes.extend(payload);
        self.sequence = self.sequence.wrapping_add(1);
        Packet {
            bytes,
            ends_key: false,
        }
    }
}

fn event(code: u8, end: bool, steps: u32) -> [u8; 4] {
    const VOLUME: u8 = 10;
    let [high, low] = ((steps * STEP) as u16).to_be_bytes();
    [code, VOLUME | if end { 0x80 } else { 0 }, high, low]
}

/// Who sent a packet of audio, by its SSRC, and what is to know of it. `None` for anything else.
pub fn audio(packet: &[u8], at_ns: u64) -> Option<(u32, Heard)> {
    let payload = packet.get(HEADER..)?;
    if packet[0] != 0x80 || packet[1] & 0x7F != AUDIO {
        return None;
    }
    let u32_at = |at: usize| {
        u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]])
    };
    let heard = Heard {
        at_ns,
        timestamp: u32_at(4),
        sequence: u16::from_be_bytes([packet[2], packet[3]]),
        // Positive and negative samples of one size differ in the first bit.
        level: payload.get(payload.len() / 2)? & 0x7F,
    };
    Some((u32_at(8), heard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_begun_once_and_ended_three_times() {
        let mut speaker = Speaker::new(&[(40, '#')], 20, 180);
        let said: Vec<Packet> = (0..10).flat_map(|_| speaker.next()).collect();
        let events: Vec<&Packet> = said
            .iter()
            .filter(|it| it.bytes[1] & 0x7F == EVENT)
            .collect();
        assert_eq!(events.len(), (HELD + ENDS) as usize);
        assert!(
            events
                .iter()
                .all(|it| it.bytes[HEADER] == 11 && it.bytes[4..8] == 480u32.to_be_bytes())
        );
        assert_eq!(
            events.iter().filter(|it| it.bytes[1] & 0x80 != 0).count(),
            1
        );
        assert_eq!(
            events
                .iter()
                .filter(|it| it.bytes[HEADER + 1] & 0x80 != 0)
                .count(),
            3
        );
        assert_eq!(said.iter().filter(|it| it.ends_key).count(), 1);
        let sequence = said.iter().map(|it| it.bytes[3]);
        assert!(sequence.eq(0..said.len() as u8));
        // What one phone sends another one hears, but for its keys.
        assert!(audio(&said[0].bytes, 7).is_some_and(|(_, heard)| heard.at_ns == 7));
        assert!(audio(&events[0].bytes, 7).is_none() && audio(&[], 7).is_none());
    }
}
