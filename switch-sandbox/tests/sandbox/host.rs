//! The host itself: loading, unloading, its commands, and what it dies of.

use crate::harness::{Sandbox, command, run_to_end};
use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn a_module_that_cannot_be_loaded_is_a_reason() {
    for (define, reason) in [
        ("MISSING_SYMBOL", "undefined symbol: switch_that_nobody_has"),
        ("LOAD_FAILS", "Module load routine returned an error"),
        (
            "NO_INTERFACE",
            "Module failed to initialize its module_interface",
        ),
        ("OLD_API", "out of date module"),
    ] {
        let ended = run_to_end(Some(define));
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{define}: {errors}");
        assert!(errors.contains(reason), "{define}: {errors}");
        assert_eq!(ended.stdout, b"", "{define}");
    }
    let dir = tempfile::tempdir().unwrap();
    let ended = command(dir.path(), &dir.path().join("mod_none.so"), &[])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(
        errors.contains("mod_none.so") && !ended.status.success(),
        "{errors}"
    );
}

#[test]
fn exports_what_the_module_imports_and_nothing_else_of_that_name() {
    let listed = Command::new("nm")
        .args(["-D", "--defined-only", env!("CARGO_BIN_EXE_switch-sandbox")])
        .output()
        .expect("nm, which comes with the linker");
    let listed = String::from_utf8(listed.stdout).unwrap();
    let names = listed
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2));
    let exported: BTreeSet<_> = names.filter(|name| name.starts_with("switch_")).collect();
    assert_eq!(exported, freeswitch_sys::SYMBOLS.iter().copied().collect());
}

#[test]
fn the_modules_command_is_called_as_the_host_calls_it() {
    let sandbox = Sandbox::start(&["--log", "warning"]);
    assert_eq!(sandbox.cli("probe"), "no arguments\n");
    assert_eq!(sandbox.cli("probe wrong"), "COMMAND RETURNED ERROR!\n");
    assert_eq!(
        sandbox.cli("other thing"),
        "-ERR other Command not found!\n"
    );
    assert_eq!(sandbox.cli("complete pro"), "probe\n");
    assert_eq!(sandbox.cli("complete probe "), "call\nhangup\n");
    assert!(sandbox.cli("show numbers").contains("+15005550001"));
    sandbox.cli("probe log %s%n and %d");
    sandbox.cli("shutdown");
    let (well, errors) = sandbox.wait();
    assert!(
        well && errors.contains("[WARNING] mod_probe.c:"),
        "{errors}"
    );
    assert!(errors.contains("log %s%n and %d\n"), "{errors}");
}

#[test]
fn configuration_and_globals_reach_the_module() {
    let sandbox = Sandbox::start(&["--set", "probe_global=nats://h:1", "--clock-rate", "20"]);
    assert_eq!(
        sandbox.cli("probe config"),
        "<configuration name=\"probe.conf\"><param value=\"nats://h:1\"/></configuration>\n"
    );
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        sandbox.cli("probe host"),
        format!("switch-sandbox-{version} 20 -\n")
    );
    assert_eq!(
        sandbox.cli("probe variables"),
        "set - gateway/chime/1 nats://h:1\n"
    );
}

#[test]
fn an_originate_fails_with_the_hosts_cause() {
    let sandbox = Sandbox::start(&[
        "--trunk",
        "chime",
        "--trunk",
        "twilio",
        "--max-sessions",
        "1",
    ]);
    for (asked, cause) in [
        ("sofia gateway/chime/+1", "SUCCESS 1"),
        ("sofia gateway/twilio/+1", "SUCCESS 1"),
        ("sofia gateway/other/+1", "INVALID_GATEWAY 0"),
        ("sofia gateway/other", "INVALID_URL 0"),
        ("sofia internal/+1", "INVALID_PROFILE 0"),
        ("sofia +1", "INVALID_URL 0"),
        ("sofia -", "DESTINATION_OUT_OF_ORDER 0"),
        ("loopback gateway/chime/+1", "CHAN_NOT_IMPLEMENTED 0"),
    ] {
        assert_eq!(
            sandbox.cli(&format!("probe make {asked}")),
            format!("{cause}\n"),
            "{asked}"
        );
    }
    sandbox.call("+15005550004");
    let full = sandbox.cli("probe make sofia gateway/chime/+1");
    assert_eq!(full, "DESTINATION_OUT_OF_ORDER 1\n");
}

#[test]
fn a_uuid_is_given_once() {
    let sandbox = Sandbox::start(&[]);
    let idle = sandbox.threads();
    assert_eq!(
        sandbox.cli("probe twice"),
        "the-uuid then DESTINATION_OUT_OF_ORDER\n"
    );
    sandbox.wait_until_idle(idle);
}

#[test]
fn the_module_is_unloaded_and_loaded_with_calls_up() {
    let sandbox = Sandbox::start(&["--clock-rate", "20"]);
    let idle = sandbox.threads();
    for _ in 0..20 {
        for number in ["+15005550002", "+15005550004", "+15005550003"] {
            sandbox.call(number);
        }
        let reloaded = sandbox.cli("reload mod_probe");
        assert_eq!(reloaded, "+OK module unloaded\n+OK module loaded\n");
        sandbox.wait_until_idle(idle);
    }
    assert_eq!(
        sandbox.cli("load mod_probe"),
        "-ERR [Module already loaded]\n"
    );
    assert_eq!(sandbox.cli("unload mod_probe"), "+OK\n");
    assert_eq!(sandbox.cli("unload mod_probe"), "-ERR [No such module!]\n");
    assert_eq!(sandbox.cli("probe"), "-ERR probe Command not found!\n");
    assert_eq!(sandbox.cli("complete pro"), "");
    assert!(sandbox.cli("load mod_other").contains("mod_probe"));
    assert_eq!(sandbox.cli("load mod_probe"), "+OK\n");
    assert_eq!(sandbox.cli("probe"), "no arguments\n");
}

#[test]
fn signals_end_calls_and_module() {
    for signal in ["TERM", "INT"] {
        let sandbox = Sandbox::start(&["--log", "notice", "--clock-rate", "20"]);
        let uuid = sandbox.call("+15005550002");
        sandbox.wait_for(&uuid, "execute");
        let socket = sandbox.dir().join("cli");
        sandbox.signal(signal);
        let (well, errors) = sandbox.wait();
        assert!(well, "{signal}: {errors}");
        assert!(errors.contains("[SYSTEM_SHUTDOWN]"), "{signal}: {errors}");
        assert!(errors.contains("mod_probe unloaded"), "{signal}: {errors}");
        assert!(!socket.exists());
    }
}

#[test]
fn misuse_stops_the_process_with_a_name() {
    for (how, named) in [
        ("event-twice", "switch_event_destroy: "),
        ("session-after-end", "switch_core_session_get_uuid: "),
        ("session-as-channel", "switch_channel_get_state: "),
        ("unlock-unlocked", "switch_core_session_rwunlock: "),
        (
            "state-back",
            "switch_channel_perform_set_state: invalid state change",
        ),
    ] {
        let sandbox = Sandbox::start(&[]);
        sandbox.cli(&format!("probe misuse {how}"));
        let (well, errors) = sandbox.wait();
        assert!(
            !well && errors.contains(&format!("FATAL: {named}")),
            "{how}: {errors}"
        );
    }
}

#[test]
fn a_socket_in_use_is_not_taken() {
    let first = Sandbox::start(&[]);
    let module = first.dir().join("mod_probe.so");
    let second = command(first.dir(), &module, &[]).output().unwrap();
    let errors = String::from_utf8_lossy(&second.stderr);
    assert!(
        !second.status.success() && errors.contains("another process answers"),
        "{errors}"
    );
    assert_eq!(first.cli("probe"), "no arguments\n");
}

#[test]
fn the_numbers_need_no_module() {
    let printed = Command::new(env!("CARGO_BIN_EXE_switch-sandbox"))
        .arg("--numbers")
        .output()
        .unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(
        printed.contains("+15005557SSS") && printed.contains("anything else"),
        "{printed}"
    );
}

#[test]
fn a_module_may_write_nothing_from_nowhere() {
    let sandbox = Sandbox::start(&[]);
    assert_eq!(sandbox.cli("probe journal"), "");
    assert_eq!(sandbox.cli("probe journal"), "");
}
