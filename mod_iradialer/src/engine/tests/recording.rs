//! Recordings of whole calls: begun, ended by whoever ends them first, and told of before the last event.

use super::*;
use crate::recordings::{Shape, Side};
use iradialer_core::flow;
use iradialer_core::wire::{CallFlow, RecordingEndedBy};
use serde_json::json;

struct Studio {
    bench: Bench,
    dir: tempfile::TempDir,
}

fn studio(least_free_mib: u64) -> Studio {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|config| {
        config.recordings_dir = Some(dir.path().to_owned());
        config.recordings.least_free = least_free_mib << 20;
    });
    Studio { bench, dir }
}

impl Studio {
    fn answered(&self) -> Arc<Call> {
        let call = self.bench.live();
        self.bench.engine.leg_answered(&call, BTreeMap::new());
        call
    }

    /// Both sides for so many packets.
    fn speak(&self, call: &Call, packets: u64) {
        let (_, tape) = *self.bench.host.tapped.lock().last().unwrap();
        for _ in 0..packets {
            self.bench
                .host
                .passed_us
                .fetch_add(20_000, Ordering::SeqCst);
            let now_us = self.bench.host.steady_us();
            assert!(call.hear(tape, Side::Person, &[0x80; 160], now_us));
            assert!(call.hear(tape, Side::Switch, &[0x80; 160], now_us));
        }
    }

    fn end(&self, call: &Arc<Call>) {
        call.end_recordings(Duration::from_secs(30));
        self.bench.end(call, LegFacts::default());
    }
}

fn names(events: &[SwitchEvent]) -> Vec<&'static str> {
    events.iter().map(|event| event.body.name()).collect()
}

#[test]
fn a_call_is_recorded_from_a_request_to_the_next() {
    let mut studio = studio(0);
    let call = studio.answered();
    let engine = Arc::clone(&studio.bench.engine);
    assert!(engine.stop_recording(&call).is_err());
    let name = engine.start_recording(&call, Shape::Stereo).unwrap();
    let error = engine.start_recording(&call, Shape::Mixed).unwrap_err();
    assert!(error.contains("already"), "{error}");
    studio.speak(&call, 50);
    assert_eq!(engine.stop_recording(&call), Ok(name.clone()));
    let (_, tape) = studio.bench.host.tapped.lock()[0];
    assert!(
        !call.hear(tape, Side::Person, &[0; 160], 0),
        "the tap goes on"
    );

    // Another one, which the call's end ends.
    let second = engine.start_recording(&call, Shape::Mixed).unwrap();
    assert_ne!(name, second);
    studio.speak(&call, 25);
    studio.end(&call);
    let events = studio.bench.events();
    assert_eq!(
        names(&events),
        [
            "started",
            "answered",
            "recording_ready",
            "recording_ready",
            "hangup"
        ]
    );
    for (event, expected) in [
        (2, (&name, 1_000, 2, RecordingEndedBy::Request)),
        (3, (&second, 500, 1, RecordingEndedBy::Hangup)),
    ] {
        let EventBody::RecordingReady {
            node: None,
            name,
            duration_ms,
            bytes,
            ended_by,
            channels,
            ..
        } = &events[event].body
        else {
            panic!("{:?}", events[event])
        };
        assert_eq!((name, *duration_ms, *channels, *ended_by), expected);
        let file = std::fs::metadata(studio.dir.path().join(name)).unwrap();
        assert_eq!(file.len(), *bytes);
    }
}

#[test]
fn a_recording_that_fails_is_told_of_in_the_last_event() {
    let mut studio = studio(1 << 30);
    let call = studio.answered();
    let engine = Arc::clone(&studio.bench.engine);
    engine.start_recording(&call, Shape::Mixed).unwrap();
    studio.end(&call);
    let fault = studio.bench.hangup().fault.unwrap();
    assert!(fault.contains("recordings-min-free-mib"), "{fault}");
}

#[test]
fn without_a_folder_nothing_is_recorded_and_no_flow_that_records_is_dialled() {
    let bench = Bench::new();
    let flow = flow::parse(
        json!({"version": 1, "name": "f", "start": "a", "record_call": "stereo",
               "nodes": {"a": {"play": [{"silence": 20}], "next": "@hangup"}}})
        .to_string()
        .as_bytes(),
    );
    let command = DialCommand {
        flow: Some(CallFlow::Inline(flow.unwrap().0)),
        ..bench.command()
    };
    let DialReply::Refused { reason, detail } = bench.dial(&command) else {
        panic!("it was taken")
    };
    assert_eq!(reason, RefusalReason::BadRequest);
    assert!(detail.contains("recordings-dir"), "{detail}");

    let call = bench.live();
    bench.engine.leg_answered(&call, BTreeMap::new());
    let refused = bench.engine.start_recording(&call, Shape::Mixed);
    assert!(refused.unwrap_err().contains("recordings-dir"));
}
