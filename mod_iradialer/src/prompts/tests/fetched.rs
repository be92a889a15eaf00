//! Audio from addresses, of a server that does as it is told.

use super::*;
use crate::http::test_server::{Asked, Says, TestServer};
use std::sync::atomic::AtomicBool;

fn url(server: &TestServer, path: &str) -> Wanted {
    Wanted::Url(server.url(path))
}

fn audio(headers: &'static str) -> Says {
    Says::Answer(200, headers, wav(&[1; 800]))
}

impl Bench {
    fn get(&self, prompt: &Wanted) -> Result<Arc<Audio>, String> {
        let sounds = self.warm(Path::new("/"), [prompt.clone()]);
        let sounds = sounds.map_err(|error| error.to_string())?;
        Ok(sounds[prompt].clone())
    }

    fn at_hand(&self, prompt: &Wanted) -> bool {
        let at_hand = self.prompts.at_hand(Path::new("/"), [prompt.clone()]);
        at_hand.is_some()
    }

    fn pass(&self, seconds: u64) {
        self.now_ms.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }
}

#[test]
fn what_is_fresh_is_fetched_once_for_all_and_needs_no_server() {
    let server = TestServer::start(|_| audio("content-type: audio/wav\ncache-control: max-age=60"));
    let bench = Bench::new(1 << 20);
    let prompt = url(&server, "/a.wav");
    assert!(!bench.at_hand(&prompt));
    let all = bench.runtime.block_on(futures::future::join_all(
        (0..5).map(|_| bench.prompts.get(Path::new("/"), [prompt.clone()])),
    ));
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(server.asked().len(), 1);
    drop(server);
    bench.pass(59);
    assert!(bench.at_hand(&prompt));
    assert_eq!(bench.get(&prompt).unwrap().bytes(Law::Mu), [1; 800]);
}

#[test]
fn what_has_grown_old_is_asked_about() {
    let server = TestServer::start(
        |asked| match asked.head.contains("if-none-match: \"one\"") {
            true => Says::Answer(304, "cache-control: max-age=10", Vec::new()),
            false => audio("etag: \"one\"\nlast-modified: Sat, 21 Nov 2026 10:00:00 GMT"),
        },
    );
    let bench = Bench::new(1 << 20);
    let prompt = url(&server, "/a.wav");
    let first = bench.get(&prompt).unwrap();
    // Where the server says nothing it is five minutes.
    bench.pass(299);
    assert!(bench.at_hand(&prompt));
    bench.pass(1);
    assert!(!bench.at_hand(&prompt));
    assert!(Arc::ptr_eq(&first, &bench.get(&prompt).unwrap()));
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert!(
        asked[1]
            .head
            .contains("if-modified-since: sat, 21 nov 2026 10:00:00 gmt")
    );
    bench.pass(9);
    assert!(bench.at_hand(&prompt));
    bench.pass(1);
    assert!(!bench.at_hand(&prompt));
}

#[test]
fn another_content_is_heard_when_the_old_one_is_old() {
    let changed = Arc::new(AtomicBool::new(false));
    let is_changed = changed.clone();
    let server = TestServer::start(move |_| match is_changed.load(Ordering::SeqCst) {
        false => audio("etag: \"one\""),
        true => Says::Answer(200, "etag: \"two\"", wav(&[2; 800])),
    });
    let bench = Bench::new(1 << 20);
    let prompt = url(&server, "/a.wav");
    bench.get(&prompt).unwrap();
    changed.store(true, Ordering::SeqCst);
    assert_eq!(bench.get(&prompt).unwrap().bytes(Law::Mu), [1; 800]);
    bench.pass(300);
    assert_eq!(bench.get(&prompt).unwrap().bytes(Law::Mu), [2; 800]);
}

#[test]
fn a_server_that_is_down_does_not_silence_what_is_known_for_a_day() {
    let down = Arc::new(AtomicBool::new(false));
    let is_down = down.clone();
    let server = TestServer::start(move |_| match is_down.load(Ordering::SeqCst) {
        false => audio(""),
        true => Says::Answer(503, "", Vec::new()),
    });
    let bench = Bench::new(1 << 20);
    let prompt = url(&server, "/a.wav");
    bench.get(&prompt).unwrap();
    down.store(true, Ordering::SeqCst);
    bench.pass(3_600);
    bench.get(&prompt).unwrap();
    let asked = server.asked().len();
    // And it is left alone for half a minute.
    bench.pass(29);
    assert!(bench.at_hand(&prompt));
    bench.pass(1);
    assert!(!bench.at_hand(&prompt));
    bench.get(&prompt).unwrap();
    assert_eq!(server.asked().len(), asked + 1);
    bench.pass(24 * 3_600);
    let error = bench.get(&prompt).err().unwrap();
    assert!(error.contains("it can't be fetched: status 503"), "{error}");
}

#[test]
fn one_that_can_not_be_reached_for_a_moment_is_tried_again() {
    let tries = Arc::new(AtomicU64::new(0));
    let count = tries.clone();
    let server = TestServer::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Says::Answer(503, "", Vec::new()),
        _ => audio(""),
    });
    let bench = Bench::new(1 << 20);
    assert!(bench.get(&url(&server, "/a.wav")).is_ok());
    assert_eq!(tries.load(Ordering::SeqCst), 3);
}

#[test]
fn what_is_no_audio_is_refused_with_the_reason_and_asked_for_once() {
    let whole = wav(&[1; 8_000]);
    let says = move |asked: &Asked| match asked.path.as_str() {
        "/gone" => Says::Answer(404, "", Vec::new()),
        "/moved" => Says::Answer(301, "location: /a.wav", Vec::new()),
        "/page" => Says::Answer(
            200,
            "content-type: text/html; charset=utf-8",
            b"<p>".to_vec(),
        ),
        "/text" => Says::Answer(200, "content-type: audio/wav", b"no audio".to_vec()),
        "/empty" => Says::Answer(200, "", Vec::new()),
        "/silent" => Says::Answer(200, "", wav(&[])),
        "/cut" => Says::Answer(200, "", whole[..4_000].to_vec()),
        _ => Says::Flood(100 << 20),
    };
    let server = TestServer::start(says);
    let bench = Bench::new(1 << 20);
    for (path, expected) in [
        ("/gone", "it can't be fetched: status 404"),
        (
            "/moved",
            "it can't be fetched: status 301 Moved Permanently: a redirect is not followed",
        ),
        (
            "/page",
            "it can't be fetched: expected audio, got text/html",
        ),
        ("/text", "expected a WAV"),
        ("/empty", "expected a WAV"),
        ("/silent", "there is no audio in it"),
        ("/cut", "the file is damaged"),
        (
            "/flood",
            "it can't be fetched: expected at most 16777216 bytes, got ",
        ),
    ] {
        let prompt = url(&server, path);
        for _ in 0..2 {
            let error = bench.get(&prompt).err().unwrap();
            assert!(error.contains(expected), "{path}: {error}");
            assert!(error.starts_with("prompt http://127.0.0.1:"), "{error}");
        }
    }
    assert_eq!(server.asked().len(), 8, "a failure is known for a moment");
    assert_eq!(bench.held().0, 0);
    // Where only this switch gets to there is nothing to be had.
    let private = Wanted::Url("https://169.254.169.254/a.wav".to_owned());
    let error = bench.get(&private).err().unwrap();
    assert!(
        error.contains("listed in url-allow, got 169.254.169.254"),
        "{error}"
    );
}

#[test]
fn a_slow_address_does_not_hold_up_another() {
    let server = TestServer::start(|asked| match asked.path.as_str() {
        "/slow" => Says::Nothing,
        _ => audio(""),
    });
    let bench = Bench::new(1 << 20);
    let slow = bench.prompts.one(Path::new("/"), &url(&server, "/slow"));
    bench.get(&url(&server, "/quick")).unwrap();
    assert!(slow.peek().is_none());
}

#[test]
fn what_was_fetched_is_there_after_a_restart_without_its_server() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start(|asked| match asked.path.as_str() {
        "/private" => audio("cache-control: no-store"),
        _ => audio(""),
    });
    let life = || {
        let runtime = crate::link::runtime().unwrap();
        Bench::in_life(runtime, 1 << 20, Some(dir.path()))
    };
    let (kept, private) = (url(&server, "/a.wav"), url(&server, "/private"));
    let bench = life();
    bench.get(&kept).unwrap();
    bench.get(&private).unwrap();
    assert_eq!(bench.prompts.on_disk().0, 1);
    drop(bench);
    drop(server);
    let bench = life();
    assert!(!bench.at_hand(&kept), "it has to be read first");
    assert_eq!(bench.get(&kept).unwrap().bytes(Law::Mu), [1; 800]);
    assert!(bench.at_hand(&kept));
    assert!(
        bench
            .prompts
            .cache
            .find(&url_key(&private.to_string()))
            .is_none()
    );
}
