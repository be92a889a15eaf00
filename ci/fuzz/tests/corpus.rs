//! What fuzzing found, gone through again.

use std::path::Path;

/// How many files a corpus has at the least.
const LEAST: usize = 10;

fn each(corpus: &str, check: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(corpus);
    let mut count = 0;
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        let data = std::fs::read(&path).unwrap();
        // A panic's message does not say which file it was.
        if std::panic::catch_unwind(|| check(&data)).is_err() {
            panic!("{}", path.display());
        }
        count += 1;
    }
    assert!(count >= LEAST, "{}: {count} files", dir.display());
}

#[test]
fn flows() {
    each("flow", iradialer_fuzz::flow);
}

#[test]
fn templates() {
    each("template", iradialer_fuzz::template);
}

#[test]
fn prompts() {
    each("prompt", iradialer_fuzz::prompt);
}
