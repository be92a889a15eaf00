//! The samples of docs/flows.md: each is a flow or some nodes of one, and nothing is wrong with it that the page
//! does not say.

use iradialer_core::flow::{Target, parse};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// The blocks of JSON of the page.
fn samples() -> Vec<Value> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/flows.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks = page.split("```json\n").skip(1);
    blocks
        .map(|block| {
            let (json, _) = block.split_once("```").unwrap();
            serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
        })
        .collect()
}

/// The nodes in a flow: a menu leads to each of them, and where they lead to others those hang up.
fn whole(nodes: &Value) -> Value {
    let Value::Object(members) = nodes else {
        panic!("{nodes}")
    };
    let mut all = nodes.clone();
    let mut targets = BTreeSet::new();
    for node in members.values() {
        let node: iradialer_core::flow::Node = serde_json::from_value(node.clone()).unwrap();
        for exit in node.exits() {
            if let Target::Node(name) = exit.target {
                targets.insert(name.clone());
            }
        }
    }
    for name in targets.iter().filter(|name| !members.contains_key(*name)) {
        all[name] = json!({"hangup": {}});
    }
    let choices: serde_json::Map<String, Value> = members
        .keys()
        .zip(0..)
        .map(|(name, key)| (key.to_string(), Value::from(name.as_str())))
        .collect();
    all["start_here"] =
        json!({"menu": {"prompt": [{"silence": 1}], "choices": choices, "exhausted": "@hangup"}});
    json!({"version": 1, "name": "sample", "start": "start_here", "no_agent": "a sample", "nodes": all})
}

#[test]
fn every_sample_can_be_run() {
    let samples = samples();
    assert!(samples.len() >= 7, "{}", samples.len());
    for sample in samples {
        let (flow, is_stuck) = match sample.get("version") {
            Some(_) => (sample.clone(), sample["name"] == "stuck"),
            None => (whole(&sample), false),
        };
        match parse(flow.to_string().as_bytes()) {
            Ok((_, warnings)) => {
                assert!(warnings.is_empty() && !is_stuck, "{warnings:#?} {sample}")
            }
            Err(findings) => assert!(is_stuck, "{findings:#?} {sample}"),
        }
    }
}

/// What is written of every step is looked at by somebody who knows only this page.
#[test]
fn every_step_has_a_sample() {
    let text = samples().iter().map(Value::to_string).collect::<String>();
    for step in iradialer_core::flow::Step::NAMES {
        let is_in_words_only = step == "hangup";
        assert!(
            is_in_words_only || text.contains(&format!("\"{step}\":")),
            "{step}"
        );
    }
}
