//! The faults of a seed.

use super::target::Target;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::fmt;
use std::time::Duration;

/// Which of a process's connections is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// To the bus.
    Nats,
    /// To PostgreSQL.
    Sql,
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It is closed, and no new one is made.
    Cut,
    /// It stays, and nothing passes.
    Stall,
    /// Everything passes so much later.
    Delay(Duration),
    /// So many of a hundred messages are lost.
    Lose(u8),
    /// So many of a hundred messages pass twice.
    Double(u8),
    /// Every message passes, and comes again so much later.
    Haunt(Duration),
}

/// What is done to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// SIGKILL, and a start after the pause.
    Kill(Duration),
    /// SIGSTOP, and SIGCONT after the pause.
    Stop(Duration),
    /// SIGTERM, its own end, and a start.
    Restart,
    /// SIGKILL, its state is removed, and a start: the streams of the bus, the journal of a switch.
    Wipe,
    /// SIGKILL, so many bytes of a record that was never finished at the journal's end, and a start.
    Tear(usize),
    /// A connection is in trouble for so long.
    Partition(Link, Trouble, Duration),
    /// A restart with a failpoint that kills it at the `n`th hit, and then a start without.
    DieAt(&'static str, u64),
    /// A restart with a failpoint at which it stands still so long, and later one without.
    PauseAt(&'static str, u64, Duration),
    /// The disk of a switch's journal or of the TDB has no room for so long.
    DiskFull(Duration),
    /// SIGKILL, what was written to the disk and not synced is gone, and a start.
    PowerCut,
    /// Its clock is off by so many ms for so long, and then right again.
    Clock(i64, Duration),
}

impl Blow {
    /// Its kind, for a table.
    pub fn kind(&self) -> &'static str {
        match self {
            Blow::Kill(_) => "kill -9",
            Blow::Stop(lasts) if *lasts >= LONG_STOP => "SIGSTOP, until it is given up",
            Blow::Stop(_) => "SIGSTOP, and CONT",
            Blow::Restart => "graceful restart",
            Blow::Wipe => "state wiped",
            Blow::Tear(_) => "torn journal",
            Blow::Partition(_, Trouble::Cut, _) => "connection cut",
            Blow::Partition(_, Trouble::Stall, _) => "connection stalled",
            Blow::Partition(_, Trouble::Delay(_), _) => "connection slow",
            Blow::Partition(_, Trouble::Lose(_), _) => "messages lost",
            Blow::Partition(_, Trouble::Double(_), _) => "messages doubled",
            Blow::Partition(_, Trouble::Haunt(_), _) => "messages that come again",
            Blow::DieAt(..) => "kill -9 at a failpoint",
            Blow::PauseAt(..) => "standstill at a failpoint",
            Blow::DiskFull(_) => "full disk",
            Blow::PowerCut => "power cut",
            Blow::Clock(ms, _) if *ms > 0 => "clock ahead",
            Blow::Clock(..) => "clock behind",
        }
    }
}

/// Longer than what makes the router give a switch up ([`UNKNOWN_AFTER`]).
pub const LONG_STOP: Duration = Duration::from_secs(33);
/// What `router.switch_unknown_after_ms` is in a run.
pub const UNKNOWN_AFTER: Duration = Duration::from_secs(30);

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Its number, from 1.
    pub number: usize,
    /// How long after the beginning of the one before.
    pub after: Duration,
    /// Whom it hits.
    pub target: Target,
    /// What it is.
    pub blow: Blow,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "#{} {}: {:?}",
            self.number,
            self.target.name(),
            self.blow
        )
    }
}

/// What a plan is made of.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// The seed.
    pub seed: u64,
    /// How many faults.
    pub faults: usize,
    /// Whether there is a PostgreSQL to strike, and connections to it.
    pub postgres: bool,
    /// Whether journals, and the TDB if it is a file, are on disks of their own.
    pub disks: bool,
}

/// The faults, in order. The same terms give the same plan.
pub fn plan(terms: Terms) -> Vec<Fault> {
    let mut rng = StdRng::seed_from_u64(terms.seed);
    (1..=terms.faults)
        .map(|number| {
            let target = target(&mut rng, terms);
            Fault {
                number,
                after: ms(&mut rng, 200, 1_000),
                target,
                blow: blow(&mut rng, target, terms),
            }
        })
        .collect()
}

fn target(rng: &mut StdRng, terms: Terms) -> Target {
    let if_there = |is_there: bool, weight: u32| if is_there { weight } else { 0 };
    let weights = [
        (Target::Web, 4),
        (Target::RouterA, 8),
        (Target::RouterB, 8),
        (Target::Collector, 6),
        (Target::Dispatcher, 4),
        (Target::SwitchA, 10),
        (Target::SwitchB, 10),
        (Target::Nats, 6),
        (Target::Postgres, if_there(terms.postgres, 4)),
        (Target::TdbDisk, if_there(terms.disks && !terms.postgres, 2)),
    ];
    let chosen = weights.choose_weighted(rng, |(_, weight)| *weight);
    chosen.map_or(Target::RouterA, |(target, _)| *target)
}

fn blow(rng: &mut StdRng, target: Target, terms: Terms) -> Blow {
    // Longer than every lease, and, but for a few, shorter than what makes the router give a switch up.
    let stop = ms(rng, 500, 8_000);
    let down = ms(rng, 0, 3_000);
    let pause = ms(rng, 200, 5_000);
    match (target, rng.random_range(0..100)) {
        (Target::Nats, 0..50) => Blow::Kill(down),
        (Target::Nats, 50..75) => Blow::Restart,
        (Target::Nats, 75..84) => Blow::Stop(stop),
        (Target::Nats, _) => Blow::Wipe,
        (Target::Postgres, 0..60) => Blow::Kill(down),
        (Target::Postgres, _) => Blow::Restart,
        (Target::TdbDisk, 0..50) => Blow::PowerCut,
        (Target::TdbDisk, _) => Blow::DiskFull(ms(rng, 500, 4_000)),
        (_, 0..16) => Blow::Kill(down),
        (_, 16..30) => Blow::Stop(stop),
        (_, 30..38) => Blow::Restart,
        (_, 38..62) => partition(rng, target, terms.postgres),
        (_, 62..78) => Blow::DieAt(point(rng, target), rng.random_range(1..12)),
        (_, 78..85) => Blow::PauseAt(point(rng, target), rng.random_range(1..12), pause),
        (switch, 85..87) if switch.is_switch() => Blow::Wipe,
        (switch, 87..90) if switch.is_switch() => Blow::Tear(rng.random_range(1..200)),
        (switch, 90..93) if switch.is_switch() => Blow::DiskFull(ms(rng, 500, 4_000)),
        (switch, 93..96) if switch.is_switch() && terms.disks => Blow::PowerCut,
        (switch, 99..) if switch.is_switch() => Blow::Stop(LONG_STOP),
        (it, 85..) if it.is_switch() || it.is_router() => clock(rng),
        _ => Blow::Kill(down),
    }
}

/// Off by ten seconds to ten minutes, either way.
fn clock(rng: &mut StdRng) -> Blow {
    let off_ms = rng.random_range(10_000..600_000);
    let sign = if rng.random_bool(0.5) { 1 } else { -1 };
    Blow::Clock(sign * off_ms, ms(rng, 500, 6_000))
}

fn partition(rng: &mut StdRng, target: Target, postgres: bool) -> Blow {
    let link = match postgres && !target.is_switch() && rng.random_bool(0.4) {
        true => Link::Sql,
        false => Link::Nats,
    };
    let kinds = if link == Link::Nats { 6 } else { 3 };
    let trouble = match rng.random_range(0..kinds) {
        0 => Trouble::Cut,
        1 => Trouble::Stall,
        2 => Trouble::Delay(ms(rng, 20, 400)),
        3 => Trouble::Lose(rng.random_range(5..60)),
        4 => Trouble::Double(rng.random_range(20..=100)),
        _ => Trouble::Haunt(ms(rng, 100, 7_000)),
    };
    Blow::Partition(link, trouble, ms(rng, 500, 6_000))
}

fn point(rng: &mut StdRng, target: Target) -> &'static str {
    target.failpoints().choose(rng).copied().unwrap_or_default()
}

fn ms(rng: &mut StdRng, from: u64, to: u64) -> Duration {
    Duration::from_millis(rng.random_range(from..to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        seed: 7,
        faults: 500,
        postgres: true,
        disks: true,
    };

    #[test]
    fn a_seed_gives_one_plan() {
        assert_eq!(plan(TERMS), plan(TERMS));
        assert_ne!(plan(TERMS), plan(Terms { seed: 8, ..TERMS }));
    }

    #[test]
    fn a_longer_plan_begins_like_a_shorter_one() {
        let short = plan(Terms {
            faults: 20,
            ..TERMS
        });
        assert_eq!(short, plan(TERMS)[..20]);
    }

    #[test]
    fn no_blow_is_dealt_to_one_who_can_not_take_it() {
        let sqlite = Terms {
            postgres: false,
            ..TERMS
        };
        let bare = Terms {
            disks: false,
            ..sqlite
        };
        let plans = [plan(TERMS), plan(sqlite), plan(bare)];
        for fault in plans.iter().flatten() {
            let Fault { target, blow, .. } = fault;
            let is_switch = target.is_switch();
            match blow {
                Blow::Wipe => assert!(is_switch || *target == Target::Nats, "{fault}"),
                Blow::Tear(_) => assert!(is_switch, "{fault}"),
                Blow::DiskFull(_) | Blow::PowerCut => {
                    assert!(is_switch || *target == Target::TdbDisk, "{fault}");
                }
                Blow::Clock(..) => assert!(is_switch || target.is_router(), "{fault}"),
                Blow::DieAt(point, _) | Blow::PauseAt(point, ..) => {
                    assert!(target.failpoints().contains(point), "{fault}");
                }
                Blow::Partition(link, trouble, _) => {
                    assert!(
                        *target != Target::Nats && *target != Target::Postgres,
                        "{fault}"
                    );
                    assert!(*link == Link::Nats || !is_switch, "{fault}");
                    let of_messages = matches!(
                        trouble,
                        Trouble::Lose(_) | Trouble::Double(_) | Trouble::Haunt(_)
                    );
                    assert!(*link == Link::Nats || !of_messages, "{fault}");
                }
                _ => {}
            }
        }
        let strikes = |plan: &[Fault], target| plan.iter().any(|fault| fault.target == target);
        for (plan, postgres, tdb_disk) in [
            (&plans[0], true, false),
            (&plans[1], false, true),
            (&plans[2], false, false),
        ] {
            assert_eq!(strikes(plan, Target::Postgres), postgres);
            assert_eq!(strikes(plan, Target::TdbDisk), tdb_disk);
        }
        let cuts_power = |fault: &Fault| fault.blow == Blow::PowerCut;
        assert!(!plans[2].iter().any(cuts_power));
    }
}
