//! Whether what switches have published is in the TDB. Until it is, a call of which nothing is known may
//! have its true end on the way, and must not end as unknown.

use super::shared::Shared;
use crate::collector::CONSUMER;
use async_nats::jetstream::{self, consumer::pull};
use iradialer_core::subject;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long the bus may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a reading serves everybody: with a switch, many calls may be lost at once.
const FRESH_MS: u64 = 500;
/// Collectors that take longer to store what was published are away.
const STALLED_MS: u64 = 5_000;

/// How far the event stream and its collectors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    /// The number of the last event published.
    last: u64,
    /// Every event up to this one is stored.
    stored: u64,
}

/// The last reading and when it was made, ms by the steady clock; none where it could not be.
#[derive(Default)]
pub(super) struct Gauge(Mutex<Option<(u64, Option<Reading>)>>);

impl Gauge {
    async fn read(&self, shared: &Shared) -> Option<Reading> {
        let mut last = self.0.lock().await;
        let now_ms = shared.steady_ms();
        match *last {
            Some((read_ms, reading)) if now_ms.abs_diff(read_ms) < FRESH_MS => reading,
            _ => {
                let reading = timeout(ANSWER_TIMEOUT, read(shared)).await.ok().flatten();
                *last = Some((shared.steady_ms(), reading));
                reading
            }
        }
    }
}

async fn read(shared: &Shared) -> Option<Reading> {
    let mut context = jetstream::new(shared.client.clone());
    context.set_timeout(ANSWER_TIMEOUT);
    let name = subject::event_stream(&shared.app.config.cluster);
    // The stream first: what is published in between may be stored already, not the other way round.
    let stream = context.get_stream(name).await.ok()?;
    let last = stream.cached_info().state.last_sequence;
    let consumer = stream.get_consumer::<pull::Config>(CONSUMER).await.ok()?;
    let info = consumer.cached_info();
    let idle = info.num_pending == 0 && info.num_ack_pending == 0;
    let stored = match idle {
        true => last,
        false => info.ack_floor.stream_sequence,
    };
    Some(Reading { last, stored })
}

/// How the collectors get on with what had been published when this was first asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// They have it all.
    CaughtUp,
    /// Not yet.
    Behind,
    /// They are away, or the bus is.
    Away,
}

/// Waits for the collectors to catch up. They are never done with what is published all the time, only
/// with what had been at one moment.
#[derive(Debug, Default)]
pub(super) struct Catching {
    mark: Option<Mark>,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    last: u64,
    at_ms: u64,
}

impl Catching {
    /// How they get on. Once they have caught up, the next question is about what is published by then.
    pub(super) async fn ask(&mut self, shared: &Shared) -> Progress {
        let reading = shared.collected.read(shared).await;
        self.take(reading, shared.steady_ms())
    }

    fn take(&mut self, reading: Option<Reading>, now_ms: u64) -> Progress {
        let Some(reading) = reading else {
            self.mark = None;
            return Progress::Away;
        };
        let fresh = Mark {
            last: reading.last,
            at_ms: now_ms,
        };
        // A stream that ends before the mark is another one: the bus has lost its state.
        let mark = match self.mark {
            Some(mark) if mark.last <= reading.last => mark,
            _ => fresh,
        };
        self.mark = Some(mark);
        if reading.stored >= mark.last {
            self.mark = None;
            return Progress::CaughtUp;
        }
        match now_ms.saturating_sub(mark.at_ms) > STALLED_MS {
            true => Progress::Away,
            false => Progress::Behind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u64, stored: u64) -> Option<Reading> {
        Some(Reading { last, stored })
    }

    #[test]
    fn under_load_it_is_one_moment_that_is_caught_up_with() {
        let mut catching = Catching::default();
        assert_eq!(catching.take(at(100, 90), 0), Progress::Behind);
        assert_eq!(catching.take(at(200, 99), 1_000), Progress::Behind);
        assert_eq!(catching.take(at(300, 150), 2_000), Progress::CaughtUp);
        assert_eq!(catching.take(at(400, 350), 3_000), Progress::Behind);
    }

    #[test]
    fn where_nothing_is_left_it_is_caught_up_at_once() {
        assert_eq!(Catching::default().take(at(7, 7), 0), Progress::CaughtUp);
    }

    #[test]
    fn collectors_that_are_away_are_waited_for() {
        let mut catching = Catching::default();
        assert_eq!(catching.take(at(100, 90), 0), Progress::Behind);
        assert_eq!(catching.take(at(200, 90), 5_001), Progress::Away);
        assert_eq!(catching.take(None, 6_000), Progress::Away);
        // What came meanwhile counts as well.
        assert_eq!(catching.take(at(200, 150), 7_000), Progress::Behind);
        assert_eq!(catching.take(at(200, 200), 8_000), Progress::CaughtUp);
    }

    #[test]
    fn a_stream_that_was_made_anew_is_begun_with_anew() {
        let mut catching = Catching::default();
        assert_eq!(catching.take(at(100, 90), 0), Progress::Behind);
        assert_eq!(catching.take(at(3, 1), 1_000), Progress::Behind);
        assert_eq!(catching.take(at(4, 3), 2_000), Progress::CaughtUp);
    }
}
