#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod abi;
mod callee;
mod carrier;
mod clock;
mod completion;
mod conf;
mod control;
mod ear;
mod host;
mod invite_log;
mod leg;
mod network;
mod options;
mod sip;
mod sound;

use clap::Parser;
use options::Options;
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.exec {
        _ if options.numbers => {
            print!("{}", callee::table());
            Ok(())
        }
        Some(exec) => control::execute(&exec[0], &exec[1]),
        None => {
            let served = control::serve(options);
            abi::log::flush();
            served
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("switch-sandbox: {reason}");
            ExitCode::FAILURE
        }
    }
}
