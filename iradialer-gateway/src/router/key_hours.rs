//! How old idempotency keys are. A wall clock that is set must not make one be forgotten: its request could then dial
//! twice. So their age is counted in hours that a gateway has seen pass by its steady clock.

use crate::tdb::{Tdb, TdbError};

const HOUR_MS: u64 = 3_600_000;
/// How many hours a request with a key may be repeated at the least: 7 days.
const KEPT_HOURS: u64 = 7 * 24;

/// The hour as this process has seen it. Of several that look, whoever began first ends it.
#[derive(Default)]
pub(super) struct KeyHours {
    /// The hour, and since when it has been that, ms by the steady clock.
    seen: Option<(u64, u64)>,
}

impl KeyHours {
    /// Ends the hour if it has lasted for one. Returns the hour that keys are kept from.
    pub(super) async fn look(&mut self, tdb: &Tdb, now_ms: u64) -> Result<u64, TdbError> {
        let hour = tdb.key_hour().await?;
        match self.seen {
            Some((seen, since_ms)) if seen == hour => {
                if now_ms.saturating_sub(since_ms) >= HOUR_MS {
                    tdb.end_key_hour(hour).await?;
                }
            }
            _ => self.seen = Some((hour, now_ms)),
        }
        // One that was accepted in the last moment of an hour is kept for as long as one of its first.
        Ok(hour.saturating_sub(KEPT_HOURS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tdb::test_support::open;

    #[tokio::test]
    async fn an_hour_is_ended_once_however_many_look() {
        let (tdb, _dir) = open().await;
        let (mut one, mut other) = (KeyHours::default(), KeyHours::default());
        one.look(&tdb, 1_000).await.unwrap();
        other.look(&tdb, 5_000_000).await.unwrap();
        one.look(&tdb, HOUR_MS).await.unwrap();
        assert_eq!(tdb.key_hour().await.unwrap(), 0, "not yet");
        one.look(&tdb, HOUR_MS + 1_000).await.unwrap();
        assert_eq!(tdb.key_hour().await.unwrap(), 1);
        other.look(&tdb, 5_000_000 + HOUR_MS).await.unwrap();
        assert_eq!(tdb.key_hour().await.unwrap(), 1, "it has just begun");
        for _ in 0..2 * KEPT_HOURS {
            let last = one.look(&tdb, u64::MAX / 4).await.unwrap();
            one.seen = None;
            let hour = tdb.key_hour().await.unwrap();
            assert!(last + KEPT_HOURS >= hour);
            tdb.end_key_hour(hour).await.unwrap();
        }
        assert_eq!(one.look(&tdb, 0).await.unwrap(), KEPT_HOURS + 1);
    }
}
