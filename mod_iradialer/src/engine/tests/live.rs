//! Live requests on a call whose time passes frame by frame: what is queued, what is refused, what is
//! stopped, and what is told of it. A request takes effect with the frame after it.

mod connect;
mod make_call;

use super::*;
use crate::call::{Attended, SessionLeg};
use crate::prompts::Sounds;
use crate::transfer::Manner;
use iradialer_core::flow::{Heard, Leg, LegEnd, Listen, Played, Sound, Transferred};
use iradialer_core::live::{Answer, name};
use serde_json::{Value, json};
use std::collections::VecDeque;

const FRAME_MS: u64 = 20;
/// How long each file of a scene is.
const FILE_MS: u64 = 1_000;
/// The call that one is connected with.
const PEER: &str = "11111111-1111-4111-8111-111111111111";

type Act = Box<dyn FnOnce(&Scene)>;

/// A call that is answered, and what happens to it at which ms after the answer.
struct Scene {
    bench: Bench,
    call: Arc<Call>,
    acts: Mutex<Vec<(u64, Act)>>,
    answers: Mutex<Vec<(u64, Answer)>>,
    handed_over: Mutex<Vec<Manner>>,
    sent_back: Mutex<Vec<CallUuid>>,
    copies: Mutex<tokio::sync::mpsc::Receiver<(iradialer_core::live::EventSubject, bytes::Bytes)>>,
}

impl Scene {
    fn new() -> Scene {
        let bench = Bench::new();
        let wav = test_support::wav(1, 1, 8_000, 16, &[0; 16_000]);
        for name in ["a.wav", "b.wav", "c.wav"] {
            std::fs::write(bench.prompts.path().join(name), &wav).unwrap();
        }
        let call = bench.live();
        bench.engine.leg_answered(&call, BTreeMap::new());
        let copies = Mutex::new(bench.engine.copies.receiver().unwrap());
        Scene {
            bench,
            call,
            acts: Mutex::default(),
            answers: Mutex::default(),
            handed_over: Mutex::default(),
            sent_back: Mutex::default(),
            copies,
        }
    }

    fn now_ms(&self) -> u64 {
        self.bench.host.steady_us() / 1000
    }

    /// Sends a request now, and waits for what it plays to be read.
    fn ask(&self, event_name: &str, mut data: Value) -> Answer {
        data["call_uuid"] = json!(self.call.command.call_uuid);
        let message = json!({"event_name": event_name, "event_data": data});
        self.send(&message)
    }

    fn send(&self, message: &Value) -> Answer {
        let (answer, answered) = crossbeam_channel::bounded(1);
        let reply = Box::new(move |reply| answer.send(reply).unwrap());
        let payload = message.to_string();
        self.bench
            .engine
            .live_request(payload.as_bytes(), Some(reply));
        let answer = answered.recv_timeout(Duration::from_secs(10)).unwrap();
        self.answers.lock().push((self.now_ms(), answer.clone()));
        answer
    }

    fn at(self, ms: u64, act: impl FnOnce(&Scene) + 'static) -> Self {
        self.acts.lock().push((ms, Box::new(act)));
        self
    }

    fn asks(self, ms: u64, event_name: &'static str, data: Value) -> Self {
        self.at(ms, move |scene| {
            let answer = scene.ask(event_name, data);
            assert!(answer.is_ok(), "{event_name}: {answer:?}");
        })
    }

    fn refuses(self, ms: u64, event_name: &'static str, data: Value, name: &'static str) -> Self {
        self.at(ms, move |scene| {
            let answer = scene.ask(event_name, data);
            assert_eq!(answer.error.expect(event_name).name, name);
        })
    }

    /// Lives through it until it is hung up, so many ms after the answer, with keys pressed meanwhile. Returns
    /// the events after the answer, each with its ms.
    fn run(&mut self, hang_up_ms: u64, keys: &[(u64, char)]) -> Vec<(u64, EventBody)> {
        let mut leg = Channel {
            scene: self,
            hang_up_ms,
            to_press: keys.iter().copied().collect(),
            keys: VecDeque::new(),
        };
        let attended = leg.scene.call.attend(&mut leg);
        assert!(matches!(attended, Attended::Over(None)));
        self.bench.end(&self.call, LegFacts::default());
        let answered_ms = NOW_US / 1000;
        let own = |event: &SwitchEvent| event.call_uuid == self.call.command.call_uuid;
        let events = self.bench.events().into_iter().filter(own).skip(2);
        let at = |event: SwitchEvent| (event.at_ms - answered_ms, event.body);
        let mut events: Vec<_> = events.map(at).collect();
        assert!(matches!(events.pop(), Some((_, EventBody::Hangup(_)))));
        events
    }
}

/// The leg: frames of 20 ms, keys when they are pressed.
struct Channel<'s> {
    scene: &'s Scene,
    hang_up_ms: u64,
    to_press: VecDeque<(u64, char)>,
    keys: VecDeque<char>,
}

impl Channel<'_> {
    fn frames(&mut self, ms: u64) -> Result<(), LegEnd> {
        (0..ms / FRAME_MS).try_for_each(|_| self.frame())
    }

    fn frame(&mut self) -> Result<(), LegEnd> {
        let now_ms = self.scene.now_ms();
        if now_ms >= self.hang_up_ms {
            return Err(LegEnd::HungUp);
        }
        loop {
            let mut acts = self.scene.acts.lock();
            let Some(due) = acts.iter().position(|(ms, _)| *ms <= now_ms) else {
                break;
            };
            let (_, act) = acts.remove(due);
            drop(acts);
            act(self.scene);
        }
        while self.to_press.front().is_some_and(|(ms, _)| *ms <= now_ms) {
            self.keys
                .extend(self.to_press.pop_front().map(|(_, key)| key));
        }
        if self.scene.call.desk.stop_wanted() {
            return Err(LegEnd::Stopped);
        }
        self.scene
            .bench
            .host
            .passed_us
            .fetch_add(FRAME_MS * 1000, Ordering::SeqCst);
        Ok(())
    }
}

impl Leg for Channel<'_> {
    fn play(&mut self, sounds: &[Sound], barge_in: bool) -> Result<Played, LegEnd> {
        let mut ms = 0;
        while ms < FILE_MS * sounds.len() as u64 && (self.keys.is_empty() || !barge_in) {
            self.frame()?;
            if !self.scene.call.is_held() {
                ms += FRAME_MS;
            }
        }
        Ok(Played {
            ms,
            interrupted_by: self.keys.front().copied().filter(|_| barge_in),
        })
    }

    fn listen(&mut self, wait: Listen) -> Result<Heard, LegEnd> {
        let until_ms = self.scene.now_ms() + u64::from(wait.timeout_ms);
        loop {
            if let Some(key) = self.keys.pop_front() {
                return Ok(Heard::Key(key));
            }
            if self.scene.now_ms() >= until_ms {
                return Ok(Heard::Nothing);
            }
            self.frame()?;
        }
    }

    fn now(&self) -> u64 {
        self.scene.now_ms()
    }
}

impl SessionLeg for Channel<'_> {
    fn give_sounds(&mut self, _sounds: Arc<Sounds>) {}

    fn idle(&mut self, keep_keys: bool) -> Result<(), LegEnd> {
        if !keep_keys {
            self.keys.clear();
        }
        self.frame()
    }

    /// Whoever is dialled rings for 1 s, and is connected for another one.
    fn hand_over(&mut self, manner: Manner) -> (Option<Transferred>, Result<(), LegEnd>) {
        self.scene.handed_over.lock().push(manner);
        if let Err(end) = self.frames(1_000) {
            return (None, Err(end));
        }
        self.scene
            .call
            .bridged(CallUuid::parse("peer", PEER).unwrap());
        let end = self.frames(1_000);
        let outcome = Transferred::Done {
            ms: self.scene.call.bridge_over().unwrap(),
        };
        (Some(outcome), end)
    }

    fn bridge_with(&mut self, attempt: CallUuid) -> Result<(), LegEnd> {
        let other = self.scene.bench.engine.registry.attempt(attempt).unwrap();
        self.scene.call.bridged(other.command.call_uuid);
        let end = self.frames(1_000);
        self.scene.call.bridge_over().unwrap();
        end
    }

    fn send_back(&mut self, attempt: CallUuid) {
        self.scene.sent_back.lock().push(attempt);
    }
}

fn file(name: &str) -> Value {
    json!({ "filename": name })
}

fn done(prompt: &str, played_ms: u64, key: Option<char>) -> EventBody {
    EventBody::PlayDone {
        node: None,
        prompt: prompt.to_owned(),
        played_ms,
        interrupted_by: key,
    }
}

fn stopped(prompt: &str, played_ms: u64, dropped: u32) -> EventBody {
    EventBody::PlayStopped {
        prompt: prompt.to_owned(),
        played_ms,
        dropped,
    }
}

fn collected(digits: &str, valid: bool, tries: u32) -> EventBody {
    EventBody::DtmfCollected {
        node: None,
        var_name: "pin".to_owned(),
        digits: digits.to_owned(),
        valid,
        tries,
    }
}

#[test]
fn a_second_play_waits_for_the_first() {
    let mut scene = Scene::new()
        .asks(100, "request_play_file", file("a.wav"))
        .asks(
            300,
            "request_play_file",
            json!({"filename": "b.wav", "loop_count": 2}),
        );
    let events = scene.run(5_000, &[]);
    let expected = [
        (1_120, done("a.wav", 1_000, None)),
        (3_120, done("b.wav", 2_000, None)),
    ];
    assert_eq!(events, expected);
}

#[test]
fn a_stop_ends_what_plays_and_drops_what_waits() {
    let mut scene = Scene::new()
        .asks(0, "request_play_file", file("a.wav"))
        .asks(100, "request_play_file", file("b.wav"))
        .asks(200, "request_play_file", file("c.wav"))
        .asks(500, "request_stop_play", json!({}))
        .asks(600, "request_play_file", file("c.wav"))
        .asks(3_000, "request_stop_play", json!({}));
    let events = scene.run(5_000, &[]);
    let expected = [
        (500, stopped("a.wav", 480, 2)),
        (1_620, done("c.wav", 1_000, None)),
    ];
    assert_eq!(events, expected, "a stop with nothing to stop says nothing");
}

#[test]
fn what_is_stopped_before_its_first_frame_is_told_of() {
    let mut scene = Scene::new()
        .asks(0, "request_play_file", file("a.wav"))
        .asks(0, "request_play_file", file("b.wav"))
        .asks(0, "request_stop_play", json!({}))
        .asks(100, "request_get_simple_dtmf", json!({"var_name": "pin"}))
        .asks(100, "request_stop_play", json!({}))
        .asks(300, "request_play_file", file("c.wav"));
    let events = scene.run(5_000, &[]);
    let expected = [
        (0, stopped("a.wav", 0, 1)),
        (100, stopped("pin", 0, 0)),
        (1_320, done("c.wav", 1_000, None)),
    ];
    assert_eq!(events, expected);
}

#[test]
fn a_full_desk_and_a_missing_prompt_are_refused_by_name() {
    let mut scene = Scene::new()
        .refuses(
            0,
            "request_play_file",
            file("none.wav"),
            name::PROMPT_UNAVAILABLE,
        )
        .asks(40, "request_play_file", file("a.wav"))
        .at(80, |scene| {
            for _ in 0..16 {
                assert!(scene.ask("request_play_file", file("b.wav")).is_ok());
            }
            let answer = scene.ask("request_play_file", file("b.wav"));
            let error = answer.error.unwrap();
            assert_eq!(
                (error.name.as_str(), error.retryable),
                (name::DESK_FULL, true)
            );
            assert_eq!(answer.status_code, 2);
        });
    let events = scene.run(20_000, &[]);
    assert_eq!(events.len(), 17);
}

#[test]
fn a_key_ends_a_play_and_is_the_first_of_what_is_asked_next() {
    let data = json!({"var_name": "pin", "audio_type": "file", "minimum_digits": 3, "prompt_message": "b.wav"});
    let mut scene = Scene::new()
        .asks(
            0,
            "request_play_file",
            json!({"filename": "a.wav", "stop_on_key": true}),
        )
        .asks(20, "request_get_valid_dtmf", data);
    let events = scene.run(5_000, &[(400, '1'), (700, '2'), (1_000, '3')]);
    let expected = [
        (420, done("a.wav", 400, Some('1'))),
        (1_020, collected("123", true, 1)),
    ];
    assert_eq!(events, expected);
}

#[test]
fn what_was_pressed_while_nothing_was_asked_answers_nothing() {
    let data = json!({"var_name": "pin", "digit_count": 1});
    let mut scene = Scene::new().asks(1_000, "request_get_simple_dtmf", data);
    let events = scene.run(10_000, &[(500, '9')]);
    assert_eq!(events, [(6_020, collected("", false, 1))]);
}

#[test]
fn digits_are_asked_for_again_until_they_fit() {
    let data = json!({
        "var_name": "pin", "audio_type": "file", "minimum_digits": 2, "maximum_digits": 4,
        "minimum_tries": 3, "reg_expr": "^7.*$", "prompt_message": "a.wav", "error_message": "b.wav",
    });
    let mut scene = Scene::new().asks(0, "request_get_valid_dtmf", data);
    let keys = [
        (1_200, '1'),
        (1_400, '#'),
        (3_600, '7'),
        (3_700, '8'),
        (3_800, '#'),
    ];
    let events = scene.run(9_000, &keys);
    assert_eq!(events, [(3_820, collected("78", true, 2))]);
    let variables = scene.call.snapshot().variables;
    assert!(variables.is_empty() || variables["pin"] == "78");
}

#[test]
fn a_stop_ends_a_question_too() {
    let data = json!({"var_name": "pin", "digit_count": 4});
    let mut scene = Scene::new().asks(0, "request_get_simple_dtmf", data).asks(
        900,
        "request_park_call",
        json!({}),
    );
    let events = scene.run(9_000, &[(300, '1')]);
    assert_eq!(events, [(900, stopped("pin", 0, 0))]);
}

#[test]
fn what_plays_waits_while_the_call_is_held() {
    let mut scene = Scene::new()
        .asks(0, "request_play_file", file("a.wav"))
        .asks(200, "request_hold_call", json!({}))
        .asks(300, "request_mute_call", json!({}))
        .at(400, |scene| {
            let details = scene
                .ask("request_get_call_details", json!({}))
                .call_details
                .unwrap();
            assert_eq!(
                (
                    details.held,
                    details.muted,
                    details.deaf,
                    details.busy,
                    details.waiting
                ),
                (true, true, false, true, 0)
            );
            assert_eq!(
                (details.at.as_deref(), details.billsec_ms),
                (Some("desk"), 400)
            );
        })
        .asks(1_200, "request_unhold_call", json!({}))
        .asks(1_300, "request_earmuff_on", json!({}))
        .asks(1_400, "request_undeaf_call", json!({}));
    let events = scene.run(5_000, &[]);
    assert_eq!(events, [(2_020, done("a.wav", 2_000, None))]);
    let (says, hears) = (Way::FromFarEnd, Way::ToFarEnd);
    // Muted meanwhile, so that the end of the hold does not let it be heard again.
    let done = [
        (says, true),
        (hears, true),
        (hears, false),
        (hears, true),
        (hears, false),
    ];
    assert_eq!(*scene.bench.host.silenced.lock(), done);
}

#[test]
fn a_host_that_changes_no_audio_is_believed() {
    let mut scene = Scene::new().at(0, |scene| {
        *scene.bench.host.deaf_host.lock() = Some("no bug".to_owned());
        let answer = scene.ask("request_hold_call", json!({}));
        assert_eq!(
            (answer.error.unwrap().name.as_str(), answer.message.as_str()),
            (name::FAILED, "no bug")
        );
        assert!(!scene.call.is_held());
    });
    scene.run(100, &[]);
}

#[test]
fn keys_are_sent_and_a_call_is_dropped_at_any_time() {
    let mut scene = Scene::new()
        .asks(0, "request_play_file", file("a.wav"))
        .asks(100, "request_send_dtmf", json!({"digits": "12w#"}))
        .asks(200, "request_drop_call", json!({}));
    scene.run(300, &[]);
    let attempt = scene.call.command.attempt_id;
    assert_eq!(
        *scene.bench.host.sent.lock(),
        [(attempt, "12w#".to_owned())]
    );
    assert_eq!(
        *scene.bench.host.hung_up.lock(),
        [(attempt, HangupCause::Request)]
    );
}

#[test]
fn what_can_not_be_done_is_refused_by_name() {
    let uuid = "00000000-0000-4000-8000-000000000000";
    let mut scene = Scene::new()
        .refuses(
            0,
            "request_play_file",
            json!({"filename": "../a.wav"}),
            name::INVALID_FIELD,
        )
        .refuses(0, "request_dance", json!({}), name::UNKNOWN_REQUEST)
        .at(0, move |scene| {
            let data = json!({"event_subject": "ira.dialer.sw2.request", "filename": "a.wav"});
            let error = scene.ask("request_play_file", data).error.unwrap();
            assert_eq!(error.field.as_deref(), Some("event_data.event_subject"));
            assert!(error.expected.unwrap().contains("client."));
            let none =
                json!({"event_name": "request_stop_play", "event_data": {"call_uuid": uuid}});
            assert_eq!(scene.send(&none).error.unwrap().name, name::UNKNOWN_CALL);
            let gateway = json!({"event_name": "request_create_gateway",
                "event_data": {"gateway": "g", "ip_address": "192.0.2.1", "one_way": true}});
            assert_eq!(
                scene.send(&gateway).error.unwrap().name,
                name::NOT_SUPPORTED
            );
        });
    scene.run(100, &[]);
    let over = scene.ask("request_play_file", file("a.wav"));
    assert_eq!(over.error.unwrap().name, name::UNKNOWN_CALL);
}

#[test]
fn a_call_that_rings_and_one_with_a_flow_take_no_work() {
    let scene = Scene::new();
    let ringing = scene.bench.live();
    let ask = |call: &Call, event_name: &str, data: Value| {
        let mut data = data;
        data["call_uuid"] = json!(call.command.call_uuid);
        let message = json!({"event_name": event_name, "event_data": data});
        scene.send(&message).error.map(|error| error.name)
    };
    for (event_name, data) in [
        ("request_play_file", file("a.wav")),
        ("request_stop_play", json!({})),
        ("request_hold_call", json!({})),
        ("request_send_dtmf", json!({"digits": "1"})),
    ] {
        assert_eq!(
            ask(&ringing, event_name, data).as_deref(),
            Some(name::NOT_ANSWERED),
            "{event_name}"
        );
    }
    assert_eq!(ask(&ringing, "request_get_call_details", json!({})), None);
    scene.bench.engine.leg_answered(&ringing, BTreeMap::new());
    ringing.desk.be_at(crate::desk::At::Flow);
    for (event_name, data) in [
        ("request_play_file", file("a.wav")),
        ("request_stop_play", json!({})),
        ("request_park_call", json!({})),
    ] {
        assert_eq!(
            ask(&ringing, event_name, data).as_deref(),
            Some(name::FLOW_RUNNING),
            "{event_name}"
        );
    }
    assert_eq!(ask(&ringing, "request_hold_call", json!({})), None);
}

#[test]
fn a_copy_goes_where_the_request_asked_for_it() {
    let mut scene = Scene::new()
        .asks(
            0,
            "request_play_file",
            json!({"filename": "a.wav", "event_subject": "ira.client.x"}),
        )
        .at(40, |scene| {
            // Nobody waits for this answer but by events.
            let message = json!({"event_name": "request_get_call_details", "event_data": {
                "call_uuid": scene.call.command.call_uuid, "event_subject": "ira.client.y"}});
            scene
                .bench
                .engine
                .live_request(message.to_string().as_bytes(), None);
        })
        .asks(1_500, "request_play_file", file("b.wav"));
    scene.run(5_000, &[]);
    let mut copies = scene.copies.lock();
    let mut next = || {
        copies.try_recv().map(|(subject, payload)| {
            (
                subject.to_string(),
                serde_json::from_slice::<Value>(&payload).unwrap(),
            )
        })
    };
    let (subject, answer) = next().unwrap();
    assert_eq!(
        (subject.as_str(), &answer["status"]),
        ("ira.client.y", &json!("OK"))
    );
    let (subject, event) = next().unwrap();
    assert_eq!(
        (subject.as_str(), &event["event_name"]),
        ("ira.client.x", &json!("iradialer::play_done"))
    );
    assert_eq!(event["event_data"]["prompt"], "a.wav");
    assert!(next().is_err(), "the second play did not ask for any");
}
