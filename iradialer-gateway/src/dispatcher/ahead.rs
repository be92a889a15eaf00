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
/// So many deliveries are read, under way or being noted at the most: where the TDB takes no notes, nothing more is
/// sent than can be noted later.
const MOST_HELD: usize = 8_192;
/// What was read so long ago is read again: its call may have gone on.
const STALE: Duration = Duration::from_secs(1);
/// What is under way is still due. So a receiver of which nothing else seems to be due is read again, lest something
/// was stored late, only after this time.
const REST: Duration = Duration::from_millis(100);

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
    /// When the last of what was due was due, ms since the Unix epoch.
    newest_ms: u64,
    /// Whether it surely has something that was not read.
    fresh: bool,
    /// How many were read last.
    size: usize,
}

impl Shelf {
    /// Not to be read before.
    fn rests_until(&self) -> Option<Instant> {
        let rests = self.held > 0 && !self.fresh;
        rests.then(|| self.read + REST)
    }
}

/// Whether a receiver is to be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    /// So many of its deliveries, those of calls that are held among them.
    Now(usize),
    /// Not before this moment.
    Later(Instant),
    /// Not for now.
    Nothing,
}

impl Ahead {
    /// Something of it is due, since `newest_ms` the last; it may be under way.
    pub fn expect(&mut self, receiver: &str, newest_ms: u64) {
        let shelf = self.shelf(receiver);
        shelf.more = true;
        shelf.fresh |= shelf.newest_ms != newest_ms;
        shelf.newest_ms = newest_ms;
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

    /// How many deliveries of it to read, `room` of which can be sent at once.
    pub fn wanted(&mut self, receiver: &str, room: usize, now: Instant) -> Wanted {
        let Some(shelf) = self.receivers.get_mut(receiver) else {
            return Wanted::Nothing;
        };
        let is_full = self.held.len() >= MOST_HELD;
        if room == 0 || is_full || !shelf.more || !shelf.waiting.is_empty() {
            return Wanted::Nothing;
        }
        if let Some(until) = shelf.rests_until().filter(|until| now < *until) {
            return Wanted::Later(until);
        }
        let quick = now.duration_since(shelf.read) < QUICKLY;
        shelf.size = if quick {
            room.max(shelf.size * 2).min(MOST)
        } else {
            room
        };
        Wanted::Now(shelf.held + shelf.size)
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
        shelf.fresh = !all;
        shelf.read = now;
    }

    /// The call's delivery is noted. Where it `is_over` the call's next one may be due. Returns its receiver.
    pub fn let_go(&mut self, call: &CallUuid, is_over: bool) -> Option<String> {
        let receiver = self.held.remove(call)?;
        let shelf = self.shelf(&receiver);
        shelf.held = shelf.held.saturating_sub(1);
        if is_over {
            shelf.more = true;
            shelf.fresh = true;
        }
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
                newest_ms: 0,
                fresh: true,
                size: 0,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tdb::{CallEvent, CallFacts, Origin};
    use iradialer_core::value::TenantId;
    use serde_json::Map;

    fn delivery() -> Delivery {
        let call_uuid = CallUuid::fresh();
        Delivery {
            call: CallFacts {
                call_uuid,
                parent_uuid: None,
                tenant_id: TenantId::parse("tenant_id", "acme").unwrap(),
                campaign_name: String::new(),
                origin: Origin::Api,
                to_number: String::new(),
                from_number: String::new(),
                call_params: Map::new(),
                attempt: 1,
                trunk: None,
            },
            event: CallEvent {
                call_uuid,
                seq: 1,
                attempt: 1,
                attempt_seq: 1,
                name: "ringing".to_owned(),
                at_ms: 0,
                node_id: None,
                data: Map::new(),
                is_final: false,
            },
            answer: None,
            url: String::new(),
            tries: 0,
            is_gone: false,
        }
    }

    #[test]
    fn a_receiver_with_nothing_new_is_not_read_all_the_time() {
        let begun = Instant::now();
        let mut ahead = Ahead::default();
        ahead.expect("a", 7);
        assert_eq!(ahead.wanted("a", 16, begun), Wanted::Now(16));
        let one = delivery();
        let call = one.call.call_uuid;
        ahead.put("a", vec![one], true, begun);
        assert!(ahead.next("a", begun).is_some());
        assert_eq!(ahead.wanted("a", 15, begun), Wanted::Nothing);

        ahead.expect("a", 7);
        assert_eq!(ahead.wanted("a", 15, begun), Wanted::Later(begun + REST));
        let now = begun + REST;
        assert!(matches!(ahead.wanted("a", 15, now), Wanted::Now(_)));
        ahead.put("a", Vec::new(), true, now);
        ahead.expect("a", 8);
        assert!(
            matches!(ahead.wanted("a", 15, now), Wanted::Now(_)),
            "that is another"
        );

        ahead.put("a", Vec::new(), true, now);
        assert_eq!(ahead.let_go(&call, true), Some("a".to_owned()));
        assert!(
            matches!(ahead.wanted("a", 16, now), Wanted::Now(_)),
            "its next may be due"
        );
    }

    #[test]
    fn nothing_is_read_after_what_has_failed() {
        let now = Instant::now();
        let mut ahead = Ahead::default();
        ahead.expect("a", 7);
        let one = delivery();
        let call = one.call.call_uuid;
        ahead.put("a", vec![one], true, now);
        assert!(ahead.next("a", now).is_some());
        assert_eq!(ahead.let_go(&call, false), Some("a".to_owned()));
        assert_eq!(ahead.wanted("a", 16, now), Wanted::Nothing);
        ahead.tidy("a");
        assert!(ahead.receivers.is_empty());
    }
}
