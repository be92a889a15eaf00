//! Named places where a test build can be made to die, to stand still or to fail, so that chaos can
//! strike between a commit and what follows it. Only with `debug_assertions`; otherwise each call is an
//! empty inline function.
//!
//! `IRADIALER_FAILPOINTS="NAME=ACTION@N;…"` arms them at the `N`th time they are reached (`@N` may be left
//! out: the first). `ACTION` is `kill` (SIGKILL to the process itself), `pause(MS)` (its thread stands
//! still) or `error(MS)` (calls of [`fails`] are true for so long).
//!
//! Names are `PART.STEP.before` and `PART.STEP.after`, such as `tdb.commit.after`. Each that strikes adds its
//! name as a line to the file `IRADIALER_FAILPOINT_LOG`, if that is set.
//!
//! Beside them, a clock that can be moved while a process runs: [`clock_offset_us`].

/// The place `name` is reached. A `kill` or a `pause` that is armed there happens now.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn hit(_name: &str) {}

/// The place `name` is reached, which can fail: true while an `error` that is armed there lasts.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn fails(_name: &str) -> bool {
    false
}

/// What is armed, for a loud line in the log at start; an error says what is wrong with the variable.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn armed() -> Result<Vec<String>, String> {
    Ok(Vec::new())
}

/// How far the clock of this process is made to be off, µs: what stands in the file
/// `IRADIALER_CLOCK_FILE`, in ms, looked at every 20 ms. 0 without one. To be added to the wall's clock.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn clock_offset_us() -> i64 {
    0
}

#[cfg(debug_assertions)]
pub use armable::{armed, fails, hit};
#[cfg(debug_assertions)]
pub use clock::clock_offset_us;

#[cfg(debug_assertions)]
mod clock {
    use std::path::{Path, PathBuf};
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
    use std::time::Instant;

    const VARIABLE: &str = "IRADIALER_CLOCK_FILE";
    /// How old what was read may be, ms.
    const KEPT_MS: u64 = 20;

    static FILE: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| std::env::var_os(VARIABLE).map(PathBuf::from));
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    /// When the file is to be looked at again, ms after [`BEGUN`].
    static DUE_MS: AtomicU64 = AtomicU64::new(0);
    static OFFSET_US: AtomicI64 = AtomicI64::new(0);

    /// How far the clock of this process is made to be off, µs: what stands in the file
    /// `IRADIALER_CLOCK_FILE`, in ms, looked at every 20 ms. 0 without one. To be added to the wall's clock.
    pub fn clock_offset_us() -> i64 {
        let Some(file) = &*FILE else { return 0 };
        let since_ms = u64::try_from(BEGUN.elapsed().as_millis()).unwrap_or(u64::MAX);
        if since_ms >= DUE_MS.load(Ordering::Relaxed) {
            DUE_MS.store(since_ms + KEPT_MS, Ordering::Relaxed);
            OFFSET_US.store(read(file), Ordering::Relaxed);
        }
        OFFSET_US.load(Ordering::Relaxed)
    }

    /// What is no number of ms is no offset.
    pub(super) fn read(file: &Path) -> i64 {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.trim()
            .parse::<i64>()
            .unwrap_or(0)
            .saturating_mul(1_000)
    }
}

#[cfg(debug_assertions)]
mod armable {
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{LazyLock, OnceLock};
    use std::time::{Duration, Instant};

    const VARIABLE: &str = "IRADIALER_FAILPOINTS";
    const LOG_VARIABLE: &str = "IRADIALER_FAILPOINT_LOG";

    static LOG: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| std::env::var_os(LOG_VARIABLE).map(PathBuf::from));

    static POINTS: LazyLock<Result<Vec<Point>, String>> =
        LazyLock::new(|| parse(&std::env::var(VARIABLE).unwrap_or_default()));

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Action {
        Kill,
        Pause(Duration),
        Error(Duration),
    }

    #[derive(Debug)]
    struct Point {
        name: String,
        action: Action,
        at: u64,
        hits: AtomicU64,
        /// When it began to fail.
        failing: OnceLock<Instant>,
    }

    /// The place `name` is reached. A `kill` or a `pause` that is armed there happens now.
    pub fn hit(name: &str) {
        fails(name);
    }

    /// The place `name` is reached, which can fail: true while an `error` that is armed there lasts.
    pub fn fails(name: &str) -> bool {
        let Ok(points) = &*POINTS else { return false };
        let mut failed = false;
        // Every one of the name counts its hits, whatever the others do.
        for point in points.iter().filter(|point| point.name == name) {
            failed |= point.reach();
        }
        failed
    }

    /// What is armed, for a loud line in the log at start; an error says what is wrong with the variable.
    pub fn armed() -> Result<Vec<String>, String> {
        let points = POINTS.as_ref().map_err(Clone::clone)?;
        let told = |point: &Point| format!("{}={:?}@{}", point.name, point.action, point.at);
        Ok(points.iter().map(told).collect())
    }

    impl Point {
        fn reach(&self) -> bool {
            let hit = self.hits.fetch_add(1, Ordering::SeqCst) + 1;
            if hit == self.at {
                self.tell();
            }
            match self.action {
                Action::Kill if hit == self.at => kill(),
                Action::Pause(pause) if hit == self.at => std::thread::sleep(pause),
                Action::Error(lasts) if hit >= self.at => {
                    return self.failing.get_or_init(Instant::now).elapsed() < lasts;
                }
                _ => {}
            }
            false
        }
    }

    impl Point {
        /// Notes that it strikes. Whoever counts has to see the file; nobody here can do anything about it.
        fn tell(&self) {
            let Some(path) = &*LOG else { return };
            let file = OpenOptions::new().append(true).create(true).open(path);
            if let Err(error) = file.and_then(|mut file| writeln!(file, "{}", self.name)) {
                eprintln!("{LOG_VARIABLE} {}: {error}", path.display());
            }
        }
    }

    /// Ends the process at once: no destructor, no flush, no handler sees it.
    fn kill() {
        let this = rustix::process::getpid();
        if rustix::process::kill_process(this, rustix::process::Signal::KILL).is_err() {
            std::process::abort();
        }
        // The signal is on its way; nothing may happen after it.
        loop {
            std::thread::park();
        }
    }

    fn parse(text: &str) -> Result<Vec<Point>, String> {
        text.split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(point)
            .collect()
    }

    fn point(text: &str) -> Result<Point, String> {
        let wrong = |what: &str| format!("{VARIABLE}: expected {what}, got {text:?}");
        let (name, rest) = text.split_once('=').ok_or_else(|| wrong("NAME=ACTION@N"))?;
        let (action, at) = match rest.split_once('@') {
            Some((action, at)) => (action, at.parse().ok().filter(|at| *at > 0)),
            None => (rest, Some(1)),
        };
        Ok(Point {
            name: name.to_owned(),
            action: action_of(action)
                .ok_or_else(|| wrong("the action kill, pause(MS) or error(MS)"))?,
            at: at.ok_or_else(|| wrong("a number from 1 after @"))?,
            hits: AtomicU64::new(0),
            failing: OnceLock::new(),
        })
    }

    fn action_of(text: &str) -> Option<Action> {
        let ms = |name: &str| {
            let ms = text
                .strip_prefix(name)?
                .strip_prefix('(')?
                .strip_suffix(')')?;
            ms.parse().ok().map(Duration::from_millis)
        };
        match text {
            "kill" => Some(Action::Kill),
            _ => ms("pause")
                .map(Action::Pause)
                .or_else(|| ms("error").map(Action::Error)),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn points_are_read() {
            let points = parse("a.b.before=kill@3; c=pause(20);d=error(5)@2;").unwrap();
            let read: Vec<_> = points.iter().map(|p| (&*p.name, p.action, p.at)).collect();
            let ms = Duration::from_millis;
            assert_eq!(
                read,
                [
                    ("a.b.before", Action::Kill, 3),
                    ("c", Action::Pause(ms(20)), 1),
                    ("d", Action::Error(ms(5)), 2)
                ]
            );
            assert!(parse("").unwrap().is_empty());
        }

        #[test]
        fn mistakes_are_told() {
            for (text, told) in [
                ("a", "NAME=ACTION@N"),
                ("a=explode", "the action"),
                ("a=pause(x)", "the action"),
                ("a=kill@0", "from 1"),
                ("a=kill@many", "from 1"),
            ] {
                let error = parse(text).unwrap_err();
                assert!(error.contains(told) && error.contains(text), "{error}");
            }
        }

        #[test]
        fn an_error_lasts_from_its_hit_on() {
            let point = point("a=error(60000)@2").unwrap();
            assert_eq!(
                [point.reach(), point.reach(), point.reach()],
                [false, true, true]
            );
        }

        #[test]
        fn a_moved_clock_is_read() {
            let file = std::env::temp_dir().join(format!("ira-clock-{}", std::process::id()));
            for (text, us) in [("180000\n", 180_000_000), ("-5", -5_000), ("noon", 0)] {
                std::fs::write(&file, text).unwrap();
                assert_eq!(super::super::clock::read(&file), us);
            }
            std::fs::remove_file(&file).unwrap();
            assert_eq!(super::super::clock::read(&file), 0);
            assert_eq!(super::super::clock_offset_us(), 0);
        }

        #[test]
        fn what_is_not_armed_does_nothing() {
            hit("nothing.is.here");
            assert!(!fails("nothing.is.here"));
        }
    }
}
