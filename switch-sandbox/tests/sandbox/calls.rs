//! Calls from begin to end, as a module sees them.

use crate::harness::{Sandbox, eventually};

/// The milliseconds in `… in N ms…` of the entry that starts with `what`.
fn lasted_ms(story: &[String], what: &str) -> u64 {
    let entry = story
        .iter()
        .find(|entry| entry.starts_with(what))
        .unwrap_or_else(|| panic!("{what} in {story:#?}"));
    let (_, rest) = entry.split_once(" in ").unwrap();
    rest.split_once(" ms").unwrap().0.parse().unwrap()
}

/// The last `count` things that happened.
fn ending(story: &[String], count: usize) -> Vec<&str> {
    let begin = story.len().saturating_sub(count);
    story[begin..].iter().map(String::as_str).collect()
}

/// What happened, without how long it took.
fn without_time(entry: &str) -> &str {
    entry.split(" in ").next().unwrap_or(entry)
}

#[test]
fn an_answered_call_goes_through_its_states_in_order() {
    let sandbox = Sandbox::start(&["--clock-rate", "20"]);
    let uuid = sandbox.call("+15005550001");
    let entries = sandbox.wait_for(&uuid, "destroy");
    // On a machine that stands still for a moment the answer may come before the sleep.
    let entries = entries.iter().filter(|entry| entry.what != "hibernate");
    let (own, others): (Vec<_>, Vec<_>) = entries
        .partition(|entry| !entry.what.starts_with("message") && !entry.what.starts_with("digit"));
    let story: Vec<_> = own.iter().map(|entry| entry.what.clone()).collect();
    assert_eq!(
        story
            .iter()
            .map(|entry| without_time(entry))
            .collect::<Vec<_>>(),
        [
            "init",
            "routing",
            "execute ready 1 media 1",
            "callback 1 type 0 buf own 3",
            "played 0",
            "read 50 frames",
            "hangup NORMAL_CLEARING",
            "reporting status - phrase - term - disposition send_bye call-id set",
            "destroy",
        ]
    );
    assert!(
        own.iter().all(|entry| entry.thread == own[0].thread),
        "{own:#?}"
    );
    let from_outside: Vec<_> = others.iter().map(|entry| entry.what.as_str()).collect();
    assert_eq!(
        from_outside,
        ["message ring", "message answer", "digit 1 direction 0"]
    );
    assert!(
        others.iter().all(|entry| entry.thread != own[0].thread),
        "{others:#?}"
    );
    // 3 s of prompt and 50 frames of 20 ms; late is what a busy machine may make them.
    assert!(lasted_ms(&story, "played") >= 3000);
    assert!(lasted_ms(&story, "read") >= 49 * 20);
}

#[test]
fn early_media_comes_before_the_answer() {
    let sandbox = Sandbox::start(&["--clock-rate", "50"]);
    let story = sandbox.story("+15005550010");
    let at = |what: &str| story.iter().position(|entry| entry.starts_with(what));
    assert!(
        at("message progress").unwrap() < at("message answer").unwrap(),
        "{story:#?}"
    );
    assert_eq!(at("message ring"), None);
}

#[test]
fn keys_come_in_order_and_one_of_them_ends_the_prompt() {
    let sandbox = Sandbox::start(&["--clock-rate", "50"]);
    sandbox.cli("probe play silence_stream://60000");
    let story = sandbox.story("+15005550006");
    let callbacks: String = story
        .iter()
        .filter_map(|entry| entry.strip_prefix("callback ")?.chars().next())
        .collect();
    assert_eq!(callbacks, "14321#");
    assert!(
        story.iter().any(|entry| entry.starts_with("played 11 ")),
        "{story:#?}"
    );
    assert!(lasted_ms(&story, "played") < 60_000);
}

#[test]
fn a_key_by_info_is_queued_and_one_that_the_hook_takes_is_not() {
    let sandbox = Sandbox::start(&["--clock-rate", "2"]);
    // A tone so short that the key comes while frames are read.
    sandbox.cli("probe play tone_stream://%(1000,0,440)");
    let story = sandbox.story("+15005550013");
    assert!(
        story.contains(&"dequeued 1 source 3".to_owned()),
        "{story:#?}"
    );
    sandbox.cli("probe swallow 1");
    let story = sandbox.story("+15005550013");
    assert!(
        story.contains(&"digit 1 direction 0".to_owned()),
        "{story:#?}"
    );
    assert!(
        !story.iter().any(|entry| entry.starts_with("dequeued")),
        "{story:#?}"
    );
}

#[test]
fn a_refused_call_tells_status_and_phrase() {
    let sandbox = Sandbox::start(&["--clock-rate", "50"]);
    for (number, cause, report) in [
        (
            "+15005550003",
            "USER_BUSY",
            "status 486 phrase Busy Here term 486",
        ),
        (
            "+15005550005",
            "CALL_REJECTED",
            "status 603 phrase Decline term 603",
        ),
        (
            "+15005557503",
            "NORMAL_TEMPORARY_FAILURE",
            "status 503 phrase Service Unavailable term 503",
        ),
        (
            "+49301234567",
            "UNALLOCATED_NUMBER",
            "status 404 phrase Not Found term 404",
        ),
    ] {
        let story = sandbox.story(number);
        let expected = [
            &format!("hangup {cause}"),
            &format!("reporting {report} disposition recv_refuse call-id set"),
            "destroy",
        ];
        assert_eq!(ending(&story, 3), expected, "{number}");
        assert!(
            !story.iter().any(|entry| entry.starts_with("execute")),
            "{story:#?}"
        );
    }
}

#[test]
fn a_call_that_nobody_answers_at_all_has_no_phrase() {
    let sandbox = Sandbox::start(&["--clock-rate", "500"]);
    let story = sandbox.story("+15005550012");
    assert_eq!(
        ending(&story, 3),
        [
            "hangup RECOVERY_ON_TIMER_EXPIRE",
            "reporting status 408 phrase Request Timeout term 408 disposition recv_refuse call-id -",
            "destroy",
        ]
    );
}

#[test]
fn a_ringing_call_is_cancelled() {
    let sandbox = Sandbox::start(&["--clock-rate", "20"]);
    let uuid = sandbox.call("+15005550014");
    sandbox.wait_for(&uuid, "message ring");
    sandbox.wait_for(&uuid, "hibernate");
    sandbox.cli(&format!("probe hangup {uuid}"));
    let entries = sandbox.wait_for(&uuid, "destroy");
    let story: Vec<_> = entries.into_iter().map(|entry| entry.what).collect();
    assert_eq!(
        ending(&story, 3),
        [
            "hangup MANAGER_REQUEST",
            "reporting status 487 phrase CANCEL term - disposition send_cancel call-id set",
            "destroy",
        ]
    );
}

#[test]
fn a_far_end_that_hangs_up_cuts_the_prompt() {
    let sandbox = Sandbox::start(&["--clock-rate", "1"]);
    let story = sandbox.story("+15005550007");
    assert_eq!(
        ending(&story, 5)
            .iter()
            .map(|entry| without_time(entry))
            .collect::<Vec<_>>(),
        [
            // The host's prompt leaves its loop with the status it had.
            "played 0",
            "read 0 frames",
            "hangup NORMAL_CLEARING",
            "reporting status - phrase - term 200 disposition recv_bye call-id set",
            "destroy",
        ]
    );
    assert!(lasted_ms(&story, "played") < 3000, "{story:#?}");
}

#[test]
fn prompts_are_files_that_exist() {
    let sandbox = Sandbox::start(&["--clock-rate", "50"]);
    let wav = sandbox.dir().join("half.wav");
    // 8 kHz, 16 bits, mono: 8000 bytes are half a second.
    let mut bytes =
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data"
            .to_vec();
    bytes.extend_from_slice(&8000_u32.to_le_bytes());
    bytes.extend_from_slice(&[0; 8000]);
    std::fs::write(&wav, bytes).unwrap();
    sandbox.cli(&format!("probe play {}", wav.display()));
    let story = sandbox.story("+15005550002");
    assert!(
        story.iter().any(|entry| entry.starts_with("played 0 ")),
        "{story:#?}"
    );
    assert!(lasted_ms(&story, "played") >= 500);
    sandbox.cli("probe play /no/such/prompt.wav");
    let story = sandbox.story("+15005550002");
    assert!(
        story.iter().any(|entry| entry.starts_with("played 14 ")),
        "{story:#?}"
    );
}

#[test]
fn a_located_session_waits_with_its_end() {
    let sandbox = Sandbox::start(&["--clock-rate", "20"]);
    let uuid = sandbox.call("+15005550004");
    assert_eq!(sandbox.cli(&format!("probe hold {uuid}")), "held\n");
    sandbox.cli(&format!("probe hangup {uuid}"));
    let before = sandbox.wait_for(&uuid, "reporting");
    assert!(
        before.iter().all(|entry| entry.what != "destroy"),
        "{before:#?}"
    );
    assert_eq!(sandbox.total("show channels"), 1);
    sandbox.cli("probe release");
    sandbox.wait_for(&uuid, "destroy");
    assert_eq!(sandbox.cli(&format!("probe hold {uuid}")), "not there\n");
}

#[test]
fn each_hangup_is_reported_once_whoever_races_for_it() {
    let sandbox = Sandbox::start(&["--clock-rate", "100"]);
    let idle = sandbox.threads();
    // Rings, answers at once, hangs up by itself, is refused: each against four hangups.
    for number in [
        "+15005550004",
        "+15005550002",
        "+15005550007",
        "+15005550003",
    ] {
        sandbox.cli(&format!("probe race {number} 60"));
    }
    sandbox.wait_until_idle(idle);
    let journal = sandbox.cli("probe journal");
    let mut calls = std::collections::BTreeMap::<&str, Vec<&str>>::new();
    for line in journal.lines() {
        let mut words = line.splitn(3, ' ');
        let (uuid, what) = (words.next().unwrap(), words.nth(1).unwrap());
        // What comes from outside may still be on its way while the call ends.
        if what.starts_with("message") || what.starts_with("digit") {
            continue;
        }
        calls
            .entry(uuid)
            .or_default()
            .push(what.split(' ').next().unwrap());
    }
    assert_eq!(calls.len(), 240);
    for (uuid, story) in calls {
        assert!(
            story.ends_with(&["hangup", "reporting", "destroy"]),
            "{uuid}: {story:?}"
        );
        for once in [
            "init",
            "routing",
            "execute",
            "hangup",
            "reporting",
            "destroy",
        ] {
            assert!(
                story.iter().filter(|what| **what == once).count() <= 1,
                "{uuid}: {story:?}"
            );
        }
    }
}

#[test]
fn invites_are_counted_by_number() {
    let sandbox = Sandbox::start(&["--clock-rate", "50"]);
    sandbox.story("+15005550003");
    sandbox.story("+15005550003");
    sandbox.story("+15005550005");
    assert_eq!(
        sandbox.cli("show invites"),
        "+15005550003 2\n+15005550005 1\n\n3 total.\n"
    );
}

#[test]
fn thousands_ring_at_once() {
    let sandbox = Sandbox::start(&["--clock-rate", "0.5"]);
    let idle = sandbox.steady_threads();
    sandbox.cli("probe ring +15005550004 3000");
    assert_eq!(sandbox.total("show channels"), 3000);
    assert_eq!(sandbox.steady_threads(), idle + 3000);
    assert_eq!(sandbox.cli("unload mod_probe"), "+OK\n");
    eventually("all threads to end", || sandbox.threads() == idle);
}
