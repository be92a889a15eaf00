//! The gateway binary.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    iradialer_gateway::cli::main()
}
