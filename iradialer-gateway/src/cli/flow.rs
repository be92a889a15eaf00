//! `flow check`, `flow run`, `flow draw`

mod check;
mod draw;
mod layout;
mod run;
mod text;

use super::Failure;
use clap::{Args, Subcommand};
use iradialer_core::flow::{self, Finding, Flow};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub(super) enum FlowCommand {
    /// Checks flows, alone and with each other, and names every mistake.
    Check {
        /// The flows.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Where the prompts are: each file that a flow plays has to be there.
        #[arg(long, value_name = "DIR")]
        prompts: Option<PathBuf>,
        /// As JSON, an object for each file.
        #[arg(long)]
        json: bool,
    },
    /// Plays a flow in the terminal, without a switch.
    Run(Run),
    /// Draws a flow as an SVG.
    Draw {
        /// The flow.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Where the drawing is written; standard output by default.
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// What `flow run` is told.
#[derive(Args)]
pub(super) struct Run {
    /// The flow.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What is pressed at each question, separated by commas: 1,4321#,1. An empty one is silence.
    #[arg(long, default_value = "", value_name = "KEYS")]
    keys: String,
    /// A variable given with the call: first_name=Ann. May be given several times.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = pair)]
    vars: Vec<(String, String)>,
    /// What the request said of the call: order=7. May be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// A JSON file of what comes of requests, recordings and transfers, in turn and by node:
    /// {"lookup": [{"reply": {"vars": {"due": "12.50"}}}], "agent": ["busy", "done"]}.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// When the call is answered: 2026-11-21T10:30:00Z. Now by default.
    #[arg(long, value_name = "TIME")]
    at: Option<jiff::Timestamp>,
    /// The callee's time zone: Europe/Berlin.
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// What call progress analysis says: LV, AM and so on.
    #[arg(long, value_name = "CODE")]
    cpa: Option<String>,
    /// When the person hangs up, seconds after the answer.
    #[arg(long, value_name = "SECONDS")]
    hangup_after: Option<f64>,
    /// A flow that a goto may go to. May be given several times.
    #[arg(long = "with", value_name = "FILE")]
    others: Vec<PathBuf>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err("expected NAME=VALUE".to_owned()),
    }
}

pub(super) fn run(command: FlowCommand) -> Result<(), Failure> {
    match command {
        FlowCommand::Check {
            files,
            prompts,
            json,
        } => check::run(&files, prompts.as_deref(), json),
        FlowCommand::Run(told) => run::run(told),
        FlowCommand::Draw { file, out } => {
            let svg = draw::svg(&load(&file)?);
            match out {
                Some(out) => std::fs::write(&out, svg)
                    .map_err(|error| format!("{}: {error}", out.display()))?,
                None => print!("{svg}"),
            }
            Ok(())
        }
    }
}

/// A flow with the warnings about it, or everything that is wrong with it.
type Parsed = Result<(Flow, Vec<Finding>), Vec<Finding>>;

fn read(file: &Path) -> Result<Parsed, Failure> {
    let json = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(flow::parse(&json))
}

/// Reads a flow that has to be one that may be run.
fn load(file: &Path) -> Result<Flow, Failure> {
    match read(file)? {
        Ok((flow, _)) => Ok(flow),
        Err(findings) => {
            let findings: Vec<String> = findings
                .iter()
                .map(|finding| format!("\n  {finding}"))
                .collect();
            Err(format!("{} may not be run:{}", file.display(), findings.concat()).into())
        }
    }
}

/// Reads flows that have to be such, by their names.
fn load_all(files: &[PathBuf]) -> Result<BTreeMap<String, Flow>, Failure> {
    let mut flows = BTreeMap::new();
    for file in files {
        let flow = load(file)?;
        flows.insert(flow.name.clone(), flow);
    }
    Ok(flows)
}
