//! Keys pressed by RFC 4733, as a capture that sipp plays. Made here because sipp's own `play_dtmf` sends
//! payload type 96 whatever was negotiated.

/// Payload type of telephone events, as the scenarios' SDP answers have it.
const EVENT: u8 = 101;
/// PCMU.
const AUDIO: u8 = 0;
/// RTP timestamp units in a packet of 20 ms.
const STEP: u32 = 160;
/// Packets of a key: 100 ms.
const HELD: u32 = 5;
/// Packets of silence before the first key: 500 ms. A switch that has just answered may still flush what
/// comes first.
const LEAD: u32 = 25;
/// Packets of silence after a key: 150 ms, so that keys are 250 ms apart.
const GAP: u32 = 8;
/// Packets of a key that is typed fast, and of silence after it: 60 ms.
const FAST: u32 = 3;
/// Packets of 100 ms.
const SHORT: u32 = 5;
/// The end of an event is sent three times (RFC 4733, 2.5.1.4).
const ENDS: u32 = 3;

/// A capture (pcap, Ethernet) of RTP in which `keys`, of `0-9*#A-D`, are pressed; `,` is 500 ms of silence and `~`
/// 500 ms of a hum as of a voice. After `%` a key is a tone in the audio, and after `&` that and an event. `.` is 100 ms of
/// silence; what begins with `!` is typed fast, 60 ms each and 60 ms apart.
pub fn capture(keys: &str) -> Vec<u8> {
    let mut pcap = Pcap::new();
    pcap.silence(LEAD);
    let mut way = Way::Event;
    let (keys, held, gap) = match keys.strip_prefix('!') {
        Some(keys) => (keys, FAST, FAST),
        None => (keys, HELD, GAP),
    };
    for key in keys.chars() {
        way = match key {
            '%' => Way::Tone,
            '&' => Way::Both,
            _ => way,
        };
        if matches!(key, '%' | '&') {
            continue;
        }
        let way = std::mem::replace(&mut way, Way::Event);
        let Some(code) = event_code(key) else {
            match key {
                '~' => pcap.hum(LEAD),
                '.' => pcap.silence(SHORT),
                _ => pcap.silence(LEAD),
            }
            continue;
        };
        if way != Way::Event {
            pcap.tone(code);
        }
        if way == Way::Tone {
            pcap.silence(GAP);
            continue;
        }
        let begun = pcap.clock;
        for n in 0..held {
            let first = n == 0;
            pcap.rtp(
                EVENT,
                first,
                begun,
                &event(code, false, STEP * (n + 1)),
                STEP,
            );
        }
        for _ in 0..ENDS {
            pcap.rtp(EVENT, false, begun, &event(code, true, STEP * held), 0);
        }
        pcap.silence(gap);
    }
    pcap.bytes
}

fn event_code(key: char) -> Option<u8> {
    "0123456789*#ABCD".find(key).map(|code| code as u8)
}

fn event(code: u8, end: bool, duration: u32) -> [u8; 4] {
    const VOLUME: u8 = 10;
    let [high, low] = (duration as u16).to_be_bytes();
    [code, VOLUME | if end { 0x80 } else { 0 }, high, low]
}

/// How a key is pressed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Event,
    Tone,
    Both,
}

/// The two frequencies of a key (ITU-T Q.23), by its event code.
fn frequencies(code: u8) -> (f64, f64) {
    const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
    const COLUMNS: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
    let (row, column) = match code {
        0 => (3, 1),
        10 => (3, 0),
        11 => (3, 2),
        12.. => (usize::from(code - 12), 3),
        digit => (usize::from(digit - 1) / 3, usize::from(digit - 1) % 3),
    };
    (ROWS[row], COLUMNS[column])
}

/// The µ-law byte of a sample (ITU-T G.711).
fn mu_law(sample: i32) -> u8 {
    let biased = sample.abs().min(32_635) as u32 + 0x84;
    let segment = biased.ilog2() - 7;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(sign | (segment << 4 | (biased >> (segment + 3)) & 0x0F) as u8)
}

struct Pcap {
    bytes: Vec<u8>,
    sequence: u16,
    clock: u32,
}

impl Pcap {
    fn new() -> Self {
        let mut bytes = Vec::new();
        bytes.extend(0xA1B2_C3D4_u32.to_le_bytes());
        bytes.extend([2, 0, 4, 0]); // version 2.4
        bytes.extend([0; 8]); // time zone and accuracy
        bytes.extend(65_535_u32.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes()); // Ethernet
        Pcap {
            bytes,
            sequence: 1,
            clock: 0,
        }
    }

    fn silence(&mut self, packets: u32) {
        for _ in 0..packets {
            self.rtp(AUDIO, false, self.clock, &[0xFF; STEP as usize], STEP);
        }
    }

    /// A key's two tones, 100 ms.
    fn tone(&mut self, code: u8) {
        const EACH: f64 = 6_000.0;
        let (low, high) = frequencies(code);
        for packet in 0..HELD {
            let wave: Vec<u8> = (0..STEP)
                .map(|n| {
                    let turn = f64::from(packet * STEP + n) * std::f64::consts::TAU / 8_000.0;
                    mu_law((EACH * ((turn * low).sin() + (turn * high).sin())) as i32)
                })
                .collect();
            self.rtp(AUDIO, false, self.clock, &wave, STEP);
        }
    }

    /// A square wave of 400 Hz.
    fn hum(&mut self, packets: u32) {
        let wave: Vec<u8> = (0..STEP)
            .map(|n| if n / 10 % 2 == 0 { 0xA0 } else { 0x20 })
            .collect();
        for _ in 0..packets {
            self.rtp(AUDIO, false, self.clock, &wave, STEP);
        }
    }

    /// Adds a packet, after which `lasts` timestamp units pass until the next one.
    fn rtp(&mut self, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8], lasts: u32) {
        let mut rtp = vec![0x80, payload_type | if marker { 0x80 } else { 0 }];
        rtp.extend(self.sequence.to_be_bytes());
        rtp.extend(timestamp.to_be_bytes());
        rtp.extend(0x1234_5678_u32.to_be_bytes());
        rtp.extend(payload);
        self.sequence += 1;
        self.packet(&rtp);
        self.clock += lasts;
    }

    /// Wraps `payload` in UDP, IPv4 and Ethernet. sipp sets the addresses, ports and checksums.
    fn packet(&mut self, payload: &[u8]) {
        const ETHERNET: usize = 14;
        const IP: usize = 20;
        const UDP: usize = 8;
        let length = (ETHERNET + IP + UDP + payload.len()) as u32;
        let micros = u64::from(self.clock) * 1_000_000 / 8_000;
        self.bytes
            .extend(((micros / 1_000_000) as u32).to_le_bytes());
        self.bytes
            .extend(((micros % 1_000_000) as u32).to_le_bytes());
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(length.to_le_bytes());

        self.bytes.extend([0; 12]);
        self.bytes.extend([0x08, 0x00]);

        self.bytes.extend([0x45, 0]);
        self.bytes
            .extend(((IP + UDP + payload.len()) as u16).to_be_bytes());
        self.bytes.extend([0, 0, 0, 0, 64, 17, 0, 0]);
        self.bytes.extend([127, 0, 0, 1, 127, 0, 0, 1]);

        self.bytes.extend(6_000_u16.to_be_bytes());
        self.bytes.extend(6_000_u16.to_be_bytes());
        self.bytes
            .extend(((UDP + payload.len()) as u16).to_be_bytes());
        self.bytes.extend([0, 0]);
        self.bytes.extend(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_begun_once_and_ended_three_times() {
        let capture = capture("1#");
        let events: Vec<&[u8]> = packets(&capture)
            .filter(|rtp| rtp[1] & 0x7F == EVENT)
            .collect();
        assert_eq!(events.len(), 2 * (HELD + ENDS) as usize);
        let begins = events.iter().filter(|rtp| rtp[1] & 0x80 != 0);
        assert_eq!(begins.map(|rtp| rtp[12]).collect::<Vec<_>>(), [1, 11]);
        let ends = events.iter().filter(|rtp| rtp[13] & 0x80 != 0);
        assert_eq!(
            ends.map(|rtp| rtp[12]).collect::<Vec<_>>(),
            [1, 1, 1, 11, 11, 11]
        );
    }

    fn packets(pcap: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut rest = &pcap[24..];
        std::iter::from_fn(move || {
            let length = u32::from_le_bytes(rest.get(8..12)?.try_into().ok()?) as usize;
            let packet = &rest[16 + 42..16 + length];
            rest = &rest[16 + length..];
            Some(packet)
        })
    }
}
