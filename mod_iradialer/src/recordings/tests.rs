use super::*;
use crate::audio::decode::decode;
use crossbeam_channel::Receiver;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(30);
const NO_LIMITS: Limits = Limits {
    least_free: 0,
    most_bytes: 0,
    longest_kept: None,
};
/// A packet's time, µs.
const PACKET_US: u64 = 20_000;

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn open(dir: &Path, limits: Limits) -> Recordings {
    Recordings::open(dir, limits, Box::new(|_, _| {})).unwrap()
}

fn finish(recording: Recording) -> Receiver<Result<Kept, String>> {
    let (told, hears) = bounded(1);
    recording.finish(Box::new(move |kept| told.send(kept).unwrap()));
    hears
}

fn kept(recording: Recording) -> Result<Kept, String> {
    finish(recording).recv_timeout(LONG).unwrap()
}

/// The samples of a WAV file.
fn samples(file: &[u8]) -> Vec<i16> {
    let pairs = file[44..].chunks_exact(2);
    pairs
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

#[test]
fn what_was_heard_is_what_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let recordings = open(&dir.path().join("made/here"), NO_LIMITS);
    let begin = |name: &str| recordings.begin(name.into(), Shape::Person, 0).unwrap();
    let (mut one, mut other) = (begin("one"), begin("other"));
    let packets: Vec<Vec<u8>> = (0..50u8).map(|n| vec![n | 0x80; 160]).collect();
    for (n, packet) in (1..).zip(&packets) {
        one.add(Side::Person, Law::Mu, packet, n * PACKET_US);
        other.add(
            Side::Person,
            Law::A,
            &[Law::A.silence(); 160],
            n * PACKET_US,
        );
    }
    assert_eq!(one.ms(), 1_000);
    let one = kept(one).unwrap();
    assert_eq!(
        (one.name.as_str(), one.ms, one.bytes),
        ("one.wav", 1_000, 16_044)
    );
    let file = std::fs::read(recordings.dir().join("one.wav")).unwrap();
    let hash = <sha2::Sha256 as sha2::Digest>::digest(&file);
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(one.sha256, hash);
    assert_eq!(decode(file).unwrap().bytes(Law::Mu), packets.concat());
    kept(other).unwrap();
    assert_eq!(names(recordings.dir()), ["one.wav", "other.wav"]);
}

#[test]
fn both_sides_lie_where_they_were_heard() {
    let dir = tempfile::tempdir().unwrap();
    let recordings = open(dir.path(), NO_LIMITS);
    let loud = Law::Mu.sample(0x80);
    for (name, shape) in [("stereo", Shape::Stereo), ("mixed", Shape::Mixed)] {
        let mut recording = recordings.begin(name.into(), shape, 1_000_000).unwrap();
        // The person is there all the time, but for the third second; the switch speaks in the second one.
        for n in 1..=200 {
            let now_us = 1_000_000 + n * PACKET_US;
            if !(101..=150).contains(&n) {
                recording.add(Side::Person, Law::Mu, &[0xFF; 160], now_us);
            }
            if (51..=100).contains(&n) {
                recording.add(Side::Switch, Law::Mu, &[0x80; 160], now_us);
            }
        }
        let kept = kept(recording).unwrap();
        assert_eq!(kept.ms, 4_000, "{name}");
        let heard = samples(&std::fs::read(dir.path().join(kept.name)).unwrap());
        let switch: Vec<i16> = match shape {
            Shape::Stereo => heard.chunks_exact(2).map(|both| both[1]).collect(),
            _ => heard,
        };
        let spoken: Vec<_> = (0..switch.len()).filter(|at| switch[*at] != 0).collect();
        assert_eq!(
            (spoken.first(), spoken.last()),
            (Some(&8_000), Some(&15_999))
        );
        assert!(spoken.iter().all(|at| switch[*at] == loud));
    }
}

#[test]
fn what_never_ended_is_marked_and_can_be_heard() {
    let dir = tempfile::tempdir().unwrap();
    let before = open(dir.path(), NO_LIMITS);
    let mut crashed = before.begin("crashed".into(), Shape::Person, 0).unwrap();
    crashed.add(Side::Person, Law::Mu, &[0x80; 160], PACKET_US);
    // What a crash leaves: the head says that there is nothing, and whatever has reached the disk.
    let mut part = std::fs::read(dir.path().join("empty.part")).unwrap_or_default();
    part.resize(44, 0);
    std::fs::write(dir.path().join("empty.part"), part).unwrap();
    before.close();
    std::fs::rename(
        dir.path().join("crashed.broken.wav"),
        dir.path().join("crashed.part"),
    )
    .unwrap();
    std::fs::write(dir.path().join("whole.wav"), "whole").unwrap();

    let said = Arc::new(Mutex::new(Vec::new()));
    let says = Arc::clone(&said);
    let log = Box::new(move |_, line: &str| says.lock().push(line.to_owned()));
    let recordings = Recordings::open(dir.path(), NO_LIMITS, log).unwrap();
    assert_eq!(names(dir.path()), ["crashed.broken.wav", "whole.wav"]);
    assert!(
        said.lock()[0].contains("crashed.broken.wav"),
        "{:?}",
        said.lock()
    );
    let heard = decode(std::fs::read(dir.path().join("crashed.broken.wav")).unwrap()).unwrap();
    assert_eq!(heard.bytes(Law::Mu), [0x80; 160]);

    let mut dropped = recordings
        .begin("dropped".into(), Shape::Person, 0)
        .unwrap();
    dropped.add(Side::Person, Law::Mu, &[0x80; 160], PACKET_US);
    drop(dropped);
    drop(recordings.begin("silent".into(), Shape::Person, 0).unwrap());
    let mut left = recordings.begin("left".into(), Shape::Stereo, 0).unwrap();
    left.add(Side::Person, Law::Mu, &[0x80; 160], PACKET_US);
    left.add(Side::Switch, Law::Mu, &[0x80; 160], PACKET_US);
    recordings.close();
    assert_eq!(
        names(dir.path()),
        [
            "crashed.broken.wav",
            "dropped.broken.wav",
            "left.broken.wav",
            "whole.wav"
        ]
    );
    assert!(kept(left).is_err());
}

#[test]
fn without_room_it_says_so() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("old.wav"), [0; 4_000]).unwrap();
    let full_disk = Limits {
        least_free: u64::MAX,
        ..NO_LIMITS
    };
    let full_folder = Limits {
        most_bytes: 4_000,
        ..NO_LIMITS
    };
    for (limits, setting) in [
        (full_disk, "recordings-min-free-mib"),
        (full_folder, "recordings-max-mib"),
    ] {
        let recordings = open(dir.path(), limits);
        let one = recordings.begin("one".into(), Shape::Person, 0).unwrap();
        let error = kept(one).unwrap_err();
        assert!(error.contains(setting), "{error}");
        assert_eq!(names(dir.path()), ["old.wav"]);
        assert_eq!(recordings.standing().failed.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn a_disk_that_fills_ends_what_grows() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        most_bytes: 2 << 20,
        ..NO_LIMITS
    };
    let recordings = open(dir.path(), limits);
    let mut one = recordings.begin("one".into(), Shape::Person, 0).unwrap();
    for n in 1..20_000 {
        one.add(Side::Person, Law::Mu, &[0x80; 160], n * PACKET_US);
        if n % 1_000 == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        if one.failed().is_some() {
            break;
        }
    }
    let error = kept(one).unwrap_err();
    assert!(error.contains("recordings-max-mib"), "{error}");
    recordings.close();
    assert_eq!(names(dir.path()), ["one.broken.wav"]);
    let len = std::fs::metadata(dir.path().join("one.broken.wav"))
        .unwrap()
        .len();
    assert!((2 << 20..4 << 20).contains(&len), "{len}");
}

#[test]
fn what_is_too_old_goes() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["old.wav", "young.wav", "notes.txt"] {
        std::fs::write(dir.path().join(name), "0123456789").unwrap();
    }
    let old = std::time::SystemTime::now() - Duration::from_secs(3_600);
    for name in ["old.wav", "notes.txt"] {
        let file = std::fs::File::options()
            .write(true)
            .open(dir.path().join(name));
        file.unwrap().set_modified(old).unwrap();
    }
    let limits = Limits {
        longest_kept: Some(Duration::from_secs(1_800)),
        ..NO_LIMITS
    };
    let recordings = open(dir.path(), limits);
    assert_eq!(names(dir.path()), ["notes.txt", "young.wav"]);
    assert_eq!(recordings.standing().bytes.load(Ordering::Relaxed), 20);
}

#[test]
fn a_name_that_is_taken_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let recordings = open(dir.path(), NO_LIMITS);
    let begin = || recordings.begin("one".into(), Shape::Person, 0).unwrap();
    let (first, second) = (begin(), begin());
    let error = kept(second).unwrap_err();
    assert!(error.contains("exists"), "{error}");
    kept(first).unwrap();
    let error = kept(begin()).unwrap_err();
    assert!(error.contains("one.wav exists"), "{error}");
}

#[test]
fn no_name_leads_out_of_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let recordings = open(&dir.path().join("inside"), NO_LIMITS);
    let long = "n".repeat(LONGEST_NAME + 1);
    for name in [
        "",
        ".",
        "..",
        "../out",
        "/tmp/out",
        "a/b",
        "a b",
        "ä",
        "a\0b",
        long.as_str(),
    ] {
        let error = recordings.begin(name.into(), Shape::Person, 0).err();
        assert!(
            error.is_some_and(|error| error.contains("expected a name")),
            "{name:?}"
        );
    }
    assert_eq!(names(dir.path()), ["inside"]);
}
