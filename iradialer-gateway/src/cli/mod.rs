//! The command line.

mod api;
mod author;
mod call;
mod calls;
mod config;
mod dnc;
mod doctor;
mod events;
mod flow;
mod help;
mod license;
mod migrate;
mod nats_config;
mod node;
mod serve;
mod site;
mod tail;
mod terminal;
mod token;
mod trunk;
mod webhook;

use crate::config::{Config, ConfigError, Role, Sources};
use crate::roles;
use crate::tdb::Tdb;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// HTTPS API, router, event collector and webhooks for a fleet of FreeSWITCH servers running
/// mod_iradialer.
#[derive(Parser)]
#[command(name = "iradialer-gateway", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the gateway until SIGTERM or SIGINT.
    Serve {
        #[command(flatten)]
        common: Common,
        /// Development mode: a nats-server of its own, and webhooks to loopback are let through.
        #[arg(long)]
        dev: bool,
        /// The roles to run, separated by commas; all of them by default.
        #[arg(long, value_delimiter = ',')]
        roles: Vec<Role>,
        /// The region whose calls the router gives out; goes before the configuration's router.region.
        #[arg(long, value_name = "NAME")]
        region: Option<String>,
    },
    /// Asks for a call.
    Call(Box<call::MakeCall>),
    /// Shows events as they happen: of a call until it has ended, or of every call until Ctrl-C.
    Tail(tail::Tail),
    /// Calls: listed, shown, explained, dropped.
    #[command(subcommand)]
    Calls(calls::CallsCommand),
    /// Tokens of the HTTPS API.
    #[command(subcommand)]
    Token(TokenCommand),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The do-not-call list: read from files, shown, taken from.
    #[command(subcommand)]
    Dnc(dnc::DncCommand),
    /// Flows: checked, played in the terminal, drawn.
    #[command(subcommand)]
    Flow(flow::FlowCommand),
    /// Licences: keys for them, given out, looked at, installed.
    #[command(subcommand)]
    License(license::LicenseCommand),
    /// Trunks: listed, shown, added, changed, taken away.
    #[command(subcommand)]
    Trunk(trunk::TrunkCommand),
    /// Switches: listed, shown, drained, resumed, disabled.
    #[command(subcommand)]
    Node(node::NodeCommand),
    /// Webhooks: those that were given up, what became of a call's, and sending them again.
    #[command(subcommand)]
    Webhook(webhook::WebhookCommand),
    /// Looks at everything the gateway needs, and says what is wrong and what to do about it.
    Doctor(doctor::Doctor),
    /// Brings the database up to date, as each start of a gateway does, or shows what it lacks.
    Migrate(migrate::Migrate),
    /// Prints a shell's completion script.
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Prints the man page.
    Man {
        /// Writes a page for each command into this folder instead.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Writes the configuration of a NATS server with a user for the gateway and one for each switch.
    NatsConfig {
        #[command(flatten)]
        common: Common,
        /// The node-id of a switch; may be given several times. Those of [[nodes]] by default.
        #[arg(long, value_name = "NAME")]
        node: Vec<String>,
        /// Where gateway and switches will find the server.
        #[arg(long, default_value = "nats://127.0.0.1:4222")]
        url: String,
        /// Where the files are written. None that is there is overwritten.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

#[derive(Args)]
struct Common {
    /// The configuration file; without one the defaults hold.
    #[arg(long, value_name = "FILE", env = "IRADIALER_CONFIG")]
    config: Option<PathBuf>,
    /// Where the gateway keeps its data; goes before the configuration's data_dir.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Subcommand)]
enum TokenCommand {
    /// Makes a token and prints it. It is not kept and can't be shown again.
    Create {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        asked: token::Asked,
        /// With all that is known of it, as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Lists the tokens.
    List {
        #[command(flatten)]
        common: Common,
        /// As JSON, an object in each line.
        #[arg(long)]
        json: bool,
    },
    /// Revokes a token, at once.
    Revoke {
        #[command(flatten)]
        common: Common,
        /// Its id, as the list shows it.
        token_id: String,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Checks the configuration and names every mistake.
    Check {
        #[command(flatten)]
        common: Common,
        /// As serve --dev would read it.
        #[arg(long)]
        dev: bool,
    },
    /// Prints the default file, commented.
    Defaults,
}

impl Common {
    fn sources(self) -> Sources {
        Sources {
            file: self.config,
            data_dir: self.data_dir,
            ..Sources::of_process()
        }
    }

    fn load(self) -> Result<Config, ConfigError> {
        Config::load(&self.sources())
    }

    /// The TDB, made where there is none yet, and the configuration.
    async fn open(self) -> Result<(Tdb, Config), Failure> {
        let config = self.load()?;
        roles::make_data_dir(&config.data_dir)?;
        Ok((Tdb::open(&config.database).await?, config))
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve {
            common,
            dev,
            roles,
            region,
        } => serve::serve(Sources {
            dev,
            roles,
            region,
            uses_bus: true,
            ..common.sources()
        }),
        Command::Call(asked) => call::run(*asked),
        Command::Tail(asked) => tail::run(asked),
        Command::Calls(command) => calls::run(command),
        Command::Token(command) => token::run(command),
        Command::Config(command) => config::run(command),
        Command::Dnc(command) => dnc::run(command),
        Command::Flow(command) => flow::run(command),
        Command::License(command) => license::run(command),
        Command::Trunk(command) => trunk::run(command),
        Command::Node(command) => node::run(command),
        Command::Webhook(command) => webhook::run(command),
        Command::Doctor(asked) => doctor::run(asked),
        Command::Migrate(asked) => migrate::run(asked),
        Command::Completion { shell } => help::completion(shell),
        Command::Man { out } => help::man(out.as_deref()),
        Command::NatsConfig {
            common,
            node,
            url,
            out,
        } => nats_config::run(common, &node, &url, &out),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("iradialer-gateway: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a command fails with: a sentence for the person who typed it.
type Failure = Box<dyn std::error::Error + Send + Sync>;
