//! The scripts in virtual time: no clock runs, the steps carry their moments.

use super::Act::{Answer, EarlyMedia, GiveUp, HangUp, Refuse, Ring};
use super::*;

fn timeline(number: &str) -> Vec<(u128, Act)> {
    script_of(number)
        .0
        .into_iter()
        .map(|step| (step.at.as_millis(), step.act))
        .collect()
}

fn key(key: u8) -> Act {
    Act::Press(key, KeyWay::Rtp)
}

#[test]
fn presses_one_after_the_prompt_has_begun() {
    assert_eq!(
        timeline("+15005550001"),
        [(20, Ring), (1020, Answer), (2520, key(b'1'))]
    );
}

#[test]
fn presses_a_key_then_a_number() {
    let expected = [
        (20, Ring),
        (2020, Answer),
        (3520, key(b'1')),
        (6020, key(b'4')),
        (6320, key(b'3')),
        (6620, key(b'2')),
        (6920, key(b'1')),
        (7220, key(b'#')),
    ];
    assert_eq!(timeline("+15005550006"), expected);
}

#[test]
fn the_rest_of_the_single_numbers() {
    assert_eq!(timeline("+15005550002"), [(20, Answer)]);
    assert_eq!(timeline("+15005550003"), [(20, Refuse(486))]);
    assert_eq!(timeline("+15005550004"), [(20, Ring)]);
    assert_eq!(timeline("+15005550005"), [(20, Refuse(603))]);
    assert_eq!(timeline("+15005550007"), [(20, Answer), (720, HangUp)]);
    assert_eq!(
        timeline("+15005550008"),
        [(6000, Ring), (8000, Answer), (9500, key(b'1'))]
    );
    assert_eq!(
        timeline("+15005550009"),
        [(20, Ring), (3020, Answer), (33_020, HangUp)]
    );
    assert_eq!(
        timeline("+15005550010"),
        [(20, EarlyMedia), (2020, Answer), (3520, key(b'1'))]
    );
    assert_eq!(timeline("+15005550011"), [(20, Answer)]);
    assert_eq!(timeline("+15005550012"), [(32_000, GiveUp)]);
    assert_eq!(
        timeline("+15005550013"),
        [(20, Answer), (1520, Act::Press(b'1', KeyWay::Info))]
    );
    assert_eq!(timeline("+15005550014"), timeline("+15005550004"));
}

#[test]
fn digits_in_the_number_are_pressed() {
    assert_eq!(
        timeline("+150055690"),
        [(20, Answer), (1020, key(b'9')), (1270, key(b'0'))]
    );
    assert_eq!(timeline("+150055612345678").len(), 9);
    for not_meant in ["+1500556", "+1500556123456789", "+150055612x"] {
        assert_eq!(timeline(not_meant), [(20, Refuse(404))], "{not_meant}");
    }
}

#[test]
fn a_status_in_the_number_is_answered() {
    assert_eq!(timeline("+15005557503"), [(20, Refuse(503))]);
    for not_meant in [
        "+15005557200",
        "+15005557399",
        "+15005557700",
        "+1500555750",
        "+1500555+503",
    ] {
        assert_eq!(timeline(not_meant), [(20, Refuse(404))], "{not_meant}");
    }
}

#[test]
fn a_rate_in_the_number_is_a_carriers() {
    assert_eq!(
        timeline("+1500555804"),
        [(20, Ring), (220, Answer), (720, HangUp)]
    );
    assert_eq!(rate_of("+1500555804"), Some(4));
    for not_meant in ["+1500555800", "+150055584", "+15005558044", "+1500555+04"] {
        assert_eq!(timeline(not_meant), [(20, Refuse(404))], "{not_meant}");
        assert_eq!(rate_of(not_meant), None, "{not_meant}");
    }
}

#[test]
fn any_other_number_does_not_exist() {
    for number in ["", "+15005550000", "15005550001", "+4930123456", "sip:x"] {
        assert_eq!(timeline(number), [(20, Refuse(404))], "{number:?}");
    }
}

#[test]
fn time_never_goes_back() {
    for listed in LISTED {
        let Number::Is(number) = listed.number else {
            continue;
        };
        let steps = script_of(number).0;
        assert!(steps.is_sorted_by_key(|step| step.at), "{number}");
        assert!(!steps.is_empty(), "{number}");
    }
}

#[test]
fn the_table_lists_every_number_once() {
    let table = table();
    for listed in LISTED {
        let (Number::Is(number) | Number::StartsWith(number, _)) = listed.number;
        assert_eq!(table.matches(number).count(), 1, "{number} in\n{table}");
    }
    assert!(table.contains("anything else"));
}

#[test]
fn one_that_is_told_speaks() {
    let script = script_told("+15005550099", Some("~~1")).unwrap();
    let did: Vec<(u128, Act)> = script
        .0
        .iter()
        .map(|step| (step.at.as_millis(), step.act))
        .filter(|(_, act)| !matches!(act, Act::Ring | Act::Answer))
        .collect();
    let begins = did[0].0;
    let since: Vec<_> = did.iter().map(|(at, act)| (at - begins, *act)).collect();
    let expected = [
        (0, Act::Speak(true)),
        (1_000, Act::Speak(false)),
        (1_000, Act::Press(b'1', KeyWay::Rtp)),
    ];
    assert_eq!(since, expected);
}

#[test]
fn a_refer_is_taken_to_an_address() {
    let first = |target| {
        refer_of("+15005550030", target)
            .first()
            .map(|(_, said)| *said)
    };
    let taken = Some(Refer::Status(202));
    assert_eq!(first("<sip:+15005550099@127.0.0.1>"), taken);
    for wrong in [
        "",
        "+15005550099",
        "sip:1@x",
        "<sip:+@x>",
        "<sip:1@>",
        "<sip:a@x>",
    ] {
        assert_eq!(first(wrong), Some(Refer::Status(400)), "{wrong}");
    }
}

#[test]
fn one_that_is_told_presses_waits_and_hangs_up() {
    let script = script_told("+15005550099", Some("1#,!")).unwrap();
    let expected = [
        (20, Ring),
        (320, Answer),
        (1820, key(b'1')),
        (2080, key(b'#')),
        (2840, HangUp),
    ];
    let timeline = script.0.iter().map(|step| (step.at.as_millis(), step.act));
    assert_eq!(timeline.collect::<Vec<_>>(), expected);
    assert_eq!(
        script_told("+15005550099", None).unwrap(),
        script_of("+15005550099")
    );
    assert!(script_told("+15005550001", Some("1")).is_none());
}
