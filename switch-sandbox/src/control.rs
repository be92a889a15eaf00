//! Running the host and steering it: one command a connection, answered with text.

use crate::abi::{self, loader, log, session};
use crate::callee;
use crate::carrier::Carriers;
use crate::clock::Clock;
use crate::completion::Completions;
use crate::host::{Host, host};
use crate::invite_log::InviteLog;
use crate::network::Network;
use crate::options::Options;
use freeswitch_sys::{SWITCH_CAUSE_SYSTEM_SHUTDOWN, SWITCH_LOG_NOTICE};
use parking_lot::Mutex;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::{Duration, Instant};

/// The longest command line, bytes.
const LINE: u64 = 64 * 1024;
/// How long calls may take to end when the host goes down.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the host until it is told to stop. The error says why the module was not loaded, or
/// what else kept it from starting.
pub fn serve(options: Options) -> Result<(), String> {
    let (stop, stopped) = mpsc::channel();
    watch_signals(stop.clone()).map_err(|error| format!("signals: {error}"))?;
    let module = options.module.clone().ok_or("--module is missing")?;
    let socket = options.cli.clone();
    install(options)?;
    loader::load(&module).map_err(|reason| format!("{}: {reason}", module.display()))?;
    if let Some(path) = &socket {
        let listener =
            listen(path).map_err(|error| format!("--cli {}: {error}", path.display()))?;
        std::thread::Builder::new()
            .name("cli".to_owned())
            .spawn(move || accept(&listener, &module, &stop))
            .map_err(|error| format!("cli thread: {error}"))?;
    }
    println!("READY");
    // Nobody reading the line is no reason not to run.
    let _ = io::stdout().flush();
    let reason = stopped.recv().unwrap_or("the end of the command socket");
    log::write(SWITCH_LOG_NOTICE, format_args!("stopping: {reason}"));
    go_down();
    if let Some(path) = socket {
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

fn install(options: Options) -> Result<(), String> {
    let clock = Arc::new(Clock::start(options.clock_rate));
    let network = Network::start(clock.clone()).map_err(|error| format!("threads: {error}"))?;
    let conf = options.conf.ok_or("--conf is missing")?;
    let invite_log = match &options.invite_log {
        Some(path) => Some(
            InviteLog::open(path, &options.name, options.journal.clone())
                .map_err(|error| format!("--invite-log {}: {error}", path.display()))?,
        ),
        None => None,
    };
    let mut globals = BTreeMap::from([
        ("sandbox_clock_rate".to_owned(), clock.rate().to_string()),
        ("conf_dir".to_owned(), conf.display().to_string()),
    ]);
    globals.extend(options.set);
    Host {
        clock,
        network,
        conf,
        globals,
        trunks: options.trunk.into_iter().collect(),
        max_sessions: options.max_sessions,
        log_level: options.log,
        completions: Mutex::new(Completions::default()),
        invites: Mutex::default(),
        carriers: Carriers::default(),
        listens_in: OnceLock::new(),
        invite_log,
    }
    .install();
    Ok(())
}

fn watch_signals(stop: mpsc::Sender<&'static str>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for _ in signals.forever() {
                // A second signal while it goes down changes nothing.
                let _ = stop.send("a signal");
            }
        })?;
    Ok(())
}

/// Ends all calls, then the module, as a switch that is shut down does.
fn go_down() {
    session::hang_up_all(SWITCH_CAUSE_SYSTEM_SHUTDOWN);
    let until = Instant::now() + PATIENCE;
    while !session::uuids().is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    if loader::is_loaded()
        && let Err(reason) = loader::unload(true)
    {
        log::write(SWITCH_LOG_NOTICE, format_args!("unload: {reason}"));
    }
}

/// Makes the socket, in the place of one that a dead process left.
fn listen(path: &Path) -> io::Result<UnixListener> {
    if UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another process answers there",
        ));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn accept(listener: &UnixListener, module: &Path, stop: &mpsc::Sender<&'static str>) {
    for stream in listener.incoming().flatten() {
        let (module, stop) = (module.to_owned(), stop.clone());
        let thread = std::thread::Builder::new().name("cli".to_owned());
        let answering = thread.spawn(move || {
            if let Err(error) = answer(stream, &module, &stop) {
                log::write(SWITCH_LOG_NOTICE, format_args!("cli: {error}"));
            }
        });
        if let Err(error) = answering {
            log::write(SWITCH_LOG_NOTICE, format_args!("cli thread: {error}"));
        }
    }
}

fn answer(
    mut stream: UnixStream,
    module: &Path,
    stop: &mpsc::Sender<&'static str>,
) -> io::Result<()> {
    let mut line = String::new();
    BufReader::new((&stream).take(LINE)).read_line(&mut line)?;
    // Leading blanks have no meaning; trailing ones do to `complete`.
    let line = line.trim_start().trim_end_matches(['\r', '\n']);
    stream.write_all(reply(line, module, stop).as_bytes())
}

/// Sends `command` to the sandbox at `socket` and prints what it answers.
pub fn execute(socket: &str, command: &str) -> Result<(), String> {
    let exchange = || -> io::Result<String> {
        let mut stream = UnixStream::connect(socket)?;
        stream.write_all(format!("{command}\n").as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        Ok(reply)
    };
    let reply = exchange().map_err(|error| format!("{socket}: {error}"))?;
    print!("{reply}");
    Ok(())
}

fn reply(line: &str, module: &Path, stop: &mpsc::Sender<&'static str>) -> String {
    let (command, arguments) = match line.split_once(' ') {
        Some((command, arguments)) => (command, arguments),
        None => (line, ""),
    };
    match (command, arguments.trim()) {
        ("complete", _) => lines(
            host()
                .completions
                .lock()
                .candidates(arguments, &session::uuids()),
        ),
        ("show", "threads") => threads(),
        ("show", "numbers") => callee::table(),
        ("show", "invites") => invites(),
        ("show", "channels") => with_total(session::describe()),
        ("show", "handles") => lines(
            abi::alive()
                .iter()
                .map(|(what, count)| format!("{count} {what}")),
        ),
        ("show", _) => "-USAGE: show threads|numbers|invites|channels|handles\n".to_owned(),
        ("inbound", arguments) => match session::inbound::call_in(arguments) {
            Ok(uuid) => format!("+OK {uuid}\n"),
            Err(reason) => format!("-ERR {reason}\n"),
        },
        ("listen", "") => "-USAGE: listen <dir>\n".to_owned(),
        ("listen", dir) => listen_in(Path::new(dir)),
        ("hupall", "") => {
            session::hang_up_all(freeswitch_sys::SWITCH_CAUSE_MANAGER_REQUEST);
            "+OK hangup all channels with cause MANAGER_REQUEST\n".to_owned()
        }
        ("load", name) => of_module(name, module, || said("", loader::load(module))),
        ("unload", name) => of_module(name, module, || said("", loader::unload(false))),
        ("reload", name) => of_module(name, module, || {
            let unloaded = said(" module unloaded", loader::unload(false));
            unloaded + &said(" module loaded", loader::load(module))
        }),
        ("shutdown", _) => match stop.send("the command socket") {
            Ok(()) => "+OK\n".to_owned(),
            Err(_) => "-ERR [it is going down already]\n".to_owned(),
        },
        (command, arguments) => loader::api(command, arguments)
            .unwrap_or_else(|| format!("-ERR {command} Command not found!\n")),
    }
}

/// From now on what the far end of each call hears goes to a file of the folder.
fn listen_in(dir: &Path) -> String {
    let dir_text = dir.display();
    if !dir.is_absolute() || !dir.is_dir() {
        return format!("-ERR {dir_text}: expected the absolute path of a folder\n");
    }
    let listens_in = host().listens_in.get_or_init(|| dir.to_owned());
    match listens_in == dir {
        true => "+OK\n".to_owned(),
        false => format!("-ERR it listens in {} already\n", listens_in.display()),
    }
}

fn of_module(name: &str, module: &Path, change: impl FnOnce() -> String) -> String {
    let known = loader::module_name(module);
    match name == known {
        true => change(),
        false => format!("-ERR [No such module! This sandbox has {known}]\n"),
    }
}

fn said(what: &str, outcome: Result<(), String>) -> String {
    match outcome {
        Ok(()) => format!("+OK{what}\n"),
        Err(reason) => format!("-ERR [{reason}]\n"),
    }
}

fn lines(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().map(|line| line + "\n").collect()
}

fn with_total(listed: Vec<String>) -> String {
    let total = listed.len();
    lines(listed) + &format!("\n{total} total.\n")
}

fn invites() -> String {
    let invites = host().invites.lock();
    let listed = invites
        .iter()
        .map(|(number, count)| format!("{number} {count}"));
    let total: u64 = invites.values().sum();
    lines(listed) + &format!("\n{total} total.\n")
}

/// The names of all threads and how many have each.
fn threads() -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    let tasks = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    for task in tasks {
        // A thread may end between the two readings.
        if let Ok(name) = std::fs::read_to_string(task.path().join("comm")) {
            *counts.entry(name.trim_end().to_owned()).or_default() += 1;
        }
    }
    let mut text = String::new();
    for (name, count) in &counts {
        let _ = writeln!(text, "{count} {name}");
    }
    let _ = writeln!(text, "\n{} total.", counts.values().sum::<usize>());
    text
}
