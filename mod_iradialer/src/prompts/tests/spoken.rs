//! Texts, spoken by commands and by the switch.

use super::*;
use std::time::Duration;

fn text(text: &str, engine: &str, voice: Option<&str>) -> Wanted {
    Wanted::Tts {
        text: text.into(),
        voice: voice.map(str::to_owned),
        engine: Some(engine.into()),
    }
}

#[test]
fn a_text_is_spoken_once_for_each_voice_and_kept_over_restarts() {
    let dir = folder(&[("anna", &[5; 800]), ("bob", &[6; 800])]);
    let cache = tempfile::tempdir().unwrap();
    let life = || {
        let runtime = crate::link::runtime().unwrap();
        Bench::in_life(runtime, 1 << 20, Some(cache.path()))
    };
    let voice = |name| dir.path().join(name).display().to_string();
    let by = |name| text("Hello.", "file", Some(&voice(name)));
    let (anna, bob) = (by("anna"), by("bob"));
    let bench = life();
    let sounds = bench.warm(dir.path(), [anna.clone(), bob.clone()]).unwrap();
    assert_eq!(bytes_of(&sounds, &anna), [5; 800]);
    assert_eq!(bytes_of(&sounds, &bob), [6; 800]);
    std::fs::remove_file(dir.path().join("anna")).unwrap();
    assert!(
        bench
            .prompts
            .at_hand(dir.path(), [anna.clone(), bob])
            .is_some()
    );
    drop(bench);
    let bench = life();
    assert!(
        bench.warm(dir.path(), [anna]).is_ok(),
        "nobody had to speak"
    );
    let error = bench.warm(dir.path(), [text("Bye.", "file", Some(&voice("anna")))]);
    let error = error.unwrap_err().to_string();
    assert!(
        error.starts_with("prompt tts:Bye.: it can't be spoken: cat: "),
        "{error}"
    );
}

#[test]
fn the_switchs_own_engines_speak_too() {
    let bench = Bench::new(1 << 20);
    let hello = text("Hello.", "robot", Some("v2"));
    let sounds = bench.warm(Path::new("/"), [hello.clone()]).unwrap();
    assert_eq!(
        sounds[&hello].duration(),
        Duration::from_micros((6 * 800 + 2) * 125)
    );
    let error = bench.warm(Path::new("/"), [text("Hello.", "nobody", None)]);
    let error = error.unwrap_err().to_string();
    assert!(
        error.ends_with("the switch has no speech engine \"nobody\""),
        "{error}"
    );
}
