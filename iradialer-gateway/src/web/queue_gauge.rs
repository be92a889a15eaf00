//! How long the queue is, near enough.

use crate::app::App;
use crate::tdb::TdbError;
use std::sync::Mutex;

/// How old a count may be, ms. Between two counts a burst may overshoot the limit by what it brings.
const GOOD_FOR_MS: u64 = 250;

/// The length of the queue, counted at most every quarter of a second.
#[derive(Default)]
pub(super) struct QueueGauge {
    last: Mutex<Option<Count>>,
}

#[derive(Clone, Copy)]
struct Count {
    length: u64,
    /// By the steady clock, ms.
    at_ms: u64,
}

impl QueueGauge {
    /// The number of queued calls, counted up to the limit at which new ones are refused.
    pub async fn length(&self, app: &App) -> Result<u64, TdbError> {
        let now_ms = app.clock.steady_ms();
        if let Some(count) = self.last()
            && now_ms.saturating_sub(count.at_ms) < GOOD_FOR_MS
        {
            return Ok(count.length);
        }
        let length = app
            .tdb
            .queue_length(app.catalogue().queue.refuse_above)
            .await?;
        let count = Count {
            length,
            at_ms: now_ms,
        };
        *self
            .last
            .lock()
            .unwrap_or_else(|poison| poison.into_inner()) = Some(count);
        Ok(length)
    }

    fn last(&self) -> Option<Count> {
        *self
            .last
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
    }
}
