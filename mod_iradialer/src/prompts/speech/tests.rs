use super::*;
use crate::audio::decode::decode;

fn config() -> TtsConfig {
    let engine = |name: &str, voice: Option<&str>, command: &[&str]| SpeechEngine {
        name: name.into(),
        voice: voice.map(str::to_owned),
        command: command.iter().map(|part| (*part).to_owned()).collect(),
    };
    TtsConfig {
        engine: "pico".into(),
        engines: vec![
            engine("pico", Some("en"), &["pico", "-l={voice}"]),
            engine("flite", Some("kal"), &[]),
        ],
    }
}

fn command(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}

async fn failure(parts: &[&str]) -> String {
    run(&command(parts), "Hello").await.unwrap_err().to_string()
}

#[test]
fn engines_and_voices_are_found_by_name() {
    let of = |engine, voice| Speaker::of(&config(), engine, voice).unwrap();
    assert_eq!(
        of(None, None),
        Speaker::Command(command(&["pico", "-l=en"]))
    );
    let german = of(Some("pico"), Some("de"));
    assert_eq!(german, Speaker::Command(command(&["pico", "-l=de"])));
    let switch = |engine: &str, voice: &str| Speaker::Switch {
        engine: engine.into(),
        voice: voice.into(),
    };
    assert_eq!(of(Some("flite"), None), switch("flite", "kal"));
    assert_eq!(of(Some("other"), None), switch("other", "default"));
    let keys = [of(None, None), german, switch("a", "b"), switch("b", "a")];
    let keys: std::collections::BTreeSet<_> = keys.iter().map(|one| one.key("text")).collect();
    assert_eq!(keys.len(), 4, "each has audio of its own");
}

#[tokio::test]
async fn a_command_gets_the_text_and_no_shell() {
    // What a shell would make something of stays as it is.
    let spoken = run(&command(&["cat"]), "$(id) `id` ; * \"").await.unwrap();
    assert_eq!(spoken, b"$(id) `id` ; * \"");
    let spoken = run(&command(&["env"]), "").await.unwrap();
    let names = String::from_utf8(spoken).unwrap();
    let names: Vec<_> = names
        .lines()
        .filter_map(|line| line.split('=').next())
        .collect();
    assert_eq!(
        names,
        ["LANG", "PATH"],
        "it sees nothing of the switch's environment"
    );
}

#[tokio::test]
async fn commands_that_fail_say_why() {
    assert!(
        failure(&["/nowhere/speaks"])
            .await
            .contains("/nowhere/speaks: No such file")
    );
    let said = failure(&["ls", "/nowhere/at/all"]).await;
    assert!(
        said.contains("exit status: 2") && said.contains("No such file"),
        "{said}"
    );
    assert!(
        failure(&["head", "-c", "40000000", "/dev/zero"])
            .await
            .contains("at most 33554432 bytes")
    );
}

#[tokio::test]
async fn a_command_ends_with_whoever_wants_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("begun");
    let script = format!("echo $$ > {}; exec sleep 600", file.display());
    let parts = command(&["sh", "-c", &script]);
    let task = tokio::spawn(async move { run(&parts, "").await });
    let pid = loop {
        match std::fs::read_to_string(&file) {
            Ok(pid) if pid.ends_with('\n') => break pid.trim().to_owned(),
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let lives = || {
        std::path::Path::new("/proc")
            .join(&pid)
            .join("cwd")
            .exists()
    };
    assert!(lives());
    task.abort();
    while lives() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn a_wav_of_a_length_nobody_knew_is_given_its_own() {
    let samples: Vec<i16> = (0..800).map(|at| (at % 50) * 100).collect();
    let whole = wav(&samples);
    let mut piped = whole.clone();
    for place in [4, 40] {
        piped[place..place + 4].copy_from_slice(&0x7FFF_F000u32.to_le_bytes());
    }
    assert_eq!(with_true_length(piped.clone()), whole);
    assert_eq!(decode(with_true_length(piped)), decode(whole));
    for short in [&b""[..], b"RIFF", b"RIFF\0\0\0\0WAVEdata\xFF\xFF\xFF\xFF"] {
        with_true_length(short.to_vec());
    }
}
