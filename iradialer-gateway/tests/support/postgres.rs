//! A PostgreSQL server of a test's own: its programs are Debian's, its data are in a temporary directory,
//! it listens on a socket in there alone, and it is gone when the test is.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a start may take, with every core busy; after a kill the log is read anew.
const START_TIME: Duration = Duration::from_secs(60);
/// The user that may do everything, without a password.
const OWNER: &str = "iradialer";
/// Who it runs as where we are root; the package makes it.
const ACCOUNT: &str = "postgres";

/// What a server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// Its data need not outlive the machine.
    Tests,
    /// Every commit is on the disk, as in production.
    Measuring,
}

/// A running server. Dropping it ends it.
pub struct Postgres {
    child: Child,
    programs: PathBuf,
    what_for: For,
    dir: TempDir,
}

impl Postgres {
    /// Starts one; `None`, said loudly, where PostgreSQL is not installed.
    pub fn start(what_for: For) -> Option<Self> {
        let Some(programs) = programs() else {
            // Past the harness, which keeps what a passing test prints.
            let line = "SKIPPED: no PostgreSQL here; it is in the Debian package postgresql\n";
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        };
        let parent = match what_for {
            For::Tests => std::env::temp_dir(),
            // On the disk that the build is on; the other may be memory.
            For::Measuring => {
                option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from)
            }
        };
        let dir = tempfile::Builder::new()
            .prefix("pg-")
            .tempdir_in(parent)
            .unwrap();
        if is_root() {
            // The server refuses to run as root.
            run(Command::new("chown").arg(ACCOUNT).arg(dir.path()));
        }
        let initdb = programs.join("initdb");
        run(as_its_user(&initdb)
            .arg("-D")
            .arg(dir.path().join("data"))
            .args(["-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N"])
            .current_dir(dir.path()));
        // One user has to say a password.
        let hba = dir.path().join("data/pg_hba.conf");
        let mut rules = "local all guarded scram-sha-256\n".to_owned();
        rules.push_str(&std::fs::read_to_string(&hba).unwrap());
        std::fs::write(&hba, rules).unwrap();
        let mut postgres = Postgres {
            child: spawn(&programs, dir.path(), what_for),
            programs,
            what_for,
            dir,
        };
        postgres.wait_until_ready();
        Some(postgres)
    }

    /// The URL of a database on it, for the user that owns everything.
    pub fn url(&self, database: &str) -> String {
        format!("{}{database}", self.base(OWNER))
    }

    /// The same for another user, or one with a password.
    pub fn url_as(&self, user: &str, database: &str) -> String {
        format!("{}{database}", self.base(user))
    }

    fn base(&self, user: &str) -> String {
        let mut host = String::new();
        for byte in self.dir.path().to_str().unwrap().bytes() {
            match byte {
                b'/' => host.push_str("%2F"),
                byte => write!(host, "{}", char::from(byte)).unwrap(),
            }
        }
        format!("postgres://{user}@{host}/")
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join(".s.PGSQL.5432")
    }

    /// Makes an empty database; its URL.
    pub fn create(&self, database: &str) -> String {
        create(&self.base(OWNER), database)
    }

    /// Runs SQL in a database and returns what it prints, bare.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        psql(&self.url(database), sql)
    }

    /// Kills it (SIGKILL), its helpers with it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        let ended = self.child.wait().unwrap();
        assert_eq!(ended.signal(), Some(9), "{ended}");
    }

    /// Starts it again on the same data.
    pub fn start_again(&mut self) {
        // Until the helpers of one that was killed have seen it, there is no start.
        let deadline = Instant::now() + START_TIME;
        loop {
            self.child = spawn(&self.programs, self.dir.path(), self.what_for);
            if self.becomes_ready(deadline) {
                return;
            }
            assert!(Instant::now() < deadline, "{}", self.log());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + START_TIME;
        assert!(self.becomes_ready(deadline), "{}", self.log());
    }

    /// False where it has ended by itself.
    fn becomes_ready(&mut self, deadline: Instant) -> bool {
        while Instant::now() < deadline {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            let ready = Command::new(self.programs.join("pg_isready"))
                .arg("-q")
                .arg("-h")
                .arg(self.dir.path())
                .status();
            if ready.unwrap().success() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once (SIGQUIT): its data go too.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-QUIT", &pid]).status();
        let _ = self.child.wait();
    }
}

/// Makes an empty database on the server of that URL; its own URL.
pub fn create(server: &str, database: &str) -> String {
    let sql = format!("CREATE DATABASE \"{database}\" TEMPLATE template0");
    psql(&format!("{server}postgres"), &sql);
    format!("{server}{database}")
}

fn psql(url: &str, sql: &str) -> String {
    let output = Command::new("psql")
        .args([url, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{sql}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn spawn(programs: &Path, dir: &Path, what_for: For) -> Child {
    let mut command = as_its_user(&programs.join("postgres"));
    command
        .arg("-D")
        .arg(dir.join("data"))
        .arg("-k")
        .arg(dir)
        .args(["-c", "listen_addresses=", "-c", "max_connections=200"]);
    if what_for == For::Tests {
        command.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
    }
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.join("log"))
        .unwrap();
    command
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// The program under the user it runs as, dead with us.
fn as_its_user(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        // The wish to die with us does not survive a change of user: it is made after that.
        command
            .arg(format!("--reuid={ACCOUNT}"))
            .arg(format!("--regid={ACCOUNT}"))
            .args(["--init-groups", "--", "setpriv"]);
    }
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Debian keeps the server's programs by version, the youngest last.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("postgres").exists())
        .collect();
    found.sort();
    Some(found.pop()?.1)
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().any(|line| line.starts_with("Uid:\t0\t"))
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
