//! The bus: it drops, delays, repeats and reorders messages; its event stream forgets that a message
//! was acknowledged, and all of its state at times.

use crate::world::{Pid, What, World};
use iradialer_core::value::CallUuid;
use iradialer_core::wire::{
    ConfirmQuery, ConfirmReply, DialCommand, DialReply, EventBody, Query, QueryReply, SwitchEvent,
};

/// How long the event stream waits for an acknowledgement.
const ACK_WAIT_MS: u64 = 2_000;
/// How long a message that a collector hands back stays away.
const NAK_DELAY_MS: u64 = 200;

/// What a message says.
#[allow(clippy::large_enum_variant)] // A message lives for a moment.
#[derive(Debug, Clone)]
pub enum Payload {
    Dial(DialCommand),
    DialReply(DialReply),
    Query(Query),
    QueryReply(QueryReply),
    /// A switch will not answer: our epoch is old.
    QueryRefused,
    Drop(CallUuid),
    Event(SwitchEvent),
    EventStored,
    Confirm(ConfirmQuery),
    Confirmed(ConfirmReply),
    /// Nobody listens there.
    Nobody,
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    Subject(String),
    /// The one request of one life of one process.
    Inbox(Inbox),
    /// The event stream.
    Stream,
}

/// Where an answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inbox {
    pub pid: Pid,
    pub life: u32,
    /// What is asked about.
    pub about: CallUuid,
    /// Which question it is.
    pub number: u32,
}

/// A message under way.
#[derive(Debug, Clone)]
pub struct Message {
    pub to: To,
    pub answer_to: Option<Inbox>,
    pub payload: Payload,
}

/// Who listens, and the event stream.
#[derive(Default)]
pub struct Bus {
    listeners: Vec<(String, Pid)>,
    stream: Vec<Stored>,
}

struct Stored {
    event: SwitchEvent,
    acknowledged: bool,
    deliveries: u32,
}

impl Bus {
    /// A process listens to a subject.
    pub fn listen(&mut self, subject: String, pid: Pid) {
        self.listeners.push((subject, pid));
    }

    /// A process is gone.
    pub fn forget(&mut self, pid: Pid) {
        self.listeners.retain(|(_, listener)| *listener != pid);
    }

    /// Everything in the event stream is lost, acknowledged or not.
    pub fn lose_state(&mut self) {
        for stored in &mut self.stream {
            stored.acknowledged = true;
            stored.deliveries = u32::MAX;
        }
    }

    /// Whether the collector has all that is in the event stream.
    pub fn all_collected(&self) -> bool {
        let mut waiting = self.stream.iter();
        waiting.all(|stored| stored.acknowledged)
    }

    /// The end of that attempt, if it waits in the event stream.
    pub fn waiting_end_of(&self, attempt_id: CallUuid) -> Option<&SwitchEvent> {
        let waiting = self.stream.iter().filter(|stored| !stored.acknowledged);
        let mut events = waiting.map(|stored| &stored.event);
        events.find(|event| {
            event.attempt_id == attempt_id && matches!(event.body, EventBody::Hangup(_))
        })
    }

    /// The event, and how often it was handed out.
    pub fn stored(&self, id: usize) -> (&SwitchEvent, u32) {
        (&self.stream[id].event, self.stream[id].deliveries)
    }
}

impl World {
    /// Sends a message: it arrives once, at once, unless the schedule says otherwise.
    pub fn send(&mut self, from: Pid, message: Message) {
        if self.process(from).cut_off {
            return self.note(|| format!("{from:?} sends in vain: {}", message.payload.summary()));
        }
        let fate = self.decide(10);
        self.note(|| {
            let fate = match fate {
                0 => String::new(),
                1 | 2 => ", and it is lost".into(),
                3 => ", and it comes again at once".into(),
                4 | 5 => ", and it comes again 3.5 s later".into(),
                late => format!(", {} ms late", LATE_MS[late - 6]),
            };
            format!("{from:?} sends {}{fate}", message.payload.summary())
        });
        let copies: &[u64] = match fate {
            0 => &[1],
            1 | 2 => &[],
            3 => &[1, 2],
            4 | 5 => &[1, 3_500],
            late => &LATE_MS[late - 6..=late - 6],
        };
        for (copy, ms) in copies.iter().enumerate() {
            let mut message = message.clone();
            if copy > 0 && message.answer_to.is_some() && self.script(2) == 1 {
                // The asker has the answer to the first.
                message.answer_to = None;
            }
            self.at(self.now_ms + ms, None, What::Arrive(Box::new(message)));
        }
    }

    /// Hands a message to whoever listens.
    pub fn hand_over(&mut self, message: Message) {
        match &message.to {
            To::Stream => self.store(message),
            To::Inbox(inbox) => {
                let (pid, life) = (inbox.pid, inbox.life);
                self.at(
                    self.now_ms,
                    Some((pid, life)),
                    What::Message(Box::new(message)),
                );
            }
            To::Subject(subject) => {
                let listener = self
                    .bus
                    .listeners
                    .iter()
                    .find(|(known, _)| known == subject);
                let listener = listener.map(|(_, pid)| *pid);
                match listener.filter(|pid| !self.process(*pid).cut_off) {
                    Some(pid) => self.after(0, pid, What::Message(Box::new(message))),
                    None => self.say_nobody(message),
                }
            }
        }
    }

    fn say_nobody(&mut self, message: Message) {
        let Some(inbox) = message.answer_to else {
            return;
        };
        self.note(|| format!("nobody listens: {}", message.payload.summary()));
        let answer = Message {
            to: To::Inbox(inbox),
            answer_to: None,
            payload: Payload::Nobody,
        };
        self.at(self.now_ms + 1, None, What::Arrive(Box::new(answer)));
    }

    fn store(&mut self, message: Message) {
        let Payload::Event(event) = message.payload else {
            return;
        };
        self.checks.published(&event);
        let id = self.bus.stream.len();
        self.bus.stream.push(Stored {
            event,
            acknowledged: false,
            deliveries: 0,
        });
        self.at(self.now_ms + 1, None, What::HandOut { id, again: false });
        if let Some(inbox) = message.answer_to {
            let stored = Message {
                to: To::Inbox(inbox),
                answer_to: None,
                payload: Payload::EventStored,
            };
            // The server's own answer, which the network may lose.
            if self.decide(6) == 0 {
                self.at(self.now_ms + 1, None, What::Arrive(Box::new(stored)));
            }
        }
    }

    /// The event stream hands a message to the collector, and again until it is acknowledged.
    pub fn hand_out(&mut self, id: usize, again: bool) {
        let stored = &mut self.bus.stream[id];
        if stored.deliveries == u32::MAX || (stored.acknowledged && !again) {
            return;
        }
        stored.deliveries += 1;
        if !stored.acknowledged {
            self.at(
                self.now_ms + ACK_WAIT_MS,
                None,
                What::HandOut { id, again: false },
            );
        }
        let late_ms = match self.decide(6) {
            0 => 0,
            harm => [30, 200, 700, 1_500, 4_000][harm - 1],
        };
        if !self.process(Pid::Collector).cut_off {
            self.after(late_ms, Pid::Collector, crate::collector::apply(id));
        }
    }

    /// The collector acknowledges a message.
    pub fn acknowledge(&mut self, id: usize) {
        match self.decide(5) {
            1 => self.note(|| format!("the acknowledgement of {id} is lost")),
            2 | 3 => {
                self.note(|| format!("the acknowledgement of {id} will be forgotten"));
                self.bus.stream[id].acknowledged = true;
                let ms = [500, 5_000][self.vary(2)];
                self.at(self.now_ms + ms, None, What::HandOut { id, again: true });
            }
            _ => self.bus.stream[id].acknowledged = true,
        }
    }

    /// The collector hands a message back for a while.
    pub fn hand_back(&mut self, id: usize) {
        self.at(
            self.now_ms + NAK_DELAY_MS,
            None,
            What::HandOut { id, again: false },
        );
    }
}

const LATE_MS: [u64; 4] = [40, 1_200, 3_600, 12_000];

impl Payload {
    /// The message in a few words.
    pub fn summary(&self) -> String {
        match self {
            Payload::Dial(command) => format!(
                "dial {} (attempt {}, epoch {})",
                short(command.attempt_id),
                command.attempt,
                command.epoch
            ),
            Payload::DialReply(DialReply::Accepted) => "accepted".into(),
            Payload::DialReply(DialReply::Refused { reason, .. }) => format!("refused: {reason:?}"),
            Payload::Query(query) => format!(
                "query {} (attempt {}, epoch {})",
                short(query.attempt_id),
                query.attempt,
                query.epoch
            ),
            Payload::QueryReply(reply) => format!("fate: {:?}", reply.fate),
            Payload::QueryRefused => "query refused".into(),
            Payload::Drop(call) => format!("drop call {}", short(*call)),
            Payload::Event(event) => format!(
                "event {} of {}: {}",
                event.seq,
                short(event.attempt_id),
                event.body.name()
            ),
            Payload::EventStored => "event stored".into(),
            Payload::Confirm(query) => {
                let ids = query.attempts.iter().map(|ended| short(ended.attempt_id));
                format!("confirm {:?}?", ids.collect::<Vec<_>>())
            }
            Payload::Confirmed(reply) => {
                let ids = reply.stored.iter().map(|id| short(*id));
                format!("confirmed {:?}", ids.collect::<Vec<_>>())
            }
            Payload::Nobody => "nobody listens".into(),
        }
    }
}

/// The part of an UUID that tells it from the others of a run.
pub fn short(uuid: CallUuid) -> String {
    format!("#{}", uuid.to_string()[..8].trim_start_matches('0'))
}
