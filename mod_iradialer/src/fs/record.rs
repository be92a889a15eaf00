//! The step `record`: what the person says, from the frames that the session reads.

use super::media::ChannelLeg;
use super::playback::law_of;
use super::switch::steady_us;
use super::tap::bytes_of;
use crate::audio::{Law, SilenceMeter};
use crate::engine::NO_RECORDINGS;
use crate::recordings::{Shape, Side};
use freeswitch_sys as sys;
use iradialer_core::flow::{LegEnd, Recorded, Recording, RecordingEnd};
use iradialer_core::wire::RecordingEndedBy;

/// Bytes of a packet of 20 ms.
const PACKET: usize = 160;

impl ChannelLeg<'_> {
    /// Records the person until a key, silence, the longest time or the call's end.
    pub(super) fn record_person(&mut self, wanted: &Recording) -> Result<Recorded, LegEnd> {
        let channel = self.session.channel();
        let Some(recordings) = &self.recordings else {
            return Ok(Recorded::Failed(NO_RECORDINGS.to_owned()));
        };
        let Some(law) = law_of(channel, "read_codec") else {
            return Ok(Recorded::Failed(
                "expected a call of PCMU or PCMA".to_owned(),
            ));
        };
        let begun_us = steady_us();
        let until_us = begun_us + u64::from(wanted.max_ms) * 1000;
        let name = self.call.recording_name(&wanted.node);
        let mut growing = match recordings.begin(name.clone(), Shape::Person, begun_us) {
            Ok(growing) => growing,
            Err(why) => return Ok(Recorded::Failed(why)),
        };
        // What was pressed before does not end it.
        self.take_keys();
        self.keys.clear();
        let mut silence = SilenceMeter::default();
        let ended_by = loop {
            if let Some(why) = growing.failed() {
                return Ok(Recorded::Failed(why.to_owned()));
            }
            if self.alive().is_err() {
                break RecordingEnd::HungUp;
            }
            let packet = match self.hear_a_packet(law) {
                Ok(packet) => packet,
                // What there is, is kept; whoever asks next is told.
                Err(_) => break RecordingEnd::HungUp,
            };
            growing.add(Side::Person, law, packet.heard(), steady_us());
            self.take_keys();
            let mut pressed = self.keys.drain(..);
            if let Some(key) = pressed.find(|key| wanted.terminators.contains(*key)) {
                let rest: Vec<char> = pressed.collect();
                self.keys.extend(rest);
                break RecordingEnd::Key(key);
            }
            drop(pressed);
            if silence.hear(law, packet.heard()) >= u64::from(wanted.silence_ms) {
                break RecordingEnd::Silence;
            }
            if steady_us() >= until_us {
                break RecordingEnd::Full;
            }
        };
        let ms = growing.ms();
        let name = name + ".wav";
        let told = match ended_by {
            RecordingEnd::Key(_) => RecordingEndedBy::Key,
            RecordingEnd::Silence => RecordingEndedBy::Silence,
            RecordingEnd::Full => RecordingEndedBy::Full,
            RecordingEnd::HungUp => RecordingEndedBy::Hangup,
        };
        let node = Some(wanted.node.clone());
        self.call
            .keep(growing, node, told, Shape::Person.channels(), &name);
        Ok(Recorded::Kept { name, ms, ended_by })
    }

    /// The next packet of the person's: silence where none came.
    fn hear_a_packet(&mut self, law: Law) -> Result<Packet, LegEnd> {
        let mut packet = Packet {
            bytes: [law.silence(); 6 * PACKET],
            len: PACKET,
        };
        self.read_a_frame(|frame| {
            if frame.flags & sys::SFF_CNG != 0 {
                return;
            }
            // SAFETY: H6: it is valid until the next one is read.
            let bytes = unsafe { bytes_of(frame) };
            if !bytes.is_empty() {
                packet.bytes[..bytes.len()].copy_from_slice(bytes);
                packet.len = bytes.len();
            }
        })?;
        Ok(packet)
    }
}

/// A packet of G.711, 20 to 120 ms.
struct Packet {
    bytes: [u8; 6 * PACKET],
    len: usize,
}

impl Packet {
    fn heard(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
