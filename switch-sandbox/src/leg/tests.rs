//! The rules of a leg, one by one.

use super::*;
use std::sync::Arc;
use std::time::Duration;

fn leg_in(state: switch_channel_state_t) -> Leg {
    let leg = Leg::default();
    leg.inner.lock().state = state;
    leg.run(state);
    leg
}

fn digit(key: u8) -> switch_dtmf_t {
    switch_dtmf_t {
        digit: key as std::ffi::c_char,
        duration: 2000,
        flags: 0,
        source: SWITCH_DTMF_RTP,
    }
}

#[test]
fn a_call_goes_its_way() {
    let leg = Leg::default();
    for (from, to) in [
        (CS_NEW, CS_INIT),
        (CS_INIT, CS_ROUTING),
        (CS_ROUTING, CS_HIBERNATE),
        (CS_HIBERNATE, CS_EXECUTE),
    ] {
        assert_eq!(leg.change(to), Change::Made { from });
    }
    assert!(leg.hang_up(SWITCH_CAUSE_NORMAL_CLEARING));
    assert_eq!(leg.change(CS_REPORTING), Change::Made { from: CS_HANGUP });
    assert_eq!(leg.change(CS_DESTROY), Change::Made { from: CS_REPORTING });
}

#[test]
fn the_way_down_has_no_way_back() {
    let leg = leg_in(CS_EXECUTE);
    assert!(leg.hang_up(SWITCH_CAUSE_USER_BUSY));
    assert_eq!(leg.change(CS_EXECUTE), Change::None);
    assert_eq!(leg.change(CS_HIBERNATE), Change::None);
    assert_eq!(leg.state(), CS_HANGUP);
}

#[test]
fn forbidden_changes_are_told() {
    assert_eq!(
        leg_in(CS_EXECUTE).change(CS_INIT),
        Change::Forbidden { from: CS_EXECUTE }
    );
    assert_eq!(
        leg_in(CS_ROUTING).change(CS_DESTROY),
        Change::Forbidden { from: CS_ROUTING }
    );
    assert_eq!(
        leg_in(CS_EXECUTE).change(CS_NONE),
        Change::Forbidden { from: CS_EXECUTE }
    );
    assert_eq!(
        leg_in(CS_HIBERNATE).change(CS_INIT),
        Change::Made { from: CS_HIBERNATE }
    );
    assert_eq!(leg_in(CS_EXECUTE).change(CS_EXECUTE), Change::None);
}

#[test]
fn the_first_hangup_wins() {
    let leg = leg_in(CS_EXECUTE);
    let leg = Arc::new(leg);
    let first: Vec<bool> = std::thread::scope(|scope| {
        let hang_up = |cause| {
            let leg = leg.clone();
            scope.spawn(move || leg.hang_up(cause))
        };
        let threads: Vec<_> = (1..=8).map(hang_up).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(first.iter().filter(|won| **won).count(), 1);
    let winner = first.iter().position(|won| *won).unwrap() as switch_call_cause_t + 1;
    assert_eq!(leg.cause(), winner);
}

#[test]
fn an_answer_after_the_hangup_is_too_late() {
    let leg = leg_in(CS_HIBERNATE);
    assert!(leg.mark_ringing());
    assert!(!leg.mark_ringing());
    assert_eq!(leg.mark_answered(), Answered::Now);
    assert_eq!(leg.mark_answered(), Answered::Before);
    assert!(!leg.mark_early_media());
    let down = leg_in(CS_HIBERNATE);
    down.hang_up(SWITCH_CAUSE_ORIGINATOR_CANCEL);
    assert_eq!(down.mark_answered(), Answered::TooLate);
    assert!(!down.has_media());
}

#[test]
fn ready_means_up_and_settled() {
    assert!(!leg_in(CS_ROUTING).is_ready());
    assert!(leg_in(CS_EXECUTE).is_ready());
    let leg = leg_in(CS_EXECUTE);
    leg.own_by_this_thread();
    leg.change(CS_HIBERNATE);
    assert!(!leg.is_ready(), "its own thread has a change to act on");
    std::thread::scope(|scope| {
        assert!(
            scope.spawn(|| leg.is_ready()).join().unwrap(),
            "others cannot know"
        );
    });
    leg.hang_up(SWITCH_CAUSE_NORMAL_CLEARING);
    assert!(!leg.is_ready());
}

#[test]
fn digits_come_in_order_and_the_oldest_goes_when_full() {
    let leg = leg_in(CS_EXECUTE);
    leg.push_digit(digit(b'1'));
    leg.push_digit(digit(b'2'));
    assert_eq!(leg.digits(), 2);
    assert_eq!(leg.pop_digit().unwrap().digit, b'1' as std::ffi::c_char);
    for _ in 0..DIGITS_KEPT {
        leg.push_digit(digit(b'#'));
    }
    assert_eq!(leg.pop_digit().unwrap().digit, b'#' as std::ffi::c_char);
    assert_eq!(leg.digits(), DIGITS_KEPT - 1);
}

#[test]
fn waits_end_for_their_reason() {
    let long = || Instant::now() + Duration::from_secs(60);
    let leg = leg_in(CS_EXECUTE);
    assert_eq!(leg.wait(Instant::now(), true), Woken::Time);
    leg.push_digit(digit(b'1'));
    assert_eq!(leg.wait(long(), true), Woken::Digit);
    assert_eq!(leg.wait(Instant::now(), false), Woken::Time);
    leg.hang_up(SWITCH_CAUSE_NORMAL_CLEARING);
    assert_eq!(leg.wait(long(), true), Woken::State);
}

#[test]
fn a_change_wakes_the_sleeping_thread() {
    let leg = leg_in(CS_HIBERNATE);
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            leg.sleep_until_changed();
            leg.state()
        });
        leg.change(CS_EXECUTE);
        assert_eq!(sleeper.join().unwrap(), CS_EXECUTE);
    });
}

#[test]
fn a_held_leg_is_not_closed() {
    let leg = leg_in(CS_EXECUTE);
    assert!(leg.hold(false));
    leg.hang_up(SWITCH_CAUSE_NORMAL_CLEARING);
    assert!(!leg.hold(false), "nobody locates a leg that is going down");
    assert!(leg.hold(true));
    let closed = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            leg.close();
            closed.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        assert!(leg.release());
        std::thread::sleep(Duration::from_millis(5));
        assert!(
            !closed.load(std::sync::atomic::Ordering::SeqCst),
            "one still holds it"
        );
        assert!(leg.release());
    });
    assert!(closed.into_inner());
    assert!(!leg.hold(true));
    assert!(!leg.release(), "there is no hold left to give back");
}
