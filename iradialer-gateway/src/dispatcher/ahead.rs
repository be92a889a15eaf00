//! What is read of each receiver's deliveries before there is room for it, so that a quick receiver does not wait
//! for the database after each; and which calls have one read, sent or being noted.

use crate::tdb::Delivery;
use iradialer_core::value::CallUuid;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// The most deliveries of a receiver that are read ahead.
const MOST: usize = 128;
/// A receiver that took all that was read ahead within this time is read more next time.
const QUICKLY: Duration = Duration::from_millis(500);
/// What was read so long ago is read again: its call may have gone on.
const STALE: Duration = Duration::from_secs(1);

/// The receivers of whom something is held, or may be due.
#[derive(Default)]
pub struct Ahead {
    receivers: HashMap<String, Shelf>,
    /// The calls that have a delivery read, under way or being noted, each with its receiver. No other of theirs is
    /// sent.
    held: HashMap<CallUuid, String>,
}

/// Of a receiver.
struct Shelf {
    waiting: VecDeque<Delivery>,
    /// How many calls of `held` are its.
    held: usize,
    /// Whether more may be due than was read.
    more: bool,
    read: Instant,
    /// How many were read last.
    size: usize,
}

impl Ahead {
    /// Something of it may be due.
    pub fn expect(&mut self, receiver: &str) {
        self.shelf(receiver).more = true;
    }

    /// The next delivery of those that were read.
    pub fn next(&mut self, receiver: &str, now: Instant) -> Option<Delivery> {
        let shelf = self.receivers.get_mut(receiver)?;
        if now.duration_since(shelf.read) > STALE {
            for delivery in shelf.waiting.drain(..) {
                self.held.remove(&delivery.call.call_uuid);
                shelf.held = shelf.held.saturating_sub(1);
                shelf.more = true;
            }
        }
        shelf.waiting.pop_front()
    }

    /// How many deliveries of it to read, `room` of which can be sent at once; none where no more are due. Those of
    /// calls that are held are among them.
    pub fn wanted(&mut self, receiver: &str, room: usize, now: Instant) -> Option<usize> {
        let shelf = self.receivers.get_mut(receiver)?;
        if room == 0 || !shelf.more || !shelf.waiting.is_empty() {
            return None;
        }
        let quick = now.duration_since(shelf.read) < QUICKLY;
        shelf.size = if quick {
            room.max(shelf.size * 2).min(MOST)
        } else {
            room
        };
        Some(shelf.held + shelf.size)
    }

    /// Whether the call has a delivery read, under way or being noted.
    pub fn holds(&self, call: &CallUuid) -> bool {
        self.held.contains_key(call)
    }

    /// These were read of it; `all` where no others are due.
    pub fn put(&mut self, receiver: &str, deliveries: Vec<Delivery>, all: bool, now: Instant) {
        for delivery in &deliveries {
            let call = delivery.call.call_uuid;
            self.held.insert(call, receiver.to_owned());
        }
        let shelf = self.shelf(receiver);
        shelf.held += deliveries.len();
        shelf.waiting.extend(deliveries);
        shelf.more = !all;
        shelf.read = now;
    }

    /// The call's delivery is over and noted: its next one may be due. Returns its receiver.
    pub fn let_go(&mut self, call: &CallUuid) -> Option<String> {
        let receiver = self.held.remove(call)?;
        let shelf = self.shelf(&receiver);
        shelf.held = shelf.held.saturating_sub(1);
        shelf.more = true;
        Some(receiver)
    }

    /// Forgets the receiver if nothing of it is held or due.
    pub fn tidy(&mut self, receiver: &str) {
        if let Some(shelf) = self.receivers.get(receiver)
            && shelf.held == 0
            && !shelf.more
        {
            self.receivers.remove(receiver);
        }
    }

    /// Drops what was read and not sent. Returns how many calls have a delivery under way.
    pub fn drop_waiting(&mut self) -> usize {
        for shelf in self.receivers.values_mut() {
            for delivery in shelf.waiting.drain(..) {
                self.held.remove(&delivery.call.call_uuid);
            }
        }
        self.held.len()
    }

    fn shelf(&mut self, receiver: &str) -> &mut Shelf {
        self.receivers
            .entry(receiver.to_owned())
            .or_insert_with(|| Shelf {
                waiting: VecDeque::new(),
                held: 0,
                more: false,
                read: Instant::now(),
                size: 0,
            })
    }
}
