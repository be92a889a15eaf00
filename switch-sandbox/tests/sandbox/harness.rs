//! Builds the probe module and runs the sandbox with it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between one look and the next.
const PAUSE: Duration = Duration::from_millis(5);
const SANDBOX: &str = env!("CARGO_BIN_EXE_switch-sandbox");

/// Builds the probe with `define` set and returns its file in `dir`.
pub fn build_probe(dir: &Path, define: Option<&str>) -> PathBuf {
    let module = dir.join("mod_probe.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox/probe/mod_probe.c");
    let mut compiler = Command::new("cc");
    compiler.args([
        "-std=gnu11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-shared",
        "-fPIC",
        "-pthread",
    ]);
    compiler.args(define.map(|define| format!("-D{define}")));
    let built = compiler
        .arg("-o")
        .arg(&module)
        .arg(source)
        .output()
        .expect("a C compiler");
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    module
}

/// The sandbox's command line for `module` with its files in `dir`.
pub fn command(dir: &Path, module: &Path, options: &[&str]) -> Command {
    let conf = dir.join("autoload_configs");
    std::fs::create_dir_all(&conf).unwrap();
    let text =
        "<configuration name=\"probe.conf\"><param value=\"$${probe_global}\"/></configuration>";
    std::fs::write(conf.join("probe.conf.xml"), text).unwrap();
    let mut command = Command::new(SANDBOX);
    command.arg("--module").arg(module).arg("--conf").arg(dir);
    command.arg("--cli").arg(dir.join("cli")).args(options);
    command
}

/// Runs a sandbox that is expected to end by itself.
pub fn run_to_end(define: Option<&str>) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let module = build_probe(dir.path(), define);
    command(dir.path(), &module, &[]).output().unwrap()
}

/// A sandbox that runs the probe; it ends with the test.
pub struct Sandbox {
    process: Child,
    dir: TempDir,
}

/// One line of the probe's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The kernel's number of the thread it happened on.
    pub thread: u32,
    /// What happened.
    pub what: String,
}

impl Sandbox {
    /// Starts a sandbox and waits until it is ready.
    pub fn start(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let module = build_probe(dir.path(), None);
        let mut command = command(dir.path(), &module, options);
        let errors = File::create(dir.path().join("stderr")).unwrap();
        command.stdout(Stdio::piped()).stderr(errors);
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        let output = process.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        assert_eq!(line, "READY\n");
        Self { process, dir }
    }

    /// A folder for the test's files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The answer to a command. The connection may break off where the host dies of it.
    pub fn cli(&self, command: &str) -> String {
        let socket = self.dir.path().join("cli");
        let reply = Command::new(SANDBOX)
            .arg("--exec")
            .arg(socket)
            .arg(command)
            .output()
            .unwrap();
        String::from_utf8(reply.stdout).unwrap()
    }

    /// Starts a call; returns its uuid.
    pub fn call(&self, number: &str) -> String {
        let reply = self.cli(&format!("probe call {number}"));
        assert!(!reply.starts_with("-ERR"), "{reply}");
        reply.trim().to_owned()
    }

    /// What has happened to a call so far.
    pub fn journal(&self, uuid: &str) -> Vec<Entry> {
        let journal = self.cli("probe journal");
        let lines = journal
            .lines()
            .filter_map(|line| line.strip_prefix(uuid)?.strip_prefix(' '));
        let entries = lines.map(|line| {
            let (thread, what) = line.split_once(' ').unwrap();
            Entry {
                thread: thread.parse().unwrap(),
                what: what.to_owned(),
            }
        });
        entries.collect()
    }

    /// Waits until `what` has happened to a call, and returns all that has.
    pub fn wait_for(&self, uuid: &str, what: &str) -> Vec<Entry> {
        let until = Instant::now() + PATIENCE;
        loop {
            let seen = self.journal(uuid);
            if seen.iter().any(|entry| entry.what.starts_with(what)) {
                return seen;
            }
            assert!(
                Instant::now() < until,
                "waited too long for {what} of {uuid}: {seen:#?}\n{}\n{}",
                self.cli("show channels"),
                std::fs::read_to_string(self.dir().join("stderr")).unwrap_or_default()
            );
            std::thread::sleep(PAUSE);
        }
    }

    /// What happens to a call from its begin to its end, without the threads.
    pub fn story(&self, number: &str) -> Vec<String> {
        let uuid = self.call(number);
        self.wait_for(&uuid, "destroy")
            .into_iter()
            .map(|entry| entry.what)
            .collect()
    }

    /// The number at the end of a listing.
    pub fn total(&self, listing: &str) -> usize {
        let reply = self.cli(listing);
        let last = reply.lines().last().unwrap_or_default();
        last.split_whitespace()
            .next()
            .and_then(|count| count.parse().ok())
            .expect(&reply)
    }

    /// How many threads run besides those that answer commands, which end when they have.
    pub fn threads(&self) -> usize {
        let listed = self.cli("show threads");
        let counted = listed.lines().filter_map(|line| line.split_once(' '));
        let lasting = counted.filter(|(_, name)| !matches!(*name, "cli" | "total."));
        lasting
            .map(|(count, _)| count.parse::<usize>().unwrap())
            .sum()
    }

    /// The same once it is steady: a thread has its parent's name until it has run a little.
    pub fn steady_threads(&self) -> usize {
        let mut seen = Vec::new();
        eventually("the number of threads to be steady", || {
            seen.push(self.threads());
            matches!(seen[..], [.., a, b, c] if a == b && b == c)
        });
        seen.pop().unwrap()
    }

    /// Waits until the module holds nothing of the host's but its own memory pool, and as many
    /// threads run as `threads`. A session's last steps come after its module has seen its end.
    pub fn wait_until_idle(&self, threads: usize) {
        const NOTHING: &str = "0 sessions\n1 memory pools\n0 events\n0 caller profiles\n0 media bugs\n0 speech handles\n0 XML documents\n";
        eventually("all handles to be given back", || {
            self.cli("show handles") == NOTHING
        });
        eventually("all threads to end", || self.threads() == threads);
    }

    /// Waits for the end of the process; returns whether it ended well and its stderr.
    pub fn wait(mut self) -> (bool, String) {
        let mut ended = None;
        eventually("the end of the sandbox", || {
            ended = self.process.try_wait().unwrap();
            ended.is_some()
        });
        let errors = std::fs::read_to_string(self.dir().join("stderr")).unwrap();
        (ended.is_some_and(|status| status.success()), errors)
    }

    /// Sends the process a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks until the answer is yes.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "waited too long for {what}");
        std::thread::sleep(PAUSE);
    }
}
