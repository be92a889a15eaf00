use super::*;
use crate::flow::parse;
use crate::flow::properties::any_flow;
use proptest::prelude::*;
use std::path::Path;
use std::sync::LazyLock;

static VALIDATOR: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::draft202012::new(&schema()).unwrap());

fn said(document: &Value) -> Vec<String> {
    VALIDATOR
        .iter_errors(document)
        .map(|error| error.to_string())
        .collect()
}

/// The file that is published is the schema. `UPDATE=1 cargo test -p iradialer-core schema` writes it.
#[test]
fn the_published_file_is_this_schema() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/flow.schema.json");
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == text,
        "{} is not up to date: run this test with UPDATE=1",
        path.display()
    );
}

#[test]
fn it_is_a_schema() {
    jsonschema::draft202012::meta::validate(&schema()).unwrap();
}

/// A document of every step, with all that each may say.
fn everything() -> Value {
    let asks = json!({"prompt": [{"file": "a.wav"}], "timeout_ms": 4000, "retries": 1, "no_input": [{"silence": 9}],
                      "invalid": [{"tone": {"hz": [440], "ms": 9}}]});
    let asking = |more: Value| merged(&asks, &more);
    json!({
        "version": 1, "name": "everything", "start": "play", "language": "de", "vars": {"who": "you"}, "nodes": {
            "play": {"play": [{"url": "https://example.com/{{vars.who}}.wav"}, {"tts": "Hello"},
                     {"tts": {"text": "Hello", "voice": "en-us", "engine": "espeak"}}], "next": "menu",
                     "failed": "menu", "barge_in": false},
            "menu": {"menu": asking(json!({"choices": {"1": "collect", "#": "@back"}, "exhausted": "end", "var": "key"}))},
            "collect": {"collect": asking(json!({"var": "code", "min_digits": 2, "max_digits": 4, "terminators": "#",
                        "inter_digit_ms": 900, "pattern": "^[0-9]+$", "exhausted": "end"})), "next": "confirm"},
            "confirm": {"confirm": asking(json!({"yes": "1", "no": "2", "exhausted": "end", "var": "sure"})),
                        "yes_next": "branch", "no_next": "end", "irreversible": true},
            "branch": {"branch": {"cases": [
                {"var": "code", "equals": "1", "in": ["1", "2"], "matches": "^1", "min": 1, "max": 2.5, "next": "set"},
                {"hours": "09:00-17:30", "days": "mon-fri,sun", "timezone": "Europe/Berlin", "next": "set"},
                {"cpa": ["AM"], "next": "set"}], "default": "set"}},
            "set": {"set": {"x": "{{code}}"}, "next": "say"},
            "say": {"say": {"kind": "money", "value": "{{x}}", "language": "en", "currency": "EUR", "with": "tts"},
                    "next": "record", "failed": "record"},
            "record": {"record": {"prompt": [{"tts": "Speak"}], "var": "message", "max_ms": 9000, "silence_ms": 900,
                       "terminators": "#1", "beep": false}, "next": "request", "failed": "request"},
            "request": {"request": {"url": "https://example.com/", "send": {"x": "{{x}}"}, "sets": ["y"],
                        "leads_to": ["transfer"], "timeout_ms": 900}, "next": "transfer", "error": "end"},
            "transfer": {"transfer": {"destination": "+14155550100", "timeout_s": 9, "whisper": [{"silence": 9}],
                         "deflect": false}, "next": "dnc", "busy": "wait", "no_answer": "wait", "failed": "wait"},
            "dnc": {"dnc": {"scope": "tenant"}, "next": "wait"},
            "wait": {"wait": {"ms": 900, "until_key": true}, "next": "goto"},
            "goto": {"goto": {"flow": "other"}},
            "end": {"hangup": {"cause": "busy"}}
        }
    })
}

#[test]
fn a_flow_of_everything_is_valid_for_both() {
    assert_eq!(said(&everything()), [] as [String; 0]);
    let (flow, _) = parse(everything().to_string().as_bytes())
        .unwrap_or_else(|findings| panic!("{findings:#?}"));
    assert_eq!(flow.nodes.len(), crate::flow::Step::NAMES.len());
    assert_eq!(
        said(&serde_json::to_value(&flow).unwrap()),
        [] as [String; 0]
    );
}

/// Every place of the document, as a JSON pointer.
fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                places(
                    value,
                    &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")),
                    into,
                );
            }
        }
        Value::Array(items) => {
            for (place, value) in items.iter().enumerate() {
                places(value, &format!("{at}/{place}"), into);
            }
        }
        _ => {}
    }
}

/// Fields that are unknown, and values of another type, are what a schema can tell: at every place of the
/// document both refuse them.
#[test]
fn both_refuse_what_has_another_form() {
    let mut all = Vec::new();
    places(&everything(), "", &mut all);
    for place in all {
        let mut document = everything();
        let value = document.pointer_mut(&place).unwrap();
        // What an open object takes is a matter of names and values, not of fields.
        let is_open = ["/vars", "/choices", "/set", "/send"]
            .iter()
            .any(|open| place.ends_with(open))
            || place == "/nodes";
        match value {
            Value::Object(members) if !is_open => {
                members.insert("surplus".to_owned(), json!(1));
            }
            Value::Object(members) => drop(members.insert("sur plus".to_owned(), json!("x"))),
            other => *other = json!({"surplus": 1}),
        }
        assert!(
            !said(&document).is_empty(),
            "the schema takes {place}: {document}"
        );
        assert!(
            parse(document.to_string().as_bytes()).is_err(),
            "the parser takes {place}: {document}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// What the parser takes, the schema takes.
    #[test]
    fn a_flow_that_may_be_run_is_valid(flow in any_flow::sound_flow()) {
        let document = serde_json::to_value(&flow).unwrap();
        prop_assert!(parse(document.to_string().as_bytes()).is_ok());
        prop_assert_eq!(said(&document), Vec::<String>::new());
    }
}
