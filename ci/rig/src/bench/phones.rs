//! Far ends that speak and listen: one UDP port for the media of all calls, of which sipp tells the switch
//! while it does the signalling. Each packet is stamped by the kernel when it comes, so that it does not
//! matter when this process gets to it.

mod heard;
mod rtp;

pub use heard::{Delays, Heard};

use crate::ports::free_block;
use anyhow::{Context, Result};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use rtp::Speaker;
use std::collections::HashMap;
use std::io::IoSliceMut;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Packets taken at once.
const BATCH: usize = 64;
/// Longer than any packet that comes.
const PACKET: usize = 512;
/// Room for what comes while this process waits for a processor, bytes.
const ROOM: usize = 64 << 20;
/// How often the speakers' thread looks for whose turn it is.
const TICK: Duration = Duration::from_millis(5);
/// Each phone speaks at every so many ticks, which is 20 ms.
const TURNS: usize = 4;
/// How long the threads may go on once the phones are dropped.
const LINGER: Duration = Duration::from_millis(200);

/// What a phone does, from the first packet that it hears.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// Keys, and when each goes down, ms.
    pub keys: Vec<(u32, char)>,
    /// How much later a phone does it all than the one before it, ms, so that not all do it at once.
    pub apart_ms: u32,
    /// After so many phones they begin again without delay.
    pub apart_for: u32,
    /// For how long a phone speaks, ms, where its call ends by itself: the switch may give its port to another.
    pub speaks_ms: Option<u32>,
}

/// The phones. Dropping them hangs none of them up, and ends their threads.
pub struct Phones {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    socket: UdpSocket,
    script: Script,
    all: Mutex<All>,
    over: AtomicBool,
}

#[derive(Default)]
struct All {
    phones: Vec<Phone>,
    /// Which phone a port of the switch, with its SSRC, has.
    of: HashMap<(u16, u32), usize>,
}

/// One call's far end, and what it heard.
pub struct Phone {
    switch: SocketAddr,
    speaker: Speaker,
    /// Every packet of audio, as it came.
    pub heard: Vec<Heard>,
    /// When each key was let go, ns since 1970.
    pub pressed: Vec<u64>,
}

impl Phones {
    /// Opens their port and waits for calls.
    pub fn start(script: Script) -> Result<Self> {
        let port = free_block(2)?;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
        socket.set_read_timeout(Some(LINGER))?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        // Only root may have more than the system's limit.
        if setsockopt(&socket, sockopt::RcvBufForce, &ROOM).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &ROOM)?;
        }
        let shared = Arc::new(Shared {
            socket,
            script,
            all: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let (listens, speaks) = (shared.clone(), shared.clone());
        std::thread::spawn(move || {
            if let Err(error) = listens.listen() {
                eprintln!("the phones hear nothing any more: {error:#}");
            }
        });
        std::thread::spawn(move || speaks.speak());
        Ok(Phones { port, shared })
    }

    /// Where the switch is to send audio.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Forgets what was heard so far; the calls go on.
    pub fn forget(&self) {
        for phone in &mut self.shared.all().phones {
            phone.heard.clear();
            phone.pressed.clear();
        }
    }

    /// Forgets every call so far and gives what they heard.
    pub fn take(&self) -> Vec<Phone> {
        let mut all = self.shared.all();
        all.of.clear();
        std::mem::take(&mut all.phones)
    }
}

impl Drop for Phones {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn listen(&self) -> Result<()> {
        let mut headers =
            MultiHeaders::<SockaddrIn>::preallocate(BATCH, Some(nix::cmsg_space!(TimeSpec)));
        let mut packets = vec![[0u8; PACKET]; BATCH];
        while !self.is_over() {
            let mut came = Vec::with_capacity(BATCH);
            {
                let mut slices: Vec<[IoSliceMut<'_>; 1]> = packets
                    .iter_mut()
                    .map(|packet| [IoSliceMut::new(packet)])
                    .collect();
                let received = recvmmsg(
                    self.socket.as_raw_fd(),
                    &mut headers,
                    slices.iter_mut(),
                    MsgFlags::MSG_WAITFORONE,
                    None,
                );
                let received = match received {
                    Ok(received) => received,
                    Err(nix::Error::EAGAIN | nix::Error::EINTR) => continue,
                    Err(error) => return Err(error.into()),
                };
                for message in received {
                    let stamp = message.cmsgs()?.find_map(|control| match control {
                        ControlMessageOwned::ScmTimestampns(at) => Some(at),
                        _ => None,
                    });
                    let at = stamp.context("a packet without the time of its arrival")?;
                    let from = message.address.context("a packet from nowhere")?;
                    let at_ns = at.tv_sec() as u64 * 1_000_000_000 + at.tv_nsec() as u64;
                    came.push((SocketAddrV4::from(from), at_ns, message.bytes));
                }
            }
            let mut all = self.all();
            for ((from, at_ns, bytes), packet) in came.into_iter().zip(&packets) {
                if let Some((ssrc, heard)) = rtp::audio(&packet[..bytes], at_ns) {
                    all.hears(from, ssrc, heard, &self.script);
                }
            }
        }
        Ok(())
    }

    fn speak(&self) {
        let mut tick = 0;
        let begun = std::time::Instant::now();
        while !self.is_over() {
            let due = begun + TICK * tick;
            std::thread::sleep(due.saturating_duration_since(std::time::Instant::now()));
            let turn = tick as usize % TURNS;
            let mut all = self.all();
            for phone in all.phones.iter_mut().skip(turn).step_by(TURNS) {
                let mut let_go = false;
                for packet in phone.speaker.next() {
                    let_go |= packet.ends_key;
                    // The switch may have hung up.
                    let _ = self.socket.send_to(&packet.bytes, phone.switch);
                }
                if let_go {
                    phone.pressed.push(now_ns());
                }
            }
            drop(all);
            tick += 1;
        }
    }
}

impl All {
    fn hears(&mut self, from: SocketAddrV4, ssrc: u32, heard: Heard, script: &Script) {
        let next = self.phones.len();
        let index = *self.of.entry((from.port(), ssrc)).or_insert(next);
        if index == next {
            let turns = script.apart_for.max(1);
            let later_ms = next as u32 % turns * script.apart_ms;
            let speaks_ms = script.speaks_ms.unwrap_or(u32::MAX);
            self.phones.push(Phone {
                switch: from.into(),
                speaker: Speaker::new(&script.keys, later_ms, speaks_ms),
                heard: Vec::new(),
                pressed: Vec::new(),
            });
        }
        self.phones[index].heard.push(heard);
    }
}

fn now_ns() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.unwrap_or_default().as_nanos() as u64
}
