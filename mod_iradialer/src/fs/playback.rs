//! Sends audio that is ready for the trunk's codec: no file is opened, and nothing is encoded.

use super::session::{Channel, Session};
use crate::audio::{Audio, Law};
use freeswitch_sys as sys;
use iradialer_core::value::CallUuid;
use std::ffi::c_void;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The longest packet, ms.
const MOST_MS: usize = 120;
/// Bytes of G.711 in a ms.
const BYTES_PER_MS: usize = 8;

/// The law that a channel's `read_codec` or `write_codec` follows; `None` for another codec.
pub fn law_of(channel: Channel<'_>, variable: &str) -> Option<Law> {
    match channel.variable(variable)?.as_str() {
        "PCMU" => Some(Law::Mu),
        "PCMA" => Some(Law::A),
        _ => None,
    }
}

/// A channel's way out, as it was when it was looked at.
pub struct Output<'a> {
    session: Session<'a>,
    /// What its codec sends.
    pub law: Law,
    packet: usize,
}

impl<'a> Output<'a> {
    /// The way out of a channel whose codec is of G.711; `None` for another one.
    pub fn of(session: Session<'a>) -> Option<Self> {
        let channel = session.channel();
        let law = law_of(channel, "write_codec")?;
        let ms = channel.variable("rtp_use_codec_ptime");
        let ms = ms.and_then(|text| text.parse().ok()).unwrap_or(20);
        (1..=MOST_MS).contains(&ms).then_some(Output {
            session,
            law,
            packet: ms * BYTES_PER_MS,
        })
    }

    /// How many bytes a packet has.
    pub fn packet(&self) -> usize {
        self.packet
    }

    /// Sends a packet; what `bytes` lack of one is silence.
    pub fn send(&self, bytes: &[u8]) -> sys::switch_status_t {
        // The host may write to what it is given.
        let mut data = [self.law.silence(); MOST_MS * BYTES_PER_MS];
        let len = bytes.len().min(self.packet);
        data[..len].copy_from_slice(&bytes[..len]);
        let packet = self.packet as u32;
        let session = self.session.as_ptr();
        // SAFETY: H2, H6: on the session's own thread; `data` and the frame outlive the call.
        unsafe {
            let mut frame = sys::switch_frame_t {
                codec: sys::switch_core_session_get_write_codec(session),
                source: std::ptr::null(),
                packet: std::ptr::null_mut(),
                packetlen: 0,
                extra_data: std::ptr::null_mut(),
                data: data.as_mut_ptr().cast::<c_void>(),
                datalen: packet,
                buflen: data.len() as u32,
                samples: packet,
                rate: crate::audio::RATE,
                channels: 1,
                payload: 0,
                timestamp: 0,
                seq: 0,
                ssrc: 0,
                m: sys::SWITCH_FALSE,
                flags: 0,
                user_data: std::ptr::null_mut(),
                pmap: std::ptr::null_mut(),
                img: std::ptr::null_mut(),
                geometry: sys::switch_frame_geometry::default(),
            };
            if frame.codec.is_null() {
                return sys::SWITCH_STATUS_FALSE;
            }
            sys::switch_core_session_write_frame(
                session,
                &raw mut frame,
                sys::SWITCH_IO_FLAG_NONE,
                0,
            )
        }
    }
}

/// A WAV file for the host to play, on a channel whose codec is not of G.711. Gone when dropped.
pub struct MadeFile(PathBuf);

impl MadeFile {
    /// Writes one.
    pub fn of(audio: &Audio) -> io::Result<Self> {
        let name = format!("iradialer-{}.wav", CallUuid::fresh());
        let made = MadeFile(std::env::temp_dir().join(name));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options.open(&made.0)?.write_all(&audio.wav())?;
        Ok(made)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for MadeFile {
    fn drop(&mut self) {
        // Nothing is lost but room.
        let _ = std::fs::remove_file(&self.0);
    }
}
