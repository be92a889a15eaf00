//! Finds the FreeSWITCH headers and, where there are any, runs bindgen over them.
//!
//! The crate's API is `src/declared.rs` either way, so that one module file serves every
//! supported FreeSWITCH. What bindgen writes is read by `tests/abi.rs` only, which compares
//! the two.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

include!("src/symbols.rs");

/// The structures that the module reads or fills in. All others are opaque to it.
const STRUCTS: &[&str] = &[
    "switch_loadable_module_function_table_t",
    "switch_api_interface_t",
    "switch_application_interface_t",
    "switch_stream_handle_t",
    "switch_state_handler_table_t",
    "switch_core_session_message_t",
    "switch_dtmf_t",
    "switch_input_args_t",
    "switch_frame_t",
    "switch_speech_handle_t",
];

/// The C enums whose members the module names.
const ENUMS: &[&str] = &[
    "switch_status_t",
    "switch_bool_t",
    "switch_module_flag_enum_t",
    "switch_module_interface_name_t",
    "switch_text_channel_t",
    "switch_log_level_t",
    "switch_channel_state_t",
    "switch_call_cause_t",
    "switch_call_direction_t",
    "switch_core_session_message_types_t",
    "switch_event_types_t",
    "switch_stack_t",
    "switch_input_type_t",
    "switch_dtmf_source_t",
    "switch_dtmf_direction_t",
    "switch_io_flag_enum_t",
    "switch_abc_type_t",
    "switch_media_bug_flag_enum_t",
    "switch_frame_flag_enum_t",
    "switch_originate_flag_enum_t",
    "switch_state_handler_flag_t",
    "switch_speech_flag_enum_t",
    "switch_application_flag_enum_t",
];

fn main() {
    println!("cargo:rustc-check-cfg=cfg(fs_headers, values(\"read\", \"unread\"))");
    for file in ["build.rs", "src/symbols.rs"] {
        println!("cargo:rerun-if-changed={file}");
    }
    for variable in [
        "FREESWITCH_INCLUDE_DIR",
        "FREESWITCH_PREFIX",
        "PKG_CONFIG_PATH",
    ] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let Some(include) = find_headers() else {
        return;
    };
    println!(
        "cargo:rerun-if-changed={}",
        include.join("switch.h").display()
    );
    println!(
        "cargo:rustc-env=FREESWITCH_SYS_HEADERS={}",
        include.display()
    );
    match read_headers(&include) {
        Ok(()) => println!("cargo:rustc-cfg=fs_headers=\"read\""),
        Err(reason) => {
            println!(
                "cargo:warning=FreeSWITCH headers found in {} but not compared with the declared subset: {reason}",
                include.display()
            );
            println!("cargo:rustc-cfg=fs_headers=\"unread\"");
        }
    }
}

/// The folder that holds `switch.h`, if there is one.
///
/// A folder named outright in `FREESWITCH_INCLUDE_DIR` must hold it: a typing mistake there
/// must not turn the comparison off in silence.
fn find_headers() -> Option<PathBuf> {
    if let Some(dir) = set_variable("FREESWITCH_INCLUDE_DIR") {
        let dir = PathBuf::from(dir);
        assert!(
            has_headers(&dir),
            "FREESWITCH_INCLUDE_DIR: expected the folder that holds switch.h, got {}",
            dir.display()
        );
        return Some(dir);
    }
    if let Some(prefix) = set_variable("FREESWITCH_PREFIX") {
        let dir = Path::new(&prefix).join("include/freeswitch");
        if has_headers(&dir) {
            return Some(dir);
        }
        println!(
            "cargo:warning=FREESWITCH_PREFIX: no switch.h in {}",
            dir.display()
        );
    }
    let output = Command::new("pkg-config")
        .args(["--variable=includedir", "freeswitch"])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let dir = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    has_headers(&dir).then_some(dir)
}

fn set_variable(name: &str) -> Option<std::ffi::OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn has_headers(dir: &Path) -> bool {
    dir.join("switch.h").is_file()
}

/// Writes the bindings of exactly the declared subset to `OUT_DIR/bindings.rs`.
fn read_headers(include: &Path) -> Result<(), String> {
    // With the `runtime` feature a missing libclang is a panic inside bindgen; asked here
    // first, it is an answer.
    libclang_is_there()?;
    let functions = SYMBOLS.join("|");
    let types = [STRUCTS, ENUMS].concat().join("|");
    let bindings = bindgen::Builder::default()
        .header_contents("subset.h", "#include <switch.h>\n")
        .clang_arg(format!("-I{}", include.display()))
        .allowlist_function(functions)
        .allowlist_type(types)
        .allowlist_var("SWITCH_API_VERSION")
        .prepend_enum_name(false)
        .formatter(bindgen::Formatter::None)
        .generate()
        .map_err(|error| error.to_string())?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    bindings
        .write_to_file(out.join("bindings.rs"))
        .map_err(|error| error.to_string())
}

fn libclang_is_there() -> Result<(), String> {
    std::panic::catch_unwind(bindgen::clang_version)
        .map(|_| ())
        .map_err(|_| {
            "libclang was not found (Debian: apt install libclang-dev, or set LIBCLANG_PATH)"
                .to_owned()
        })
}
