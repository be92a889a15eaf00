//! The JSON Schema of the language, as `docs/flow.schema.json` has it.

use super::check::ask::{INTER_DIGIT_MS, TIMEOUT_MS};
use super::check::prompts::{MAX_PROMPTS, PROMPT_MS, TONE_HZ};
use super::check::steps::MAX_CASES;
use super::check::{MAX_DIGITS, MAX_NODES, MAX_PATTERN_LEN, MAX_RETRIES, MAX_VARS};
use super::document::CPA_CODES;
use super::say;
use super::template::{MAX_NAME_LEN, MAX_TEXT};
use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;

/// A schema (draft 2020-12) of what a flow may look like. What a document must be beyond its looks, such as
/// that a node is there which another leads to, only [`super::check()`] says.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "iradialer flow",
        "description": "What a call does once it is answered.",
        "type": "object",
        "additionalProperties": false,
        "required": ["version", "name", "start", "nodes"],
        "properties": {
            "version": {"const": 1},
            "name": reference("name"),
            "start": reference("name"),
            "language": reference("language"),
            "vars": {
                "description": "Variables given with the call, and what they are where it gives none.",
                "type": "object", "maxProperties": MAX_VARS, "propertyNames": reference("name"),
                "additionalProperties": {"type": "string", "maxLength": MAX_TEXT}
            },
            "no_agent": {"description": "Why nobody can be spoken to here.", "type": "string", "minLength": 1},
            "record_call": {"description": "Records the whole call.", "enum": ["mixed", "stereo"]},
            "nodes": {
                "type": "object", "minProperties": 1, "maxProperties": MAX_NODES,
                "propertyNames": reference("name"), "additionalProperties": reference("node")
            }
        },
        "$defs": definitions()
    })
}

fn definitions() -> Value {
    json!({
        "name": {"type": "string", "pattern": format!("^[A-Za-z0-9_-]{{1,{MAX_NAME_LEN}}}$")},
        "target": {
            "description": "A node, '@back' to where one came from, or '@hangup'.",
            "type": "string", "pattern": "^([^@]|@back$|@hangup$|$)"
        },
        "text": {"description": "{{NAME}} is filled in.", "type": "string", "maxLength": MAX_TEXT},
        "language": {"enum": say::languages()},
        "prompts": {"type": "array", "maxItems": MAX_PROMPTS, "items": reference("prompt")},
        "heard": {"$ref": "#/$defs/prompts", "minItems": 1},
        "retries": {"type": "integer", "minimum": 0, "maximum": MAX_RETRIES},
        "wait_ms": whole(TIMEOUT_MS),
        "key": {"type": "string", "pattern": "^[0-9*#]$"},
        "terminators": {"type": "string", "pattern": "^(|\\*|#|\\*#|#\\*)$"},
        "pattern": {"type": "string", "maxLength": MAX_PATTERN_LEN},
        "prompt": {"oneOf": [
            object(&["file"], json!({"file": reference("text")})),
            object(&["url"], json!({"url": {"$ref": "#/$defs/text", "pattern": "^https?://"}})),
            object(&["tts"], json!({"tts": {"oneOf": [
                reference("text"),
                object(&["text"], json!({
                    "text": reference("text"), "voice": {"type": "string"}, "engine": reference("name")
                }))
            ]}})),
            object(&["silence"], json!({"silence": whole(PROMPT_MS)})),
            object(&["tone"], json!({"tone": object(&["hz", "ms"], json!({
                "hz": {"type": "array", "minItems": 1, "maxItems": 2, "items": whole(TONE_HZ)},
                "ms": whole(PROMPT_MS)
            }))}))
        ]},
        "case": object(&["next"], json!({
            "var": {"type": "string"},
            "equals": {"type": "string"},
            "in": {"type": "array", "minItems": 1, "maxItems": MAX_CASES, "items": {"type": "string"}},
            "matches": reference("pattern"),
            "min": {"type": "number"},
            "max": {"type": "number"},
            "hours": {"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$"},
            "days": {"type": "string", "pattern": "^(mon|tue|wed|thu|fri|sat|sun|[,-])+$"},
            "timezone": {"type": "string"},
            "cpa": {"type": "array", "minItems": 1, "maxItems": MAX_CASES, "items": {"enum": CPA_CODES}},
            "next": reference("target")
        })),
        "node": {"oneOf": nodes()}
    })
}

/// One schema for each step, with the ways out that it has.
fn nodes() -> Vec<Value> {
    let asking = json!({
        "prompt": reference("heard"), "timeout_ms": reference("wait_ms"), "retries": reference("retries"),
        "no_input": reference("prompts"), "invalid": reference("prompts")
    });
    let with = |more: Value| merged(&asking, &more);
    let list =
        |most: usize, items: Value| json!({"type": "array", "maxItems": most, "items": items});
    let texts = json!({
        "type": "object", "maxProperties": MAX_VARS, "propertyNames": reference("name"),
        "additionalProperties": reference("text")
    });
    let some_texts = merged(&texts, &json!({"minProperties": 1}));
    let digits = || whole(1..=MAX_DIGITS);
    vec![
        node(
            "play",
            reference("heard"),
            &["next"],
            &["failed", "barge_in"],
        ),
        node(
            "menu",
            object(
                &["prompt", "choices", "exhausted"],
                with(json!({
                    "choices": {"type": "object", "minProperties": 1, "propertyNames": reference("key"),
                                "additionalProperties": reference("target")},
                    "exhausted": reference("target"), "var": reference("name")
                })),
            ),
            &[],
            &["barge_in"],
        ),
        node(
            "collect",
            object(
                &["prompt", "var", "max_digits", "exhausted"],
                with(json!({
                    "var": reference("name"), "min_digits": digits(), "max_digits": digits(),
                    "terminators": reference("terminators"), "inter_digit_ms": whole(INTER_DIGIT_MS),
                    "pattern": reference("pattern"), "exhausted": reference("target")
                })),
            ),
            &["next"],
            &["barge_in"],
        ),
        node(
            "confirm",
            object(
                &["prompt"],
                with(json!({
                    "yes": reference("key"), "no": {"type": "string", "pattern": "^[0-9*#]+$"},
                    "exhausted": reference("target"), "var": reference("name")
                })),
            ),
            &["yes_next", "no_next"],
            &["barge_in"],
        ),
        node(
            "branch",
            object(
                &["cases", "default"],
                json!({
                    "cases": {"type": "array", "minItems": 1, "maxItems": MAX_CASES, "items": reference("case")},
                    "default": reference("target")
                }),
            ),
            &[],
            &[],
        ),
        node("set", some_texts, &["next"], &[]),
        node(
            "say",
            object(
                &["kind", "value"],
                json!({
                    "kind": {"enum": ["number", "digits", "date", "time", "money"]}, "value": reference("text"),
                    "language": reference("language"), "currency": {"type": "string"}, "with": {"enum": ["files", "tts"]}
                }),
            ),
            &["next"],
            &["failed", "barge_in"],
        ),
        node(
            "record",
            object(
                &["var"],
                json!({
                    "prompt": reference("prompts"), "var": reference("name"), "max_ms": whole(1_000..=600_000),
                    "silence_ms": whole(500..=30_000), "terminators": {"type": "string", "pattern": "^[0-9*#]*$"},
                    "beep": {"type": "boolean"}
                }),
            ),
            &["next"],
            &["failed", "barge_in"],
        ),
        node(
            "request",
            object(
                &["url"],
                json!({
                    "url": {"$ref": "#/$defs/text", "pattern": "^https?://"}, "send": texts,
                    "sets": list(MAX_VARS, reference("name")), "leads_to": list(MAX_VARS, reference("target")),
                    "timeout_ms": whole(100..=30_000)
                }),
            ),
            &["next", "error"],
            &[],
        ),
        node(
            "transfer",
            object(
                &["destination"],
                json!({
                    "destination": reference("text"), "timeout_s": whole(5..=120), "whisper": reference("prompts"),
                    "deflect": {"type": "boolean"}
                }),
            ),
            &["failed"],
            &["next", "busy", "no_answer"],
        ),
        node(
            "dnc",
            object(
                &["scope"],
                json!({"scope": {"enum": ["tenant", "campaign"]}}),
            ),
            &["next"],
            &[],
        ),
        node(
            "wait",
            object(
                &["ms"],
                json!({"ms": whole(1..=60_000), "until_key": {"type": "boolean"}}),
            ),
            &["next"],
            &[],
        ),
        node(
            "hangup",
            object(
                &[],
                json!({
                    "cause": {"enum": ["normal", "busy", "rejected", "temporary_failure"]}
                }),
            ),
            &[],
            &[],
        ),
        node(
            "goto",
            object(&["flow"], json!({"flow": reference("name")})),
            &[],
            &[],
        ),
    ]
}

/// A node that does `step`, with the fields it must and may have besides.
fn node(step: &str, schema: Value, must: &[&str], may: &[&str]) -> Value {
    let mut properties = Map::new();
    properties.insert(step.to_owned(), schema);
    properties.insert("irreversible".to_owned(), json!({"type": "boolean"}));
    for field in must.iter().chain(may) {
        let schema = match *field {
            "barge_in" => json!({"type": "boolean"}),
            _ => reference("target"),
        };
        properties.insert((*field).to_owned(), schema);
    }
    let required: Vec<&str> = [step].into_iter().chain(must.iter().copied()).collect();
    object(&required, Value::Object(properties))
}

fn object(required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

fn whole(range: RangeInclusive<u32>) -> Value {
    json!({"type": "integer", "minimum": range.start(), "maximum": range.end()})
}

fn merged(one: &Value, other: &Value) -> Value {
    let members = [one, other]
        .into_iter()
        .filter_map(Value::as_object)
        .flatten();
    Value::Object(
        members
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    )
}

#[cfg(test)]
mod tests;
