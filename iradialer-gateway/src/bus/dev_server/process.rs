//! The server's process: started on a thread of its own, started again when it dies, ended with us.

use super::settings::Paths;
use super::{DevServerError, LOOK_INTERVAL};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long the server may take to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause before a server that died is started again.
const RESTART_DELAY: Duration = Duration::from_millis(500);

/// The running server.
pub(super) struct Process {
    program: PathBuf,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    pid: AtomicU32,
    exit: Mutex<Option<ExitStatus>>,
    keep_running: AtomicBool,
}

impl Process {
    /// Starts the server. The kernel ends a child whose parent *thread* is gone, so the thread that
    /// starts it is one that stays until it has ended, not one of the runtime's.
    pub(super) fn spawn(program: PathBuf, paths: &Paths) -> Result<Process, DevServerError> {
        let launch = Launch {
            program: program.clone(),
            config: paths.config.clone(),
            log: paths.open_log()?,
        };
        let spawn_error = |error| DevServerError::Spawn {
            program: program.clone(),
            error,
        };
        let shared = Arc::new(Shared::default());
        let (started, first) = mpsc::channel();
        let of_thread = Arc::clone(&shared);
        thread::Builder::new()
            .name("nats-server".to_owned())
            .spawn(move || match launch.run() {
                Ok(child) => {
                    of_thread.pid.store(child.id(), Ordering::SeqCst);
                    let _ = started.send(Ok(()));
                    supervise(child, &launch, &of_thread);
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            })
            .map_err(spawn_error)?;
        first
            .recv()
            .expect("the thread tells how the start went")
            .map_err(spawn_error)?;
        Ok(Process { program, shared })
    }

    /// The server's process id.
    pub(super) fn pid(&self) -> u32 {
        self.shared.pid.load(Ordering::SeqCst)
    }

    /// How it ended, if it has and is not to be started again.
    pub(super) fn exit_status(&self) -> Option<ExitStatus> {
        *lock(&self.shared.exit)
    }

    /// From now on it is started again when it dies.
    pub(super) fn keep_running(&self) {
        self.shared.keep_running.store(true, Ordering::SeqCst);
    }

    /// Ends it and waits until it has ended.
    pub(super) async fn stop(&self) {
        self.shared.keep_running.store(false, Ordering::SeqCst);
        for signal in ["term", "stop"] {
            send_signal(&self.program, signal, self.pid());
            let deadline = Instant::now() + STOP_TIMEOUT;
            while Instant::now() < deadline {
                if self.exit_status().is_some() {
                    return;
                }
                sleep(LOOK_INTERVAL).await;
            }
        }
        tracing::error!(pid = self.pid(), "nats-server could not be ended");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.shared.keep_running.store(false, Ordering::SeqCst);
        if self.exit_status().is_none() {
            send_signal(&self.program, "term", self.pid());
        }
    }
}

struct Launch {
    program: PathBuf,
    config: PathBuf,
    log: std::fs::File,
}

impl Launch {
    fn run(&self) -> std::io::Result<Child> {
        // setpriv asks the kernel to end the server with us, however we end, and then becomes it.
        // A process group of its own keeps a terminal's Ctrl-C from ending it before we are done.
        Command::new("setpriv")
            .args(["--pdeathsig", "TERM"])
            .arg(&self.program)
            .arg("--config")
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(self.log.try_clone()?)
            .stderr(self.log.try_clone()?)
            .process_group(0)
            .spawn()
    }
}

fn supervise(mut child: Child, launch: &Launch, shared: &Shared) {
    loop {
        let status = match child.wait() {
            Ok(status) => status,
            Err(error) => {
                tracing::error!(%error, "nats-server can't be waited for");
                return;
            }
        };
        if !shared.keep_running.load(Ordering::SeqCst) {
            *lock(&shared.exit) = Some(status);
            return;
        }
        tracing::error!(%status, "nats-server died, starting it again");
        thread::sleep(RESTART_DELAY);
        child = match launch.run() {
            Ok(child) => child,
            Err(error) => {
                tracing::error!(%error, "nats-server can't be started again");
                *lock(&shared.exit) = Some(status);
                return;
            }
        };
        shared.pid.store(child.id(), Ordering::SeqCst);
    }
}

/// `term` or `stop` (which is SIGKILL), by the server's own command.
fn send_signal(program: &Path, signal: &str, pid: u32) {
    let outcome = Command::new(program)
        .args(["--signal", &format!("{signal}={pid}")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if let Err(error) = outcome {
        tracing::error!(%error, pid, "nats-server can't be signalled");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
