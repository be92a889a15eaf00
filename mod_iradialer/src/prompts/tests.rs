use super::*;
use crate::audio::{Law, test_support};
use crate::http::Guard;
use iradialer_core::address::AddressRange;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::runtime::Runtime;

mod fetched;
mod spoken;
use iradialer_core::value::PromptPath;
use tempfile::TempDir;

/// Prompts on a runtime of their own.
struct Bench {
    prompts: Arc<Prompts>,
    runtime: Runtime,
    now_ms: Arc<AtomicU64>,
}

const NOW_MS: u64 = 1_800_000_000_000;

impl Bench {
    fn new(most_bytes: usize) -> Self {
        let runtime = crate::link::runtime().unwrap();
        Self::in_life(runtime, most_bytes, None)
    }

    /// A life of the switch, with what an earlier one has left in the folder.
    fn in_life(runtime: Runtime, most_bytes: usize, cache: Option<&Path>) -> Self {
        let now_ms = Arc::new(AtomicU64::new(NOW_MS));
        let clock = now_ms.clone();
        let env = Env {
            now_ms: Box::new(move || clock.load(Ordering::SeqCst)),
            speak: Box::new(|engine, voice, text| match engine {
                "robot" => Ok(vec![1_000; 800 * text.len() + voice.len()]),
                _ => Err(format!("the switch has no speech engine \"{engine}\"")),
            }),
            log: Box::new(|_| {}),
        };
        let tts = crate::config::TtsConfig {
            engine: "espeak-ng".into(),
            engines: vec![crate::config::SpeechEngine {
                name: "file".into(),
                voice: Some("default".into()),
                command: vec!["cat".into(), "{voice}".into()],
            }],
        };
        let loopback = AddressRange::parse("127.0.0.1").unwrap();
        let prompts = Prompts::new(
            most_bytes,
            Cache::open(cache, 1 << 20).unwrap(),
            tts,
            Arc::new(Http::new(Guard::new(vec![loopback]))),
            env,
            runtime.handle().clone(),
        );
        Bench {
            prompts,
            runtime,
            now_ms,
        }
    }

    fn warm(
        &self,
        dir: &Path,
        wanted: impl IntoIterator<Item = Wanted>,
    ) -> Result<Sounds, PromptError> {
        self.runtime.block_on(self.prompts.get(dir, wanted))
    }

    fn held(&self) -> (usize, usize) {
        self.prompts.held()
    }
}

/// A WAV file of µ-law bytes.
fn wav(bytes: &[u8]) -> Vec<u8> {
    test_support::wav(test_support::MU_LAW, 1, 8_000, 8, bytes)
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(dir.path().join(name), wav(bytes)).unwrap();
    }
    dir
}

fn file(name: &str) -> Wanted {
    Wanted::File(PromptPath::parse("file", name).unwrap())
}

fn bytes_of(sounds: &Sounds, prompt: &Wanted) -> Vec<u8> {
    sounds[prompt].bytes(Law::Mu).to_vec()
}

#[test]
fn each_prompt_is_read_once_and_shared() {
    let dir = folder(&[("a.wav", &[1; 800]), ("b.wav", &[2; 800])]);
    let prompts = Bench::new(1 << 20);
    let tone = Wanted::Tone(Tone {
        hz: vec![440],
        ms: 100,
    });
    let wanted = [
        file("a.wav"),
        file("b.wav"),
        tone.clone(),
        Wanted::Silence(500),
        file("a.wav"),
    ];
    let sounds = prompts.warm(dir.path(), wanted.clone()).unwrap();
    assert_eq!(sounds.len(), 3);
    assert_eq!(bytes_of(&sounds, &wanted[1]), [2; 800]);
    let again = prompts.warm(dir.path(), wanted.clone()).unwrap();
    for prompt in [&wanted[0], &wanted[1], &tone] {
        assert!(Arc::ptr_eq(&sounds[prompt], &again[prompt]), "{prompt}");
    }
    assert_eq!(prompts.held(), (3, 6 * 800));
    let at_hand = prompts.prompts.at_hand(dir.path(), wanted.clone());
    assert_eq!(at_hand, Some(sounds));
    let more = [wanted[0].clone(), file("c.wav")];
    assert_eq!(prompts.prompts.at_hand(dir.path(), more), None);
}

#[test]
fn another_file_of_the_same_name_is_heard_by_the_next_call() {
    let dir = folder(&[("a.wav", &[1; 800])]);
    let prompts = Bench::new(1 << 20);
    let before = prompts.warm(dir.path(), [file("a.wav")]).unwrap();
    std::fs::write(dir.path().join("new"), wav(&[3; 800])).unwrap();
    std::fs::rename(dir.path().join("new"), dir.path().join("a.wav")).unwrap();
    let after = prompts.warm(dir.path(), [file("a.wav")]).unwrap();
    assert_eq!(bytes_of(&before, &file("a.wav")), [1; 800]);
    assert_eq!(bytes_of(&after, &file("a.wav")), [3; 800]);
    assert_eq!(prompts.held(), (1, 1_600));
}

#[test]
fn the_oldest_goes_when_there_is_no_room() {
    let dir = folder(&[
        ("a.wav", &[1; 800]),
        ("b.wav", &[2; 800]),
        ("c.wav", &[3; 800]),
    ]);
    let prompts = Bench::new(2 * 1_600);
    let warm = |name| prompts.warm(dir.path(), [file(name)]).unwrap()[&file(name)].clone();
    let a = warm("a.wav");
    let b = warm("b.wav");
    assert!(Arc::ptr_eq(&a, &warm("a.wav")));
    warm("c.wav");
    assert!(Arc::ptr_eq(&a, &warm("a.wav")), "it was used last");
    assert!(!Arc::ptr_eq(&b, &warm("b.wav")), "it was the oldest");
    assert_eq!(prompts.held(), (2, 2 * 1_600));
}

#[test]
fn what_can_not_be_had_is_named() {
    let dir = folder(&[("a.wav", &[1; 800])]);
    let outside = folder(&[("secret.wav", &[1; 800])]);
    std::os::unix::fs::symlink(
        outside.path().join("secret.wav"),
        dir.path().join("out.wav"),
    )
    .unwrap();
    std::os::unix::fs::symlink("a.wav", dir.path().join("in.wav")).unwrap();
    std::os::unix::fs::symlink("loop.wav", dir.path().join("loop.wav")).unwrap();
    std::fs::create_dir(dir.path().join("folder.wav")).unwrap();
    std::fs::write(dir.path().join("empty.wav"), wav(&[])).unwrap();
    std::fs::write(dir.path().join("text.wav"), "no audio").unwrap();
    let whole = wav(&[1; 8_000]);
    std::fs::write(dir.path().join("cut.wav"), &whole[..40]).unwrap();
    std::fs::write(dir.path().join("half.wav"), &whole[..4_000]).unwrap();
    let pipe = std::process::Command::new("mkfifo")
        .arg(dir.path().join("pipe.wav"))
        .status();
    assert!(pipe.unwrap().success());
    let big = std::fs::File::create(dir.path().join("big.wav")).unwrap();
    big.set_len(100 << 20).unwrap();

    let prompts = Bench::new(1 << 20);
    let said = |name| {
        prompts
            .warm(dir.path(), [file(name)])
            .unwrap_err()
            .to_string()
    };
    for (name, expected) in [
        (
            "nowhere.wav",
            "prompt nowhere.wav: it is not on this switch",
        ),
        (
            "a.wav/b.wav",
            "prompt a.wav/b.wav: it is not on this switch",
        ),
        (
            "out.wav",
            "prompt out.wav: it leads out of the prompts' folder",
        ),
        ("loop.wav", "prompt loop.wav: it can't be read"),
        ("folder.wav", "prompt folder.wav: it is not a file"),
        ("pipe.wav", "prompt pipe.wav: it is not a file"),
        ("empty.wav", "prompt empty.wav: there is no audio in it"),
        ("text.wav", "prompt text.wav: expected a WAV"),
        ("cut.wav", "prompt cut.wav: expected a WAV"),
        ("half.wav", "prompt half.wav: the file is damaged"),
        ("big.wav", "prompt big.wav: expected at most 67108864 bytes"),
    ] {
        assert!(said(name).starts_with(expected), "{}", said(name));
    }
    assert!(prompts.warm(dir.path(), [file("in.wav")]).is_ok());
    // One whose name is made up during a call is looked at no less closely.
    let there = |name| is_there(dir.path(), &PromptPath::parse("file", name).unwrap());
    assert!(there("a.wav") && there("in.wav"));
    for name in ["nowhere.wav", "out.wav", "loop.wav", "folder.wav"] {
        assert!(!there(name), "{name}");
    }
    assert_eq!(prompts.held().0, 1, "what can't be played is not kept");
}

#[test]
fn a_sound_that_many_wait_for_is_made_once() {
    let dir = folder(&[("a.wav", &[1; 800])]);
    let prompts = Bench::new(1 << 20);
    let paused = prompts.prompts.paused();
    let get = || prompts.prompts.get(dir.path(), [file("a.wav")]);
    let all = prompts.runtime.block_on(async {
        let all = futures::future::join_all([get(), get(), get()]);
        let gone = tokio::time::timeout(std::time::Duration::from_millis(20), get());
        assert!(gone.await.is_err(), "nothing is converted yet");
        drop(paused);
        all.await
    });
    let audio =
        |sounds: &Result<Sounds, PromptError>| sounds.as_ref().unwrap()[&file("a.wav")].clone();
    assert!(
        all.iter()
            .all(|sounds| Arc::ptr_eq(&audio(sounds), &audio(&all[0])))
    );
    assert!(prompts.prompts.under_way.lock().is_empty());
}

#[test]
fn a_sound_that_nobody_waits_for_any_more_is_made_all_the_same() {
    let dir = folder(&[("a.wav", &[1; 800])]);
    let prompts = Bench::new(1 << 20);
    let paused = prompts.prompts.paused();
    prompts.runtime.block_on(async {
        let get = prompts.prompts.get(dir.path(), [file("a.wav")]);
        let soon = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, get).await.is_err());
        drop(paused);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while prompts
            .prompts
            .at_hand(dir.path(), [file("a.wav")])
            .is_none()
        {
            assert!(std::time::Instant::now() < deadline);
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    });
}
