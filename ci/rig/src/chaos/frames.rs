//! What NATS says on a connection, cut into pieces that can be lost, doubled or held back one by one.

/// What has been read and not been passed on.
#[derive(Default)]
pub struct Frames {
    bytes: Vec<u8>,
}

/// A piece: a line of the protocol, with the payload if it is a message.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// All of it, as it came.
    pub bytes: Vec<u8>,
    /// Whether it is a message, and not of the connection itself.
    pub is_message: bool,
}

impl Frames {
    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

impl Iterator for Frames {
    type Item = Frame;

    /// Takes the next piece that is there as a whole.
    fn next(&mut self) -> Option<Frame> {
        let line = self.bytes.windows(2).position(|pair| pair == b"\r\n")?;
        let payload = payload_len(&self.bytes[..line]);
        // The payload has an end of line of its own.
        let len = line + 2 + payload.map_or(0, |len| len + 2);
        if self.bytes.len() < len {
            return None;
        }
        let rest = self.bytes.split_off(len);
        Some(Frame {
            bytes: std::mem::replace(&mut self.bytes, rest),
            is_message: payload.is_some(),
        })
    }
}

/// How long the payload is that follows the line of a message, which ends with that number.
fn payload_len(line: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(line).ok()?;
    let mut words = text.split_ascii_whitespace();
    let verb = words.next()?.to_ascii_uppercase();
    if !["PUB", "HPUB", "MSG", "HMSG"].contains(&verb.as_str()) {
        return None;
    }
    words.next_back()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_out_wherever_the_reads_end() {
        let said: [(&[u8], bool); 6] = [
            (b"INFO {\"a\": 1}\r\n", false),
            (b"PUB ira.x 5\r\na\r\nb1\r\n", true),
            (b"PING\r\n", false),
            (b"hmsg ira.y 9 reply 12 14\r\nNATS/1.0\r\n\r\nok\r\n", true),
            (b"MSG ira.z 1 0\r\n\r\n", true),
            (b"-ERR 'no'\r\n", false),
        ];
        let all: Vec<u8> = said.iter().flat_map(|(bytes, _)| bytes.to_vec()).collect();
        for step in [1, 3, 7, all.len()] {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for part in all.chunks(step) {
                frames.push(part);
                found.extend(&mut frames);
            }
            let found: Vec<_> = found.iter().map(|f| (&f.bytes[..], f.is_message)).collect();
            assert_eq!(found, said);
        }
    }
}
