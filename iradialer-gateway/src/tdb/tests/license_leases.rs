//! What switches hold of the licence: never more than there is, whatever they are told and whenever they end.

use crate::tdb::test_support::*;
use crate::tdb::*;
use iradialer_core::license::{EVALUATION, Limits};
use iradialer_core::value::{CallUuid, NodeId};
use iradialer_core::wire::{LeaseAsk, Use};

const GOOD_FOR_MS: u64 = 60_000;

/// A life of a switch as it takes what it is told.
struct Life {
    node: NodeId,
    incarnation: CallUuid,
    journal: CallUuid,
    asked: u64,
    using: u32,
    cap: u32,
}

impl Life {
    fn of(node: &str) -> Life {
        Life {
            node: NodeId::parse("node_id", node).unwrap(),
            incarnation: CallUuid::fresh(),
            journal: CallUuid::fresh(),
            asked: 0,
            using: 0,
            cap: 0,
        }
    }

    /// The next, with the same journal.
    fn next(&self) -> Life {
        Life {
            journal: self.journal,
            ..Life::of(self.node.as_str())
        }
    }

    fn question(&mut self) -> LeaseAsk {
        self.asked += 1;
        LeaseAsk {
            v: 1,
            node_id: self.node.clone(),
            incarnation: self.incarnation,
            journal_id: self.journal,
            ask: self.asked,
            channels: Use {
                using: self.using,
                has: self.cap,
                most: 100,
            },
            rate: Use {
                using: 0,
                has: 0,
                most: 10_000,
            },
            left_ms: 0,
            leaves: false,
        }
    }

    /// Asks, and takes the answer.
    async fn ask(&mut self, tdb: &Tdb, limits: Limits) -> u32 {
        let question = self.question();
        match lease(tdb, question, limits).await {
            Leased::Given { channels, .. } => self.cap = channels,
            Leased::TooManySwitches(_) => self.cap = 0,
            Leased::Nothing => panic!("no answer"),
        }
        self.cap
    }

    fn over(&self) -> (NodeId, CallUuid, u64) {
        (self.node.clone(), self.incarnation, self.asked)
    }
}

async fn lease(tdb: &Tdb, ask: LeaseAsk, limits: Limits) -> Leased {
    let leased = tdb.lease_license(ask, Some(limits), GOOD_FOR_MS, Vec::new());
    leased.await.unwrap()
}

fn limits(max_channels: u32, max_switches: u32) -> Limits {
    Limits {
        max_channels,
        max_switches,
        ..EVALUATION
    }
}

#[tokio::test]
async fn what_one_gives_up_another_gets_once_it_is_confirmed() {
    let (tdb, _dir) = open().await;
    let limits = limits(20, 4);
    let (mut one, mut other) = (Life::of("sw1"), Life::of("sw2"));
    assert_eq!(one.ask(&tdb, limits).await, 20);
    assert_eq!(other.ask(&tdb, limits).await, 0, "the first holds it all");
    // An answer that is lost: it goes by what it had, and counts so.
    let lost = lease(&tdb, one.question(), limits).await;
    assert_eq!(
        lost,
        Leased::Given {
            channels: 10,
            rate: 2_500
        }
    );
    assert_eq!(other.ask(&tdb, limits).await, 0);
    assert_eq!(one.ask(&tdb, limits).await, 10);
    assert_eq!(other.ask(&tdb, limits).await, 0, "it is not confirmed");
    one.ask(&tdb, limits).await;
    assert_eq!(other.ask(&tdb, limits).await, 10);
    let held = tdb.license_leases().await.unwrap();
    let heights: u32 = held.iter().map(|lease| lease.channels.height).sum();
    assert_eq!(heights, 20);
    // What is up beyond a share counts as well.
    one.using = 12;
    one.ask(&tdb, limits).await;
    assert!(other.ask(&tdb, limits).await <= 10);
}

#[tokio::test]
async fn an_old_question_changes_nothing() {
    let (tdb, _dir) = open().await;
    let limits = limits(20, 4);
    let mut one = Life::of("sw1");
    let early = one.question();
    one.ask(&tdb, limits).await;
    let before = tdb.license_leases().await.unwrap();
    assert_eq!(lease(&tdb, early, limits).await, Leased::Nothing);
    assert_eq!(tdb.license_leases().await.unwrap(), before);
}

#[tokio::test]
async fn a_life_that_has_the_journal_takes_the_place_of_the_one_before() {
    let (tdb, _dir) = open().await;
    let limits = limits(20, 1);
    let mut one = Life::of("sw1");
    one.ask(&tdb, limits).await;
    let mut next = one.next();
    assert_eq!(next.ask(&tdb, limits).await, 20);
    // Its last words are late: both count until the old one has run out.
    let late = lease(&tdb, one.question(), limits).await;
    assert!(
        matches!(late, Leased::Given { channels: 0, .. }),
        "{late:?}"
    );
    // With another journal nobody knows that the one before is gone.
    let mut elsewhere = Life::of("sw1");
    assert_eq!(elsewhere.ask(&tdb, limits).await, 0);
    let given = tdb.lease_license(
        elsewhere.question(),
        Some(limits),
        GOOD_FOR_MS,
        vec![one.over(), next.over()],
    );
    let given = given.await.unwrap();
    assert!(
        matches!(given, Leased::Given { channels: 20, .. }),
        "{given:?}"
    );
}

#[tokio::test]
async fn one_that_was_renewed_meanwhile_has_not_run_out() {
    let (tdb, _dir) = open().await;
    let limits = limits(20, 2);
    let (mut one, mut other) = (Life::of("sw1"), Life::of("sw2"));
    one.ask(&tdb, limits).await;
    let over = one.over();
    one.ask(&tdb, limits).await;
    let given = tdb.lease_license(other.question(), Some(limits), GOOD_FOR_MS, vec![over]);
    let given = given.await.unwrap();
    assert!(
        matches!(given, Leased::Given { channels: 0, .. }),
        "{given:?}"
    );
}

#[tokio::test]
async fn no_more_switches_are_let_in_than_the_licence_allows() {
    let (tdb, _dir) = open().await;
    let two = limits(20, 2);
    let (mut one, mut other, mut third) = (Life::of("sw1"), Life::of("sw2"), Life::of("sw3"));
    one.ask(&tdb, two).await;
    other.ask(&tdb, two).await;
    let refused = lease(&tdb, third.question(), two).await;
    let first = vec![one.node.clone(), other.node.clone()];
    assert_eq!(refused, Leased::TooManySwitches(first));
    assert_eq!(tdb.license_leases().await.unwrap().len(), 2);
    // One leaves, and gives back what it has.
    let mut leaves = one.question();
    leaves.leaves = true;
    assert_eq!(lease(&tdb, leaves, two).await, Leased::Nothing);
    assert_eq!(third.ask(&tdb, two).await, 10);
    // The licence allows less: the last to come have nothing any more.
    let refused = lease(&tdb, third.question(), limits(20, 1)).await;
    assert!(matches!(refused, Leased::TooManySwitches(_)));
    third.using = 3;
    third.cap = 0;
    lease(&tdb, third.question(), limits(20, 1)).await;
    let held = tdb.license_leases().await.unwrap();
    assert_eq!(held[1].channels.height, 3, "what is up counts");
}

#[tokio::test]
async fn where_no_call_may_begin_nothing_is_given() {
    let (tdb, _dir) = open().await;
    let mut one = Life::of("sw1");
    one.ask(&tdb, limits(20, 1)).await;
    let given = tdb.lease_license(one.question(), None, GOOD_FOR_MS, Vec::new());
    let nothing = Leased::Given {
        channels: 0,
        rate: 0,
    };
    assert_eq!(given.await.unwrap(), nothing);
    assert_eq!(tdb.license_leases().await.unwrap()[0].channels.height, 20);
}
