//! Record, request, transfer: the steps that need more than a leg.

use super::steps::{facts, one, runs, ways};
use super::*;
use crate::flow::leg::{Answer, Recorded, RecordingEnd, Request, Transfer, Transferred};
use crate::flow::scripted_leg::{Did, ran_with};
use crate::value::DialNumber;

fn kept(ms: u64) -> Recorded {
    Recorded::Kept {
        name: "r/1.wav".to_owned(),
        ms,
        ended_by: RecordingEnd::Silence,
    }
}

#[test]
fn record_keeps_what_was_said_even_where_a_hangup_ends_it() {
    let first = json!({"record": {"prompt": [{"file": "speak.wav"}], "var": "message"}, "next": "a", "failed": "b"});
    let leg = |recorded: Recorded| ScriptedLeg {
        recordings: [(3_000, recorded)].into(),
        ..ScriptedLeg::default()
    };
    let ran = runs(first.clone(), leg(kept(3_000)));
    assert_eq!(
        (ways(&ran).as_str(), ran.end.variables["message"].as_str()),
        ("a", "r/1.wav")
    );
    // The prompt, the beep and the recording.
    assert_eq!(ran.leg.now_ms, FILE_MS + 300 + 3_000 + 11);
    let failed = runs(first.clone(), leg(Recorded::Failed("disk".to_owned())));
    assert_eq!(
        (
            ways(&failed).as_str(),
            failed.end.variables.contains_key("message")
        ),
        ("b", false)
    );
    let mut hangs_up = leg(kept(3_000));
    hangs_up.hangup_ms = Some(4_000);
    let ran = runs(first, hangs_up);
    assert_eq!(ran.end.why, FlowEndWhy::HungUp);
    assert_eq!(ran.end.variables["message"], "r/1.wav");
    let told = ran.notes.reports.last().unwrap();
    assert!(
        matches!(
            told,
            Report::Recorded {
                ms: 1_700,
                ended_by: RecordingEnd::HungUp,
                ..
            }
        ),
        "{told:?}"
    );
}

fn request(answer: Answer) -> Ran {
    let first = json!({"request": {"url": "https://example.com/orders/{{metadata.order}}",
                        "send": {"who": "{{vars.name}}"}, "sets": ["due", "paid"], "leads_to": ["c", "@hangup"],
                        "timeout_ms": 2000}, "next": "a", "error": "b"});
    runs(
        first,
        ScriptedLeg {
            answers: [(700, answer)].into(),
            ..ScriptedLeg::default()
        },
    )
}

fn replied(body: &str) -> Answer {
    Answer::Replied {
        status: 200,
        body: body.as_bytes().to_vec(),
    }
}

#[test]
fn a_request_sends_what_it_says_and_takes_what_it_may() {
    let ran = request(replied(
        r#"{"vars": {"due": 12.5, "paid": false, "other": "no"}, "more": {}}"#,
    ));
    assert_eq!(ways(&ran), "a");
    assert_eq!(
        variables(&ran),
        [("due", "12.5"), ("menu", "1"), ("paid", "false")]
    );
    let Some(Did::Asked(asked)) = ran.leg.did.iter().find(|did| matches!(did, Did::Asked(_)))
    else {
        panic!("{:?}", ran.leg.did)
    };
    let Request {
        node,
        url,
        body,
        timeout_ms,
    } = asked;
    assert_eq!((node.as_str(), *timeout_ms), ("first", 2_000));
    assert_eq!(url, "https://example.com/orders/A%207%2F%C3%BC");
    let body: Value = serde_json::from_str(body).unwrap();
    let expected = json!({"call_uuid": "018f-1", "to_number": "+14155550123", "from_number": "+14155550100",
        "campaign_name": "autumn", "flow": "test", "node": "first", "data": {"who": "Ann"}});
    assert_eq!(body, expected);
}

#[test]
fn an_answer_that_can_not_be_used_is_an_error_and_sets_nothing() {
    assert_eq!(ways(&request(replied(""))), "a");
    assert_eq!(ways(&request(replied(r#"{"next": "c"}"#))), "c");
    assert_eq!(ways(&request(replied(r#"{"next": "@hangup"}"#))), "");
    let long = format!(r#"{{"vars": {{"due": "{}"}}}}"#, "x".repeat(1_001));
    let huge = format!("\"{}\"", "x".repeat(70_000));
    let deep = "[".repeat(200);
    let cases = [
        (Answer::Failed("it took too long".to_owned()), "too long"),
        (
            Answer::Replied {
                status: 500,
                body: b"{}".to_vec(),
            },
            "200 to 299, got 500",
        ),
        (
            Answer::Replied {
                status: 302,
                body: vec![],
            },
            "got 302",
        ),
        (replied("hello"), "expected value"),
        (replied("[]"), "an object"),
        (replied(&huge), "at most 65536 bytes"),
        (replied(&deep), "deep"),
        (
            replied(r#"{"vars": {"due": "1"}, "next": "d"}"#),
            "one of 'leads_to', got \"d\"",
        ),
        (
            replied(r#"{"vars": {"due": "1"}, "next": 7}"#),
            "'next' to be a text",
        ),
        (
            replied(r#"{"vars": {"due": "1", "paid": []}}"#),
            "'vars.paid'",
        ),
        (replied(r#"{"vars": 1}"#), "'vars' to be an object"),
        (replied(&long), "at most 1000 characters, got 1001"),
        (
            replied(r#"{"vars": {"due": 1}, "vars": {"due": 2}}"#),
            "twice",
        ),
        (
            Answer::Replied {
                status: 200,
                body: vec![0xff],
            },
            "answer",
        ),
    ];
    for (answer, says) in cases {
        let ran = request(answer);
        assert_eq!(ways(&ran), "b", "{says}");
        assert_eq!(variables(&ran), [("menu", "1")], "{says}");
        let told = ran.notes.reports.iter().find_map(|report| match report {
            Report::Requested { error, .. } => error.clone(),
            _ => None,
        });
        assert!(
            told.as_ref().is_some_and(|told| told.contains(says)),
            "{says}: {told:?}"
        );
    }
}

#[test]
fn a_transfer_has_a_way_out_for_each_end() {
    let first = |exits: Value| {
        let mut node = json!({"transfer": {"destination": "{{vars.to}}", "timeout_s": 20,
                               "whisper": [{"tts": "A call of {{vars.name}}."}]}, "failed": "d"});
        for (exit, to) in exits.as_object().unwrap() {
            node[exit] = to.clone();
        }
        node
    };
    let all = json!({"next": "a", "busy": "b", "no_answer": "c"});
    let run = |exits: &Value, to: &str, outcome: Transferred| {
        let mut facts = facts();
        facts.vars.insert("to".to_owned(), to.to_owned());
        let leg = ScriptedLeg {
            transfers: [(9_000, outcome)].into(),
            ..typed("1", 0, 0)
        };
        ran_with(&one(first(exits.clone())), &facts, &(), leg)
    };
    let failed = || Transferred::Failed("no trunk".to_owned());
    for (outcome, with_all, with_none) in [
        (Transferred::Done { ms: 9_000 }, "a", ""),
        (Transferred::Busy, "b", "d"),
        (Transferred::NoAnswer, "c", "d"),
        (failed(), "d", "d"),
    ] {
        assert_eq!(
            ways(&run(&all, "+14155550199", outcome.clone())),
            with_all,
            "{outcome:?}"
        );
        assert_eq!(
            ways(&run(&json!({}), "+14155550199", outcome.clone())),
            with_none,
            "{outcome:?}"
        );
    }
    let ran = run(&all, "+14155550199", Transferred::Busy);
    let expected = Transfer {
        node: "first".to_owned(),
        destination: DialNumber::parse("to", "+14155550199").unwrap(),
        timeout_s: 20,
        whisper: vec![Sound::Tts {
            text: "A call of Ann.".to_owned(),
            voice: None,
            engine: None,
        }],
        deflect: false,
    };
    assert!(
        ran.leg.did.contains(&Did::Transferred(expected, 9_000)),
        "{:?}",
        ran.leg.did
    );
    // What is no number is never dialled.
    for to in ["", "sip:x@y", "911;rm", "+1 415"] {
        let ran = run(&all, to, Transferred::Busy);
        assert_eq!(ways(&ran), "d", "{to}");
        assert!(
            !ran.leg
                .did
                .iter()
                .any(|did| matches!(did, Did::Transferred(..)))
        );
    }
}

/// What is looked up and read on the way must not need more stack than a session's thread has.
#[test]
fn the_other_steps_run_on_a_small_stack_too() {
    const STACK: usize = 160 * 1024;
    let branch = json!({"branch": {"cases": [
        {"var": "vars.name", "matches": "^(Bob|Cid)$", "next": "a"},
        {"hours": "00:00-00:01", "days": "sun", "timezone": "America/Argentina/Buenos_Aires", "next": "a"}], "default": "b"}});
    let nodes = json!({
        "first": branch,
        "a": {"hangup": {}},
        "b": {"say": {"kind": "number", "value": "999999999999", "language": "de"}, "next": "c"},
        "c": {"say": {"kind": "date", "value": "1999-12-31"}, "next": "d"},
        "d": {"request": {"url": "https://example.com/", "sets": ["x"]}, "next": "@hangup", "error": "a"}
    });
    let flow = flow("first", nodes);
    let deep = format!(
        r#"{{"vars": {{"x": 1}}, "more": {}1{}}}"#,
        "[".repeat(14),
        "]".repeat(14)
    );
    let leg = ScriptedLeg {
        answers: [(1, replied(&deep))].into(),
        ..ScriptedLeg::default()
    };
    let thread = std::thread::Builder::new().stack_size(STACK);
    let ran = thread
        .spawn(move || ran(&flow, leg))
        .unwrap()
        .join()
        .unwrap();
    assert_eq!(
        (ran.end.why.clone(), variables(&ran)),
        (FlowEndWhy::Done, vec![("x", "1")])
    );
}
