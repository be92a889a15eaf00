//! A child process that never outlives its guard.

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

/// How long a dropped process may take to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// How many bytes of a log are shown when something fails.
const TAIL: usize = 6_000;

/// What to start.
pub struct Program {
    name: String,
    path: PathBuf,
    args: Vec<String>,
    envs: Vec<(String, String)>,
}

impl Program {
    /// The program at `path`, called `name` in messages and log files.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Program {
            name: name.into(),
            path: path.into(),
            args: Vec::new(),
            envs: Vec::new(),
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.envs.push((name.into(), value.into()));
        self
    }

    /// Starts it in `dir`, where its output goes to `NAME.log`.
    pub fn start(self, dir: &Path) -> Result<Process> {
        let log = dir.join(format!("{}.log", self.name));
        let output = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        // setpriv asks the kernel to kill the program when the thread that started it ends, so that
        // nothing stays behind even after a SIGKILL of ours. A group of its own keeps a Ctrl-C in the
        // terminal from it: its guard decides in which order things stop.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&self.path)
            .args(&self.args)
            .envs(self.envs)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0);
        let child = spawn(command)
            .with_context(|| format!("starting {} ({})", self.name, self.path.display()))?;
        Ok(Process {
            name: self.name,
            child,
            log,
            group: Vec::new(),
        })
    }
}

/// Starts `command` from a thread that lives as long as this program: the kernel's parent-death signal
/// is tied to the thread, and a test's or a runtime's thread may end at any time.
fn spawn(command: Command) -> std::io::Result<Child> {
    type Order = (Command, mpsc::Sender<std::io::Result<Child>>);
    static STARTER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                // Whoever asked may be gone; then the child is dropped unheard, and dies with us.
                let _ = answer.send(command.spawn());
            }
        });
        orders
    });
    let (answer, started) = mpsc::channel();
    let gone = || std::io::Error::other("the thread that starts processes is gone");
    starter.send((command, answer)).map_err(|_| gone())?;
    started.recv().map_err(|_| gone())?
}

/// A running program. Dropping it ends it.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    group: Vec<PathBuf>,
}

impl Process {
    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The file its output goes to.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Has the end of `file` shown, too, where this program's log is.
    pub fn also_show(&mut self, file: PathBuf) {
        self.group.push(file);
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends it a signal. An error is that it is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).with_context(|| format!("signalling {}", self.name))
    }

    /// Asks it to end (SIGTERM) and waits at most so long for it.
    pub async fn stop(&mut self, within: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.ended() {
            return Ok(status);
        }
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!(
            "{} did not end within {within:?} of SIGTERM\n{}",
            self.name,
            self.log_tail()
        )
    }

    /// Waits until `ready` gives something, at most so long; a program that ends meanwhile is an error
    /// with the end of its log.
    pub async fn until<T>(
        &mut self,
        what: &str,
        within: Duration,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(value) = ready() {
                return Ok(value);
            }
            if let Some(status) = self.ended() {
                bail!(
                    "{} ended ({status}) before {what}\n{}",
                    self.name,
                    self.log_tail()
                );
            }
            if Instant::now() >= deadline {
                bail!(
                    "{}: not {what} within {within:?}\n{}",
                    self.name,
                    self.log_tail()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The end of its log and of the files that go with it.
    pub fn log_tail(&self) -> String {
        std::iter::once(&self.log)
            .chain(&self.group)
            .map(|file| tail(file))
            .collect()
    }
}

fn tail(file: &Path) -> String {
    let mut bytes = Vec::new();
    if File::open(file)
        .and_then(|mut f| f.read_to_end(&mut bytes))
        .is_err()
    {
        return format!("--- {}: can't be read\n", file.display());
    }
    let cut = bytes.len().saturating_sub(TAIL);
    let text = String::from_utf8_lossy(&bytes[cut..]);
    let more = if cut > 0 { "…" } else { "" };
    format!("--- {}\n{more}{}\n", file.display(), text.trim_end())
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_some() {
            return;
        }
        let _ = self.signal(Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while self.ended().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_process_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let sleeper = Program::new("sleeper", "sleep")
            .arg("600")
            .start(dir.path());
        let id = sleeper.unwrap().id();
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }

    #[tokio::test]
    async fn an_early_end_is_told_with_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let script = ["-c", "echo out of paper; exit 3"];
        let mut printer = Program::new("printer", "sh")
            .args(script)
            .start(dir.path())
            .unwrap();
        let never = || None::<()>;
        let error = printer
            .until("ready", Duration::from_secs(5), never)
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("out of paper") && text.contains("before ready"),
            "{text}"
        );
    }
}
