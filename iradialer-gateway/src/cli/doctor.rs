//! `doctor`

use super::terminal::plain;
use super::{Common, Failure};
use crate::config::Sources;
use crate::doctor::{self, Examination, Finding, Verdict};
use clap::Args;
use std::io::IsTerminal;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    common: Common,
    /// For a gateway that runs with --dev.
    #[arg(long)]
    dev: bool,
    /// A disk with less room than this is a fault.
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    min_free_mib: u64,
    /// Where FreeSWITCH is installed on this machine; FREESWITCH_PREFIX, pkg-config and PATH by default.
    #[arg(long, value_name = "DIR")]
    freeswitch_prefix: Option<PathBuf>,
    /// As JSON, an object in each line.
    #[arg(long)]
    json: bool,
}

/// Prints what was found. Fails where anything is a fault.
pub(super) fn run(asked: Doctor) -> Result<(), Failure> {
    let examination = Examination {
        sources: Sources {
            dev: asked.dev,
            uses_bus: true,
            ..asked.common.sources()
        },
        min_free_mib: asked.min_free_mib,
        freeswitch_prefix: asked.freeswitch_prefix,
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let findings = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(doctor::examine(examination));
    let in_colour = std::io::stdout().is_terminal();
    for finding in &findings {
        match asked.json {
            true => println!("{}", serde_json::to_string(finding)?),
            false => print!("{}", text(finding, in_colour)),
        }
    }
    let count = |verdict| findings.iter().filter(|one| one.verdict == verdict).count();
    match (count(Verdict::Fault), count(Verdict::Warning)) {
        (0, 0) => Ok(()),
        (0, warnings) => {
            eprintln!("no fault, and {warnings} to look at");
            Ok(())
        }
        (faults, warnings) => {
            Err(format!("{faults} to mend, and {warnings} more to look at").into())
        }
    }
}

/// A line for what was found, and one for what to do.
fn text(finding: &Finding, in_colour: bool) -> String {
    let verdict = match finding.verdict {
        Verdict::Fault => "FAULT",
        other => other.as_str(),
    };
    let colour = match finding.verdict {
        Verdict::Ok => "32",
        Verdict::Skipped => "2",
        Verdict::Warning => "33",
        Verdict::Fault => "1;31",
    };
    let verdict = match in_colour {
        true => format!("\x1b[{colour}m{verdict:<7}\x1b[0m"),
        false => format!("{verdict:<7}"),
    };
    let mut text = format!(
        "{verdict}  {:<10}  {}\n",
        finding.check,
        plain(&finding.found)
    );
    if let Some(mend) = &finding.mend {
        text.push_str(&format!("{:21}mend: {}\n", "", plain(mend)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_stands_out_and_says_what_to_do() {
        let finding = Finding {
            check: "disk",
            verdict: Verdict::Fault,
            found: "it is \x1b[2Jfull".to_owned(),
            mend: Some("make room".to_owned()),
        };
        let shown = text(&finding, false);
        assert_eq!(
            shown,
            "FAULT    disk        it is  [2Jfull\n                     mend: make room\n"
        );
        assert!(text(&finding, true).starts_with("\x1b[1;31mFAULT"));
    }
}
