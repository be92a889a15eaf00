//! What a call plays is there before it rings, or it does not ring.

use super::*;
use crate::audio::test_support;
use crate::http::test_server::{Says, TestServer};
use iradialer_core::address::AddressRange;
use iradialer_core::flow::Sound;
use serde_json::{Value, json};

fn allowing_loopback() -> Bench {
    Bench::with(|config| config.url_allow = vec![AddressRange::parse("127.0.0.1").unwrap()])
}

impl Bench {
    fn that_plays(&self, prompts: Value) -> DialCommand {
        let flow = json!({"version": 1, "name": "f", "start": "a",
            "nodes": {"a": {"play": prompts, "next": "@hangup"}}});
        DialCommand {
            flow: Some(CallFlow::Inline(serde_json::from_value(flow).unwrap())),
            ..self.command()
        }
    }

    fn refusal_of(&self, prompts: Value) -> (RefusalReason, String) {
        match self.dial(&self.that_plays(prompts)) {
            DialReply::Refused { reason, detail } => (reason, detail),
            DialReply::Accepted => panic!("was accepted"),
        }
    }
}

#[test]
fn nothing_is_fetched_once_it_rings() {
    let bench = allowing_loopback();
    let wav = test_support::wav(test_support::PCM, 1, 8_000, 16, &[7; 3_200]);
    let server = TestServer::start(move |_| Says::Answer(200, "", wav.clone()));
    let url = server.url("/a.wav");
    let texts =
        json!([{"url": &url}, {"tts": {"text": "Hi.", "engine": "robot"}}, {"silence": 100}]);
    let command = bench.that_plays(texts.clone());
    assert_eq!(bench.dial(&command), DialReply::Accepted);
    assert_eq!(server.asked().len(), 1);
    // Before the answer the server is gone, and all the call plays is with the call.
    drop(server);
    let call = bench.engine.registry.attempt(command.attempt_id).unwrap();
    let sounds = call.sounds();
    assert_eq!(sounds.len(), 2);
    assert_eq!(sounds[&Sound::Url(url.clone())].size(), 2 * 1_600);
    // So is what the next one plays.
    assert_eq!(bench.dial(&bench.that_plays(texts)), DialReply::Accepted);
}

#[test]
fn prompts_that_can_not_be_had_fail_the_call_with_the_reason() {
    let bench = allowing_loopback();
    let server = TestServer::start(|_| Says::Answer(404, "", Vec::new()));
    let url = server.url("/a.wav");
    for (prompt, expected) in [
        (json!({"url": url}), format!("flow: prompt {url}: it can't be fetched: status 404 Not Found")),
        (
            json!({"tts": {"text": "Hi.", "engine": "nobody"}}),
            "flow: prompt tts:Hi.: it can't be spoken: the switch has no speech engine \"nobody\"".to_owned(),
        ),
        (
            json!({"url": "https://192.168.1.1/a.wav"}),
            "flow: prompt https://192.168.1.1/a.wav: it can't be fetched: expected a public address or one \
             listed in url-allow, got 192.168.1.1 (192.168.1.1)".to_owned(),
        ),
    ] {
        let refused = bench.refusal_of(json!([prompt]));
        assert_eq!(refused, (RefusalReason::BadRequest, expected));
    }
    let load = bench.engine.admission.load();
    assert_eq!((load.calls, load.setups), (0, 0));
    assert!(bench.host.launched.lock().is_empty());
}

#[test]
fn a_server_that_is_slow_holds_up_its_own_calls_alone() {
    let bench = allowing_loopback();
    let server = TestServer::start(|_| Says::Nothing);
    let slow = DialCommand {
        not_after_ms: NOW_US / 1_000 + 900,
        ..bench.that_plays(json!([{"url": server.url("/a.wav")}]))
    };
    let (answer, answered) = crossbeam_channel::bounded(1);
    let reply = Box::new(move |reply| answer.send(reply).unwrap());
    bench.engine.dial(slow, reply);
    let other = bench.that_plays(json!([{"tts": {"text": "Hi.", "engine": "robot"}}]));
    assert_eq!(bench.dial(&other), DialReply::Accepted);
    match answered.recv_timeout(Duration::from_secs(10)).unwrap() {
        DialReply::Refused {
            reason: RefusalReason::NotReady,
            ..
        } => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_that_is_up_gets_sounds_without_waiting() {
    let bench = Bench::new();
    let get = |text: &str| {
        let sound = Sound::Tts {
            text: text.into(),
            voice: None,
            engine: Some("robot".into()),
        };
        let (give, given) = crossbeam_channel::bounded(1);
        bench
            .engine
            .get_sounds(bench.prompts.path(), vec![sound], move |sounds| {
                give.send((sounds, std::thread::current().id())).unwrap();
            });
        given
    };
    let (sounds, thread) = get("Hello.").recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(sounds.unwrap().len(), 1);
    assert_ne!(thread, std::thread::current().id());
    // What is cached is there on the spot.
    let (sounds, thread) = get("Hello.").try_recv().unwrap();
    assert_eq!(
        (sounds.unwrap().len(), thread),
        (1, std::thread::current().id())
    );
}

#[test]
fn an_application_is_asked_while_the_session_goes_on() {
    let bench = allowing_loopback();
    let server = TestServer::start(|asked| match asked.path.as_str() {
        "/hangs" => Says::Nothing,
        "/moved" => Says::Answer(307, "location: /a", Vec::new()),
        "/long" => Says::Answer(200, "", vec![b' '; 5 << 20]),
        _ => Says::Answer(200, "", b"{\"next\": \"b\"}".to_vec()),
    });
    let ask = |path: &str, timeout_ms| {
        bench.engine.ask(&iradialer_core::flow::Request {
            node: "n".into(),
            url: server.url(path),
            body: "{}".into(),
            timeout_ms,
        })
    };
    let answer = |path: &str| {
        let mut asked = ask(path, 500);
        let mut answer = None;
        bench.until(|| {
            answer = asked.answer();
            answer.is_some()
        });
        answer.unwrap()
    };
    use iradialer_core::flow::Answer;
    let said = Answer::Replied {
        status: 200,
        body: b"{\"next\": \"b\"}".to_vec(),
    };
    assert_eq!(answer("/"), said);
    for (path, expected) in [
        ("/hangs", "no whole answer within 500 ms"),
        ("/moved", "status 307: a redirect is not followed"),
        ("/long", "expected at most 65536 bytes"),
    ] {
        match answer(path) {
            Answer::Failed(why) => assert!(why.starts_with(expected), "{path}: {why}"),
            other => panic!("{path}: {other:?}"),
        }
    }
    // One whose call has ended is given up.
    let asked = ask("/hangs", 60_000);
    bench.until(|| server.asked().len() == 5);
    drop(asked);
    bench.until(|| server.gone() == 5);
}

#[test]
fn a_flow_with_a_prompt_that_is_not_there_is_refused_before_it_rings() {
    let bench = Bench::new();
    let flow = serde_json::json!({"version": 1, "name": "f", "start": "a",
        "nodes": {"a": {"play": [{"file": "hello.wav"}], "next": "@hangup"}}});
    let with_flow = || DialCommand {
        flow: Some(CallFlow::Inline(
            serde_json::from_value(flow.clone()).unwrap(),
        )),
        ..bench.command()
    };
    assert_eq!(bench.refusal(&with_flow()), RefusalReason::BadRequest);
    let hello = test_support::wav(test_support::PCM, 1, 8_000, 16, &[0; 320]);
    std::fs::write(bench.prompts.path().join("hello.wav"), hello).unwrap();
    assert_eq!(bench.dial(&with_flow()), DialReply::Accepted);
}

#[test]
fn a_call_whose_prompts_take_too_long_is_refused_and_finds_them_the_next_time() {
    let bench = Bench::new();
    let hello = test_support::wav(test_support::PCM, 1, 8_000, 16, &[0; 320]);
    std::fs::write(bench.prompts.path().join("hello.wav"), hello).unwrap();
    let flow = serde_json::json!({"version": 1, "name": "f", "start": "a",
        "nodes": {"a": {"play": [{"file": "hello.wav"}], "next": "@hangup"}}});
    let with_flow = |not_after_ms| DialCommand {
        flow: Some(CallFlow::Inline(
            serde_json::from_value(flow.clone()).unwrap(),
        )),
        not_after_ms,
        ..bench.command()
    };
    let paused = bench.engine.prompts.paused();
    let soon = NOW_US / 1_000 + 600;
    assert_eq!(bench.refusal(&with_flow(soon)), RefusalReason::NotReady);
    let load = bench.engine.admission.load();
    assert_eq!((load.calls, load.setups), (0, 0));

    // Others are not held up by it.
    assert_eq!(bench.dial(&bench.command()), DialReply::Accepted);
    let waiting = with_flow(NOW_US / 1_000 + 60_000);
    let (answer, answered) = crossbeam_channel::bounded(1);
    let reply = Box::new(move |reply| answer.send(reply).unwrap());
    bench.engine.dial(waiting.clone(), reply);
    let load = bench.engine.admission.load();
    assert_eq!(
        (load.calls, load.setups),
        (2, 1),
        "it takes no room from those being set up"
    );
    drop(paused);
    let reply = answered.recv_timeout(Duration::from_secs(10));
    assert_eq!(reply, Ok(DialReply::Accepted));
    assert!(
        bench
            .engine
            .registry
            .attempt(waiting.attempt_id)
            .unwrap()
            .sounds()
            .len()
            == 1
    );
}

#[test]
fn a_call_that_waits_for_its_prompts_is_refused_when_the_module_leaves() {
    let bench = Bench::new();
    std::fs::write(bench.prompts.path().join("hello.wav"), "").unwrap();
    let flow = serde_json::json!({"version": 1, "name": "f", "start": "a",
        "nodes": {"a": {"play": [{"file": "hello.wav"}], "next": "@hangup"}}});
    let command = DialCommand {
        flow: Some(CallFlow::Inline(serde_json::from_value(flow).unwrap())),
        not_after_ms: NOW_US / 1_000 + 60_000,
        ..bench.command()
    };
    let _paused = bench.engine.prompts.paused();
    let (answer, answered) = crossbeam_channel::bounded(1);
    let reply = Box::new(move |reply| answer.send(reply).unwrap());
    bench.engine.dial(command, reply);
    bench.engine.stop();
    match answered.recv_timeout(Duration::from_secs(10)).unwrap() {
        DialReply::Refused {
            reason: RefusalReason::Draining,
            ..
        } => {}
        other => panic!("{other:?}"),
    }
}
