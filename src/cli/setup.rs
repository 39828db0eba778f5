//! `sidearm setup`: installs at a destination what its events need there.

use std::{
    io::{self, Write as _},
    sync::Arc,
};

use sidearm_sinks::contract::Shown;

use super::{ConfigFile, Exit, block_on, complain, logging};
use crate::{
    engine::{SetupOrder, Told, setup},
    wire::RealWires,
};

/// Installs at a destination what its events need there, through the sink's own credentials.
///
/// For elasticsearch: lifecycle policy, component templates, index template and data streams.
/// What people may have changed (policies, the component kubearmor-custom) stays as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sidearm setup elasticsearch -c sidearm.toml
  sidearm setup elasticsearch -c sidearm.toml --sink siem --dry-run")]
pub(crate) struct Args {
    /// The kind of sink
    #[arg(value_parser = ["elasticsearch"])]
    kind: String,
    #[command(flatten)]
    config: ConfigFile,
    /// The sink, where there are several of the kind
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    /// Show what would be sent, bodies and all, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs it.
pub(crate) fn run(args: Args) -> io::Result<Exit> {
    let config = match args.config.look() {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    if let Err(exit) = logging::start(&config) {
        return Ok(exit);
    }
    let order = SetupOrder { kind: args.kind, sink: args.sink, dry_run: args.dry_run };
    let mut written = Ok(());
    let mut tell = |told: Told| {
        if written.is_ok() {
            written = show(&told);
        }
    };
    let done = block_on(setup(config, &order, Arc::new(RealWires), &mut tell))?;
    written?;
    match done {
        Ok(()) => Ok(Exit::Done),
        Err(error) => {
            complain(&error.to_string());
            Ok(Exit::Failed)
        }
    }
}

fn show(told: &Told) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    match told {
        Told::Request { shown: Shown { method, address, body, .. }, is_sent } => {
            writeln!(out, "{method} {address}")?;
            if !is_sent && !body.is_empty() {
                let body = serde_json::from_slice::<serde_json::Value>(body);
                let body = body.and_then(|body| serde_json::to_string_pretty(&body));
                writeln!(out, "{}\n", body.unwrap_or_default())?;
            }
            Ok(())
        }
        Told::Answer(words) => writeln!(out, "    {words}"),
    }
}
