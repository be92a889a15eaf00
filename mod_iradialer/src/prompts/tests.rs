use super::*;
use crate::audio::{Law, test_support};
use tempfile::TempDir;

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
    let prompts = Prompts::new(1 << 20);
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
}

#[test]
fn another_file_of_the_same_name_is_heard_by_the_next_call() {
    let dir = folder(&[("a.wav", &[1; 800])]);
    let prompts = Prompts::new(1 << 20);
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
    let prompts = Prompts::new(2 * 1_600);
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
    let big = File::create(dir.path().join("big.wav")).unwrap();
    big.set_len(100 << 20).unwrap();

    let prompts = Prompts::new(1 << 20);
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
