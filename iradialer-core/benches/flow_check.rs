//! What reading and checking a flow costs, from its JSON to the last finding.
//!
//! `cargo bench -p iradialer-core`. A flow of 500 nodes is to take less than 10 ms.

use iradialer_core::flow::{MAX_NODES, check, parse};
use serde_json::{Map, Value, json};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How often each is measured.
const TIMES: usize = 200;

fn main() {
    println!("reading and checking a flow, median (p99):");
    println!("  nodes   bytes of JSON   read and check       check alone");
    for count in [10, 100, MAX_NODES] {
        let json = flow(count).to_string();
        let (flow, findings) = match parse(json.as_bytes()) {
            Ok(parsed) => parsed,
            Err(findings) => panic!("{findings:#?}"),
        };
        assert_eq!(findings, []);
        let whole = measure(|| drop(black_box(parse(black_box(json.as_bytes())))));
        let alone = measure(|| drop(black_box(check(black_box(&flow)))));
        println!("{count:7} {:15}   {whole}   {alone}", json.len());
    }
}

/// The median and the 99th percentile.
fn measure(mut work: impl FnMut()) -> String {
    let mut times: Vec<Duration> = (0..TIMES)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        })
        .collect();
    times.sort();
    let ms = |place: usize| times[place].as_secs_f64() * 1_000.0;
    format!("{:6.2} ({:5.2}) ms", ms(TIMES / 2), ms(TIMES * 99 / 100))
}

/// A flow in which every kind of node comes up in turn, and each leads to some later ones: nothing is wrong
/// with it, so all of it is looked at.
fn flow(count: usize) -> Value {
    let name = |place: usize| match place < count {
        true => format!("node{place:03}"),
        false => "@hangup".to_owned(),
    };
    let asks = |more: Value| {
        let mut step = json!({
            "prompt": [{"file": "menu.wav"}, {"tts": "Hello {{vars.first_name}}, what is it about?"}],
            "retries": 2, "no_input": [{"file": "still_there.wav"}], "invalid": [{"file": "sorry.wav"}]
        });
        if let (Value::Object(step), Value::Object(more)) = (&mut step, more) {
            step.extend(more);
        }
        step
    };
    let nodes: Map<String, Value> = (0..count)
        .map(|place| {
            let (next, later) = (name(place + 1), name(place + 7));
            let node = match place % 8 {
                _ if place + 1 == count => json!({"hangup": {}}),
                0 => json!({"play": [{"file": "hello.wav"}, {"silence": 200}], "next": next}),
                1 => json!({"menu": asks(json!({
                    "choices": {"1": next, "2": later, "0": "@hangup"}, "exhausted": next}))}),
                2 => json!({"collect": asks(json!({
                    "var": format!("code{place}"), "max_digits": 8, "terminators": "#",
                    "pattern": format!("^[0-9]{{{},8}}$", place % 7 + 1), "exhausted": later})), "next": next}),
                3 => json!({"confirm": asks(json!({"exhausted": later})), "yes_next": next, "no_next": later}),
                4 => json!({"branch": {"cases": [
                    {"var": "vars.first_name", "matches": "^[A-M]", "next": later},
                    {"hours": "09:00-17:30", "days": "mon-fri", "timezone": "Europe/Berlin", "next": later}],
                    "default": next}}),
                5 => json!({"say": {"kind": "money", "value": "12.50"}, "next": next}),
                6 => json!({"request": {"url": "https://example.com/{{call.call_uuid}}", "sets": ["due"]},
                            "next": next, "error": later}),
                _ => json!({"transfer": {"destination": "+14155550100"}, "next": next, "failed": next}),
            };
            (name(place), node)
        })
        .collect();
    json!({"version": 1, "name": "long", "start": "node000", "nodes": nodes})
}
