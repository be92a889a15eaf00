//! Rights that one process has at a time, in the TDB: to give out a region's calls, to send webhooks.

use crate::clock::Moment;
use crate::tdb::Lease;
use std::path::Path;
use std::time::Duration;

/// How long a lease is good for. With [`TRY_INTERVAL`] it bounds how long a process that was killed keeps
/// the others waiting.
pub(crate) const LEASE_MS: u64 = 3_000;
/// How often it is renewed: two renewals in a row may fail.
pub(crate) const RENEW_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is tried for by one that does not have it.
pub(crate) const TRY_INTERVAL: Duration = Duration::from_millis(500);
/// How far another's clock has to be off, as far as its lease shows, to be taken for off at all: a lease is
/// looked at now and then only.
const CLOCKS_DIFFER_MS: i64 = 2_000;

/// Another's lease, as far as it is seen to live. The wall clocks of two machines may be minutes apart.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// The lease, and since when it has stood like that, ms by the steady clock.
    seen: Option<(Lease, u64)>,
    /// How far its holder's wall clock was ahead of ours when it was last seen to change, ms.
    ahead_ms: i64,
}

impl Watch {
    /// Takes in how the lease stands now. Returns it if it has stood like that for longer than its holder may
    /// use it without a renewal.
    pub(crate) fn look(&mut self, lease: Option<Lease>, now: Moment) -> Option<Lease> {
        let since_ms = match self.seen {
            Some((seen, since_ms)) if lease == Some(seen) => since_ms,
            Some(_) => {
                self.compare_clocks(lease, now.wall_ms);
                now.steady_ms
            }
            // Nothing is known of when it was written.
            None => now.steady_ms,
        };
        self.seen = lease.map(|lease| (lease, since_ms));
        lease.filter(|_| now.steady_ms.saturating_sub(since_ms) > LEASE_MS)
    }

    /// A lease that has just been renewed tells what its holder's clock shows.
    fn compare_clocks(&mut self, lease: Option<Lease>, wall_ms: u64) {
        let renewed = lease.filter(|lease| lease.expires_ms != 0);
        if let Some(lease) = renewed {
            let ahead_ms = lease.expires_ms as i64 - LEASE_MS as i64 - wall_ms as i64;
            let differ = ahead_ms.saturating_abs() > CLOCKS_DIFFER_MS;
            self.ahead_ms = if differ { ahead_ms } else { 0 };
        }
    }

    /// How long until it may be found dead, if it is.
    pub(crate) fn due(&self, now_ms: u64) -> Duration {
        let due_ms = self
            .seen
            .map_or(u64::MAX, |(_, since_ms)| since_ms + LEASE_MS + 1);
        Duration::from_millis(due_ms.saturating_sub(now_ms))
    }

    /// How far the clock of the one that is watched was ahead of ours when it was last seen to change, ms.
    pub(crate) fn ahead_ms(&self) -> i64 {
        self.ahead_ms
    }
}

/// Who holds a lease: the same after a restart of the same gateway, so that it need not wait until its own lease is seen
/// to be dead.
pub(crate) fn stable_holder(data_dir: &Path) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", host.trim(), data_dir.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(epoch: u64, expires_ms: u64) -> Option<Lease> {
        Some(Lease { epoch, expires_ms })
    }

    /// The steady clock shows this, and the wall's a bit more.
    fn at(steady_ms: u64) -> Moment {
        Moment {
            wall_ms: 1_000_000 + steady_ms,
            steady_ms,
        }
    }

    #[test]
    fn a_lease_is_dead_when_it_stands_still_whatever_time_it_names() {
        // Of a holder whose clock was ahead, then back.
        for expires_ms in [1, 10_000, u64::MAX] {
            let mut watch = Watch::default();
            assert_eq!(watch.look(lease(7, expires_ms), at(10_000)), None);
            assert_eq!(watch.due(10_000), Duration::from_millis(LEASE_MS + 1));
            let not_yet = at(10_000 + LEASE_MS);
            assert_eq!(watch.look(lease(7, expires_ms), not_yet), None);
            let due_ms = 10_000 + LEASE_MS + 1;
            assert_eq!(watch.due(due_ms), Duration::ZERO);
            let dead = watch.look(lease(7, expires_ms), at(due_ms));
            assert_eq!(dead, lease(7, expires_ms));
        }
    }

    #[test]
    fn one_that_is_renewed_or_taken_lives() {
        let mut watch = Watch::default();
        for second in 0..20 {
            // Back as well: its holder's clock may be set.
            let expires_ms = if second < 10 {
                50_000 + second
            } else {
                1_000 + second
            };
            assert_eq!(watch.look(lease(7, expires_ms), at(second * 1_000)), None);
        }
        let taken = watch.look(lease(8, 1_019), at(22_001));
        assert_eq!(taken, None, "another took it");
        assert_eq!(watch.look(None, at(30_000)), None);
        assert_eq!(watch.look(lease(8, 1_019), at(30_001)), None);
    }

    #[test]
    fn a_renewal_shows_its_holders_clock() {
        for (ahead_ms, expected_ms) in [(240_000, 240_000), (-600_000, -600_000), (1_500, 0)] {
            let mut watch = Watch::default();
            let renewed = |steady_ms| {
                let shown_ms = at(steady_ms).wall_ms.saturating_add_signed(ahead_ms);
                lease(7, shown_ms + LEASE_MS)
            };
            watch.look(renewed(0), at(500));
            assert_eq!(watch.ahead_ms, 0, "it may have stood like that for days");
            watch.look(renewed(1_000), at(1_000));
            assert_eq!(watch.ahead_ms, expected_ms);
            watch.look(renewed(1_000), at(5_000));
            watch.look(lease(7, 0), at(5_500));
            assert_eq!(
                watch.ahead_ms, expected_ms,
                "one that was given up shows none"
            );
        }
    }
}
