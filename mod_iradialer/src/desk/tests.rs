use super::*;
use proptest::prelude::*;

fn open() -> Desk<u32> {
    let desk = Desk::default();
    desk.be_at(At::Desk);
    desk
}

fn put(desk: &Desk<u32>, job: u32) -> Result<(), NotTaken> {
    let ticket = desk.reserve()?;
    desk.fill(ticket, job)
}

#[test]
fn work_is_done_in_the_order_of_the_requests() {
    let desk = open();
    let (slow, quick) = (desk.reserve().unwrap(), desk.reserve().unwrap());
    desk.fill(quick, 2).unwrap();
    assert_eq!(desk.take(), None, "a slow one is not overtaken");
    desk.fill(slow, 1).unwrap();
    assert_eq!(desk.take(), Some(1));
    assert_eq!(desk.take(), None, "one thing at a time");
    assert_eq!(desk.done(), None);
    assert_eq!(desk.take(), Some(2));
}

#[test]
fn what_can_not_be_had_gives_its_place_back() {
    let desk = open();
    let failed = desk.reserve().unwrap();
    put(&desk, 2).unwrap();
    desk.withdraw(failed);
    assert_eq!(desk.take(), Some(2));
}

#[test]
fn a_full_desk_refuses_one_more() {
    let desk = open();
    put(&desk, 0).unwrap();
    desk.take().unwrap();
    for job in 0..MOST_WAITING as u32 {
        put(&desk, job).unwrap();
    }
    assert_eq!(put(&desk, 99), Err(NotTaken::Full));
    desk.done();
    desk.take().unwrap();
    assert_eq!(put(&desk, 99), Ok(()));
}

#[test]
fn a_stop_ends_what_is_done_and_drops_what_waits() {
    let desk = open();
    put(&desk, 1).unwrap();
    desk.take().unwrap();
    put(&desk, 2).unwrap();
    let slow = desk.reserve().unwrap();
    let stopped = Stopping {
        under_way: true,
        dropped: 2,
        not_begun: None,
    };
    assert_eq!(desk.stop(), Ok(stopped));
    assert!(desk.stop_wanted());
    assert_eq!(desk.fill(slow, 3), Err(NotTaken::Stopped));
    put(&desk, 4).unwrap();
    assert_eq!(desk.done(), Some(2));
    assert!(!desk.stop_wanted());
    assert_eq!(desk.take(), Some(4), "what was asked for later is done");
    assert_eq!(desk.done(), None);
    let nothing = Stopping {
        under_way: false,
        dropped: 0,
        not_begun: None,
    };
    assert_eq!(desk.stop(), Ok(nothing));
}

#[test]
fn what_is_stopped_before_it_begins_is_not_forgotten() {
    let desk = open();
    desk.reserve().unwrap();
    put(&desk, 2).unwrap();
    put(&desk, 3).unwrap();
    let stopped = Stopping {
        under_way: false,
        dropped: 3,
        not_begun: Some(2),
    };
    assert_eq!(desk.stop(), Ok(stopped));
    assert_eq!((desk.take(), desk.stop_wanted()), (None, false));
}

#[test]
fn a_session_that_is_not_at_its_desk_says_why() {
    let desk = Desk::default();
    for (at, why) in [
        (At::Unanswered, NotTaken::Unanswered),
        (At::Flow, NotTaken::FlowRunning),
        (At::Bridge, NotTaken::Bridged),
        (At::Ended, NotTaken::Ended),
        // Nothing comes after the end.
        (At::Desk, NotTaken::Ended),
    ] {
        desk.be_at(at);
        assert_eq!(put(&desk, 1), Err(why), "{at:?}");
        assert_eq!(desk.stop(), Err(why), "{at:?}");
        assert_eq!(desk.take(), None, "{at:?}");
    }
}

#[derive(Debug, Clone)]
enum Act {
    Put,
    Reserve,
    Fill(usize),
    Withdraw(usize),
    Take,
    Done,
    Stop,
    Bridge,
    Unbridge,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => Just(Act::Put),
        3 => Just(Act::Reserve),
        3 => (0..20usize).prop_map(Act::Fill),
        1 => (0..20usize).prop_map(Act::Withdraw),
        4 => Just(Act::Take),
        4 => Just(Act::Done),
        1 => Just(Act::Stop),
        1 => Just(Act::Bridge),
        2 => Just(Act::Unbridge),
    ];
    proptest::collection::vec(act, 1..200)
}

proptest! {
    /// Whatever comes in whatever order: nothing is done twice, nothing out of turn, nothing that was stopped,
    /// and never more wait than may.
    #[test]
    fn any_course(acts in acts()) {
        let desk = open();
        let mut tickets: Vec<(Ticket, u32)> = Vec::new();
        let (mut next, mut last_done, mut busy) = (1, 0, false);
        for act in acts {
            match act {
                Act::Put | Act::Reserve => if let Ok(ticket) = desk.reserve() {
                    tickets.push((ticket, next));
                    next += 1;
                    if matches!(act, Act::Put) {
                        desk.fill(ticket, next - 1).unwrap();
                    }
                },
                Act::Fill(which) => if let Some((ticket, job)) = tickets.get(which) {
                    let _ = desk.fill(*ticket, *job);
                },
                Act::Withdraw(which) => if let Some((ticket, _)) = tickets.get(which) {
                    desk.withdraw(*ticket);
                },
                Act::Take => if let Some(job) = desk.take() {
                    prop_assert!(!busy && job > last_done, "{job} after {last_done}");
                    (last_done, busy) = (job, true);
                },
                Act::Done => {
                    let wanted = desk.stop_wanted();
                    prop_assert_eq!(desk.done().is_some(), wanted);
                    busy = false;
                }
                Act::Stop => if let Ok(stopping) = desk.stop() {
                    prop_assert_eq!(stopping.under_way, busy);
                    prop_assert_eq!(desk.load().waiting, 0);
                    // What was asked for before is never done.
                    last_done = next - 1;
                },
                Act::Bridge => desk.be_at(At::Bridge),
                Act::Unbridge => desk.be_back(),
            }
            prop_assert!(desk.load().waiting <= MOST_WAITING);
        }
    }
}
