//! The faults of a seed.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::fmt;
use std::time::Duration;

/// A process of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// The gateway's role `web`.
    Web,
    /// One of the two routers.
    RouterA,
    /// The other.
    RouterB,
    /// The gateway's role `collector`.
    Collector,
    /// The gateway's role `dispatcher`.
    Dispatcher,
    /// One of the two switches.
    SwitchA,
    /// The other.
    SwitchB,
    /// The bus.
    Nats,
    /// The database server, where there is one.
    Postgres,
}

impl Target {
    /// The processes of the gateway.
    pub const GATEWAY: [Target; 5] = [
        Target::Web,
        Target::RouterA,
        Target::RouterB,
        Target::Collector,
        Target::Dispatcher,
    ];
    /// The switches.
    pub const SWITCHES: [Target; 2] = [Target::SwitchA, Target::SwitchB];

    /// Its name in logs, and on the bus if it is a switch.
    pub fn name(self) -> &'static str {
        match self {
            Target::Web => "web",
            Target::RouterA => "router-a",
            Target::RouterB => "router-b",
            Target::Collector => "collector",
            Target::Dispatcher => "dispatcher",
            Target::SwitchA => "switch-a",
            Target::SwitchB => "switch-b",
            Target::Nats => "nats",
            Target::Postgres => "postgres",
        }
    }

    /// The `--roles` of a gateway process.
    pub fn role(self) -> &'static str {
        match self {
            Target::RouterA | Target::RouterB => "router",
            other => other.name(),
        }
    }

    /// Whether it is a switch.
    pub fn is_switch(self) -> bool {
        Target::SWITCHES.contains(&self)
    }

    /// Where a failpoint can be armed in it.
    fn failpoints(self) -> &'static [&'static str] {
        match self {
            Target::Web => &[
                "web.accept.commit.before",
                "web.accept.commit.after",
                "tdb.commit.before",
                "tdb.commit.after",
            ],
            Target::RouterA | Target::RouterB => &[
                "router.assign.before",
                "router.assign.after",
                "router.dispatch.send.before",
                "router.dispatch.send.after",
                "tdb.commit.before",
                "tdb.commit.after",
            ],
            Target::Collector => &[
                "collector.ack.before",
                "collector.ack.after",
                "tdb.commit.before",
                "tdb.commit.after",
            ],
            Target::Dispatcher => &[
                "dispatcher.send.before",
                "dispatcher.send.after",
                "tdb.commit.before",
                "tdb.commit.after",
            ],
            Target::SwitchA | Target::SwitchB => &[
                "journal.append.before",
                "journal.append.after",
                "journal.sync.before",
                "journal.sync.after",
                "module.reply.before",
                "module.reply.after",
                "module.publish.before",
                "module.publish.after",
            ],
            Target::Nats | Target::Postgres => &[],
        }
    }
}

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
    /// A restart with a disk that fills up: journal writes fail for so long.
    DiskFull(Duration),
}

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
}

/// The faults, in order. The same terms give the same plan.
pub fn plan(terms: Terms) -> Vec<Fault> {
    let mut rng = StdRng::seed_from_u64(terms.seed);
    (1..=terms.faults)
        .map(|number| {
            let target = target(&mut rng, terms.postgres);
            Fault {
                number,
                after: ms(&mut rng, 300, 1_500),
                target,
                blow: blow(&mut rng, target, terms.postgres),
            }
        })
        .collect()
}

fn target(rng: &mut StdRng, postgres: bool) -> Target {
    let weights = [
        (Target::Web, 2),
        (Target::RouterA, 4),
        (Target::RouterB, 4),
        (Target::Collector, 3),
        (Target::Dispatcher, 2),
        (Target::SwitchA, 5),
        (Target::SwitchB, 5),
        (Target::Nats, 3),
        (Target::Postgres, if postgres { 2 } else { 0 }),
    ];
    let chosen = weights.choose_weighted(rng, |(_, weight)| *weight);
    chosen.map_or(Target::RouterA, |(target, _)| *target)
}

fn blow(rng: &mut StdRng, target: Target, postgres: bool) -> Blow {
    // Longer than every lease; shorter than what makes the router give a switch up.
    let stop = ms(rng, 500, 8_000);
    let down = ms(rng, 0, 3_000);
    match (target, rng.random_range(0..100)) {
        (Target::Nats, 0..50) => Blow::Kill(down),
        (Target::Nats, 50..75) => Blow::Restart,
        (Target::Nats, 75..85) => Blow::Stop(stop),
        (Target::Nats, _) => Blow::Wipe,
        (Target::Postgres, 0..60) => Blow::Kill(down),
        (Target::Postgres, _) => Blow::Restart,
        (_, 0..22) => Blow::Kill(down),
        (_, 22..40) => Blow::Stop(stop),
        (_, 40..50) => Blow::Restart,
        (_, 50..68) => partition(rng, target, postgres),
        (_, 68..88) => Blow::DieAt(point(rng, target), rng.random_range(1..12)),
        (switch, 88..92) if switch.is_switch() => Blow::Wipe,
        (switch, 92..96) if switch.is_switch() => Blow::Tear(rng.random_range(1..200)),
        (switch, 96..) if switch.is_switch() => Blow::DiskFull(ms(rng, 500, 4_000)),
        _ => {
            let pause = ms(rng, 200, 5_000);
            Blow::PauseAt(point(rng, target), rng.random_range(1..12), pause)
        }
    }
}

fn partition(rng: &mut StdRng, target: Target, postgres: bool) -> Blow {
    let trouble = match rng.random_range(0..3) {
        0 => Trouble::Cut,
        1 => Trouble::Stall,
        _ => Trouble::Delay(ms(rng, 20, 400)),
    };
    let link = match postgres && !target.is_switch() && rng.random_bool(0.5) {
        true => Link::Sql,
        false => Link::Nats,
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
        let plans = [
            plan(TERMS),
            plan(Terms {
                postgres: false,
                ..TERMS
            }),
        ];
        for fault in plans.iter().flatten() {
            let Fault { target, blow, .. } = fault;
            match blow {
                Blow::Wipe => assert!(target.is_switch() || *target == Target::Nats, "{fault}"),
                Blow::Tear(_) | Blow::DiskFull(_) => assert!(target.is_switch(), "{fault}"),
                Blow::DieAt(point, _) | Blow::PauseAt(point, ..) => {
                    assert!(target.failpoints().contains(point), "{fault}");
                }
                Blow::Partition(link, ..) => {
                    assert!(
                        *target != Target::Nats && *target != Target::Postgres,
                        "{fault}"
                    );
                    assert!(*link == Link::Nats || !target.is_switch(), "{fault}");
                }
                _ => {}
            }
        }
        let strikes_sql = |fault: &Fault| fault.target == Target::Postgres;
        assert!(plans[0].iter().any(strikes_sql) && !plans[1].iter().any(strikes_sql));
    }
}
