//! What the far end says: packets of PCMU, silence or a hum as of a voice.

use freeswitch_sys::*;
use std::cell::UnsafeCell;
use std::ffi::c_void;

/// Bytes of PCMU in a packet of 20 ms.
const PACKET: usize = 160;
const SILENCE: u8 = 0xFF;
/// A square wave of 400 Hz at a quarter of the loudest: half a period, up and down.
const HUM: [u8; 2] = [0xA0, 0x20];
const HALF: usize = 10;

/// The packet that a session has read last.
pub struct Heard(UnsafeCell<Packet>);

struct Packet {
    data: [u8; PACKET],
    frame: switch_frame_t,
}

// SAFETY: it is only reached by the session's own thread, which alone reads frames.
unsafe impl Send for Heard {}
// SAFETY: as above.
unsafe impl Sync for Heard {}

impl Heard {
    /// A session that has not read yet.
    pub fn nothing() -> Self {
        Heard(UnsafeCell::new(Packet {
            data: [SILENCE; PACKET],
            frame: switch_frame_t {
                codec: std::ptr::null_mut(),
                source: std::ptr::null(),
                packet: std::ptr::null_mut(),
                packetlen: 0,
                extra_data: std::ptr::null_mut(),
                data: std::ptr::null_mut(),
                datalen: 0,
                buflen: PACKET as u32,
                samples: 0,
                rate: 8_000,
                channels: 1,
                payload: 0,
                timestamp: 0,
                seq: 0,
                ssrc: 0,
                m: SWITCH_FALSE,
                flags: 0,
                user_data: std::ptr::null_mut(),
                pmap: std::ptr::null_mut(),
                img: std::ptr::null_mut(),
                geometry: switch_frame_geometry::default(),
            },
        }))
    }

    /// A packet of what is heard now, good until the next one. On the session's own thread only.
    pub fn packet(&self, codec: *mut switch_codec_t, is_voice: bool) -> *mut switch_frame_t {
        // SAFETY: on the session's own thread, and what was handed out before is not good any more.
        let packet = unsafe { &mut *self.0.get() };
        for (n, byte) in packet.data.iter_mut().enumerate() {
            *byte = match is_voice {
                true => HUM[n / HALF % 2],
                false => SILENCE,
            };
        }
        packet.frame.codec = codec;
        packet.frame.data = packet.data.as_mut_ptr().cast::<c_void>();
        packet.frame.datalen = PACKET as u32;
        packet.frame.samples = PACKET as u32;
        &raw mut packet.frame
    }
}
