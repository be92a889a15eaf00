//! The command line.

use crate::abi::log;
use clap::Parser;
use std::path::PathBuf;

/// A stand-in for FreeSWITCH that loads the same module file.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// The module, such as target/debug/libmod_iradialer.so
    #[arg(long, value_name = "FILE", required_unless_present_any = ["numbers", "exec"])]
    pub module: Option<PathBuf>,
    /// The folder that holds autoload_configs/
    #[arg(long, value_name = "DIR", required_unless_present_any = ["numbers", "exec"])]
    pub conf: Option<PathBuf>,
    /// How many times as fast as the wall's the clock of calls runs
    #[arg(long, value_name = "RATE", default_value_t = 1.0, value_parser = clock_rate)]
    pub clock_rate: f64,
    /// A unix socket to make, which takes commands
    #[arg(long, value_name = "SOCKET")]
    pub cli: Option<PathBuf>,
    /// Print what lies behind which number, and exit
    #[arg(long)]
    pub numbers: bool,
    /// Print log lines up to this level: console, alert, crit, error, warning, notice, info, debug
    #[arg(long, value_name = "LEVEL", default_value = "warning", value_parser = log_level)]
    pub log: i32,
    /// A global variable, which also stands for $${NAME} in the configuration
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// A trunk that exists; without any, every trunk does
    #[arg(long, value_name = "NAME")]
    pub trunk: Vec<String>,
    /// How many calls there may be at once
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub max_sessions: usize,
    /// A file that gets a line for each INVITE: when (µs since 1970), channel, call, number, trunk, the
    /// name of this sandbox, and whether the channel stood in the journal, parted by tabs
    #[arg(long, value_name = "FILE")]
    pub invite_log: Option<PathBuf>,
    /// The module's journal, for the INVITE log to look into
    #[arg(long, value_name = "DIR", requires = "invite_log")]
    pub journal: Option<PathBuf>,
    /// This sandbox's name in the INVITE log, which several may share
    #[arg(long, value_name = "NAME", default_value = "sandbox")]
    pub name: String,
    /// Send a command to the socket of a sandbox that runs, print its answer, and exit
    #[arg(long, num_args = 2, value_names = ["SOCKET", "COMMAND"])]
    pub exec: Option<Vec<String>>,
}

fn clock_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.01..=1000.0).contains(&rate) => Ok(rate),
        _ => Err("expected a number from 0.01 to 1000".to_owned()),
    }
}

fn log_level(text: &str) -> Result<i32, String> {
    log::level_of(text).ok_or_else(|| "expected a level's name, or a number from 0 to 7".to_owned())
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told() {
        for (arguments, told) in [
            (vec!["--conf", "d"], "--module"),
            (
                vec!["--module", "m", "--conf", "d", "--clock-rate", "0"],
                "0.01 to 1000",
            ),
            (
                vec!["--module", "m", "--conf", "d", "--log", "loud"],
                "level's name",
            ),
            (
                vec!["--module", "m", "--conf", "d", "--set", "=x"],
                "NAME=VALUE",
            ),
            (vec!["--exec", "s"], "2 values"),
        ] {
            let arguments = std::iter::once("switch-sandbox").chain(arguments);
            let error = Options::try_parse_from(arguments).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
