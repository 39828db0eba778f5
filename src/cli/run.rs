//! `sidearm run`: the engine, until somebody says stop.
//!
//! The first SIGTERM or ctrl-c ends it in good order: the relay is left, what is there is delivered
//! for as long as `shutdown.wait` allows, the rest is kept. The second ends it at once; the journal
//! loses nothing by it.

use std::io;

use super::{ConfigFile, Exit, block_on, complain, logging, stop::StopSignals};
use crate::{
    config::{self, Config},
    engine::{self, Ended, Parts},
    status::Status,
};

/// Receives events and delivers them to every sink, until it is stopped.
///
/// SIGTERM or ctrl-c ends it in good order, a second one at once. Exit code 1 where it cannot
/// start or cannot go on, 78 where the configuration is wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sidearm run                                       alerts of localhost:32767, as JSON
  KUBEARMOR_SERVICE=relay:32767 sidearm run | jq    of another relay
  sidearm run -c sidearm.toml
  RUST_LOG=debug sidearm run -c sidearm.toml        with more of its own log")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigFile,
}

/// Runs it.
pub(crate) fn run(args: Args) -> io::Result<Exit> {
    let config = match args.config.read(config::journal_without_file) {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    if let Err(exit) = logging::start(&config) {
        return Ok(exit);
    }
    block_on(until_stopped(config))
}

async fn until_stopped(config: Config) -> Exit {
    let signals = match StopSignals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            complain(&format!("listening to signals: {error}"));
            return Exit::Failed;
        }
    };
    let parts = Parts::real(&config);
    match engine::run(config, parts, first_of(signals)).await {
        Ok(Ended { status, fault }) => {
            report(&status);
            match fault {
                None => Exit::Done,
                Some(fault) => {
                    complain(&fault);
                    Exit::Failed
                }
            }
        }
        Err(error) => {
            complain(&error.to_string());
            Exit::Failed
        }
    }
}

/// Ends at the first signal to stop; from then on the second ends the program.
async fn first_of(mut signals: StopSignals) {
    signals.told().await;
    tokio::spawn(async move {
        signals.told().await;
        tracing::warn!("told to stop twice: stopping at once");
        std::process::exit(Exit::Failed as i32);
    });
}

/// The ledger of each sink, since its cursors began.
fn report(status: &Status) {
    for (sink, view) in &status.sinks {
        let (counts, pending) = (view.ledger.counts, view.ledger.pending);
        tracing::info!(
            sink,
            received = view.ledger.received,
            accepted = counts.accepted,
            filtered = counts.filtered,
            digested = counts.digested,
            dead = counts.dead,
            shed = counts.shed,
            pending,
            "stopped; what became of every event"
        );
    }
}
