//! The example flows and their prompts, as they stand in the repository.

use iradialer_core::flow::{
    CallFacts, Flow, FlowEndWhy, Rehearsal, Rehearsed, Scene, Sound, parse,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every example, by its file's name.
fn examples() -> Vec<(String, Flow)> {
    let dir = repository().join("examples/flows");
    let mut examples: Vec<_> = std::fs::read_dir(&dir)
        .unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
        .map(|entry| {
            let path = entry.unwrap().path();
            let json = std::fs::read(&path).unwrap();
            let (flow, warnings) =
                parse(&json).unwrap_or_else(|findings| panic!("{}: {findings:#?}", path.display()));
            assert_eq!(warnings, [], "{}", path.display());
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), flow)
        })
        .collect();
    examples.sort_by(|one, other| one.0.cmp(&other.0));
    examples
}

fn example(name: &str) -> Flow {
    let found = examples().into_iter().find(|(stem, _)| stem == name);
    found.unwrap_or_else(|| panic!("no example {name}")).1
}

fn files(flow: &Flow) -> BTreeSet<String> {
    let sounds = flow.sounds_ahead(&CallFacts::default(), &BTreeSet::new());
    let files = sounds.iter().filter_map(|sound| match sound {
        Sound::File(path) => Some(path.to_string()),
        _ => None,
    });
    files.collect()
}

#[test]
fn examples_are_sound_and_named_as_their_files() {
    let examples = examples();
    for (stem, flow) in &examples {
        assert_eq!(*stem, flow.name);
    }
    let names: Vec<_> = examples.iter().map(|(stem, _)| stem.as_str()).collect();
    let expected = [
        "announce",
        "appointment",
        "confirm",
        "oncall",
        "optout",
        "payment",
        "survey",
        "voicemail",
    ];
    assert_eq!(names, expected);
}

#[test]
fn every_prompt_is_there_and_every_file_is_used() {
    let dir = repository().join("conf/prompts");
    let used: BTreeSet<_> = examples()
        .iter()
        .flat_map(|(_, flow)| files(flow))
        .collect();
    let names = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let there: BTreeSet<_> = names.filter(|name| name.ends_with(".wav")).collect();
    assert_eq!(used, there);
}

/// 8 kHz, mono, 16 bits: played on a trunk of G.711 without resampling.
#[test]
fn prompts_are_telephone_wavs_of_a_few_seconds() {
    for name in examples().iter().flat_map(|(_, flow)| files(flow)) {
        let wav = std::fs::read(repository().join("conf/prompts").join(&name)).unwrap();
        let u16_at = |at: usize| u16::from_le_bytes([wav[at], wav[at + 1]]);
        let u32_at =
            |at: usize| u32::from_le_bytes([wav[at], wav[at + 1], wav[at + 2], wav[at + 3]]);
        assert_eq!(
            (&wav[..4], &wav[8..16], &wav[36..40]),
            (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..]),
            "{name}"
        );
        assert_eq!(
            (u16_at(20), u16_at(22), u32_at(24), u16_at(34)),
            (1, 1, 8_000, 16),
            "{name}"
        );
        let bytes = u32_at(40) as usize;
        assert_eq!(wav.len(), 44 + bytes, "{name}");
        assert!(
            (8_000..6 * 16_000).contains(&bytes),
            "{name}: {bytes} bytes"
        );
        let loudest = wav[44..]
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]).unsigned_abs())
            .max();
        assert!(
            loudest > Some(10_000),
            "{name} is hardly heard: {loudest:?}"
        );
    }
}

/// Plays an example to someone who presses these keys at its questions.
fn played(
    name: &str,
    keys: &str,
    changes: impl FnOnce(&mut Rehearsal, &mut CallFacts),
) -> Rehearsed {
    let mut rehearsal = Rehearsal {
        keys: keys.split(',').map(str::to_owned).collect(),
        ..Rehearsal::default()
    };
    let mut facts = CallFacts {
        to_number: "+15005550123".to_owned(),
        ..CallFacts::default()
    };
    changes(&mut rehearsal, &mut facts);
    let played = rehearsal.of(&example(name), &facts, &());
    assert_eq!(played.end.why, FlowEndWhy::Done, "{name} {keys}");
    played
}

fn scenes(json: serde_json::Value) -> BTreeMap<String, Vec<Scene>> {
    serde_json::from_value(json).unwrap()
}

fn variables(played: &Rehearsed) -> Vec<(&str, &str)> {
    let variables = played.end.variables.iter();
    variables
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

#[test]
fn confirm_does_what_its_prompts_say() {
    let cases = [
        ("1", "hello menu thanks bye", vec![("choice", "1")]),
        (
            "2,4321",
            "hello menu enter_code thanks bye",
            vec![("choice", "2"), ("code", "4321")],
        ),
        (
            "9,1",
            "hello menu hello menu thanks bye",
            vec![("choice", "1")],
        ),
        (
            "5,1",
            "hello menu sorry menu thanks bye",
            vec![("choice", "1")],
        ),
        (
            "2,43#,1234",
            "hello menu enter_code sorry enter_code thanks bye",
            vec![("choice", "2"), ("code", "1234")],
        ),
        (
            "",
            "hello menu still_there menu still_there menu bye",
            vec![("choice", "")],
        ),
        (
            "2",
            "hello menu enter_code still_there enter_code still_there enter_code bye",
            vec![("choice", "2"), ("code", "")],
        ),
    ];
    for (keys, heard, expected) in cases {
        let played = played("confirm", keys, |_, _| {});
        let said = played
            .heard()
            .join(" ")
            .replace("silence:300ms+", "")
            .replace(".wav", "");
        assert_eq!(said, heard, "{keys}");
        assert_eq!(variables(&played), expected, "{keys}");
    }
}

#[test]
fn announce_says_its_piece_and_hangs_up() {
    assert_eq!(
        played("announce", "", |_, _| {}).heard(),
        ["silence:300ms+hello.wav+bye.wav"]
    );
}

#[test]
fn appointment_is_confirmed_moved_or_talked_about() {
    let ways = |keys: &str, agent: &str| {
        played("appointment", keys, |rehearsal, facts| {
            rehearsal.scenes = scenes(serde_json::json!({"agent": [agent]}));
            facts.vars.insert("first_name".to_owned(), "Ann".to_owned());
        })
    };
    let confirmed = ways("1", "done");
    assert_eq!(
        variables(&confirmed),
        [("menu", "1"), ("status", "confirmed")]
    );
    let heard = confirmed.heard().join(" ");
    assert!(
        heard.contains(
            "Hello Ann. You have an appointment on tts:Tuesday December first twenty twenty six"
        ),
        "{heard}"
    );
    assert!(heard.contains("tts:nine thirty a.m."), "{heard}");
    let moved = ways("2,9999,2412", "done");
    assert_eq!(variables(&moved)[1], ("status", "moved to 2412"));
    assert_eq!(ways("0", "done").end.node, "agent");
    assert_eq!(ways("0", "no_answer").end.node, "bye");
    let nobody = ways("", "done");
    assert_eq!(
        (nobody.end.node.as_str(), variables(&nobody)),
        ("bye", vec![("menu", "")])
    );
    let machine = played("appointment", "", |rehearsal, _| {
        rehearsal.cpa = Some("AM".to_owned())
    });
    assert_eq!(machine.nodes(), ["machine", "message"]);
}

#[test]
fn a_payment_is_made_once_it_was_confirmed() {
    let pays = |keys: &str, changes: serde_json::Value| {
        played("payment", keys, |rehearsal, facts| {
            let mut told = serde_json::json!({
                "lookup": [{"reply": {"vars": {"due": 42.5}}}], "pay": [{"reply": {"vars": {"receipt": "77"}}}]
            });
            for (node, scenes) in changes.as_object().unwrap() {
                told[node] = scenes.clone();
            }
            rehearsal.scenes = scenes(told);
            facts.vars.insert("account".to_owned(), "A/7".to_owned());
        })
    };
    let none = serde_json::json!({});
    let all = pays("1,1", none.clone());
    assert_eq!(all.end.node, "bye");
    assert!(
        variables(&all).contains(&("amount", "42.5"))
            && variables(&all).contains(&("receipt", "77"))
    );
    let heard = all.heard().join(" ");
    assert!(
        heard.contains("forty two dollars and fifty cents"),
        "{heard}"
    );
    assert!(
        pays("2,20#,1", none.clone())
            .heard()
            .join(" ")
            .contains("You will pay tts:twenty dollars")
    );
    // Silence, a no and an answer that can't be used pay nothing.
    for (keys, changes, end) in [
        ("1", none.clone(), "bye"),
        ("1,2", none.clone(), "bye"),
        (
            "1,1",
            serde_json::json!({"lookup": [{"status": 500}]}),
            "agent",
        ),
        (
            "1,1",
            serde_json::json!({"lookup": [{"reply": {"vars": {"due": "much"}}}]}),
            "agent",
        ),
        (
            "1,1",
            serde_json::json!({"lookup": [{"reply": {"next": "nothing_due"}}]}),
            "nothing_due",
        ),
    ] {
        let played = pays(keys, changes.clone());
        assert_eq!(played.end.node, end, "{keys} {changes}");
        assert!(!played.nodes().contains(&"pay"), "{keys} {changes}");
    }
}

#[test]
fn a_survey_asks_why_only_where_it_was_bad() {
    let good = played("survey", "1,5,1", |_, _| {});
    assert_eq!(
        variables(&good),
        [("come_again", "1"), ("hello", "1"), ("service", "5")]
    );
    let bad = played("survey", "1,2,2", |_, _| {});
    assert!(variables(&bad).contains(&("complaint", "rehearsal/why.wav")));
    assert_eq!(played("survey", "9", |_, _| {}).nodes(), ["hello", "bye"]);
    // A disk that is full does not end the survey.
    let full = played("survey", "1,1,1", |rehearsal, _| {
        rehearsal.scenes = scenes(serde_json::json!({"why": ["failed"]}));
    });
    assert!(full.nodes().contains(&"again") && !full.end.variables.contains_key("complaint"));
}

#[test]
fn opting_out_of_everything_takes_a_yes() {
    let nodes = |keys: &str| played("optout", keys, |_, _| {}).nodes().join(" ");
    assert_eq!(nodes("9,1"), "offer sure all done bye");
    assert_eq!(nodes("9,2"), "offer sure this_offer done bye");
    assert_eq!(nodes("9"), "offer sure this_offer done bye");
    assert_eq!(nodes(""), "offer bye");
    assert_eq!(nodes("1"), "offer agent");
}

#[test]
fn voicemail_speaks_to_machines_and_people_as_each_needs() {
    let result = |cpa: &str| {
        let played = played("voicemail", "", |rehearsal, _| {
            rehearsal.cpa = Some(cpa.to_owned())
        });
        played.end.variables["result"].clone()
    };
    assert_eq!(result("FX"), "no person and no machine that listens");
    assert_eq!(result("AM"), "message left");
    assert_eq!(result("LV"), "spoken");
}

#[test]
fn an_alarm_is_taken_or_passed_on() {
    let alarm = |keys: &str, at_ms: u64, told: serde_json::Value| {
        played("oncall", keys, |rehearsal, _| {
            rehearsal.now_ms = at_ms;
            rehearsal.scenes = scenes(told);
        })
    };
    let known = serde_json::json!({"check": [{"reply": {"vars": {"name": "Ann"}}}]});
    let taken = alarm("4711#,1", 0, known.clone());
    assert_eq!(taken.end.variables["owner"], "Ann");
    // A Thursday at one in the morning, and one at noon.
    assert_eq!(alarm("4711#,2", 0, known.clone()).end.node, "talked");
    assert!(
        !alarm("4711#,2", 0, known.clone())
            .nodes()
            .contains(&"to_desk")
    );
    assert!(
        alarm("4711#,2", 11 * 3_600_000, known)
            .nodes()
            .contains(&"to_desk")
    );
    let nobody = serde_json::json!({
        "check": [{"reply": {"next": "wrong"}}], "to_second": ["busy"], "to_third": ["no_answer"]
    });
    let nobody = alarm("0000#", 0, nobody);
    assert_eq!(
        (
            nobody.end.variables["owner"].as_str(),
            nobody.end.node.as_str()
        ),
        ("nobody", "bye")
    );
}
