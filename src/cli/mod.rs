//! The command line: one file per command, and what they share.
//!
//! Owns the exit codes (0 done, 1 refused or failed, 2 a wrong command line, 78 a wrong
//! configuration) and the rule that a reader who closes the pipe early has simply seen enough.
//! What a command finds goes to standard output, what went wrong to standard error.

mod check;
mod config_file;
mod demo;
mod logging;
mod preview;
mod run;
mod send_test;
mod setup;
mod sinks;
mod stop;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};

pub(crate) use config_file::ConfigFile;

/// Forwards KubeArmor's runtime-security events to SIEMs and chats, losing none in silence.
#[derive(Debug, Parser)]
#[command(name = "sidearm", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  sidearm demo                      see it work, with nothing else installed
  sidearm run                       print the alerts of the relay at localhost:32767
  sidearm check -c sidearm.toml     find every mistake in a configuration
  sidearm run -c sidearm.toml       run it";

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Check(check::Args),
    Preview(preview::Args),
    Sinks(sinks::Args),
    SendTest(send_test::Args),
    Setup(setup::Args),
    Demo(demo::Args),
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked to.
    Done = 0,
    /// It could not, or the destination refused.
    Failed = 1,
    /// The configuration is wrong (`EX_CONFIG` of sysexits.h).
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Reads the command line, does what it says, and answers with the exit code.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => run::run(args),
        Command::Check(args) => check::run(args),
        Command::Preview(args) => preview::run(args),
        Command::Sinks(args) => sinks::run(args),
        Command::SendTest(args) => send_test::run(args),
        Command::Setup(args) => setup::run(args),
        Command::Demo(args) => demo::run(args),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done.into(),
        Err(error) => {
            complain(&format!("writing the output: {error}"));
            Exit::Failed.into()
        }
    }
}

/// Tells a person, on standard error, what went wrong. A closed standard error changes nothing.
pub(crate) fn complain(sentence: &str) {
    let _ = writeln!(anstream::stderr(), "sidearm: {sentence}");
}

/// Once a command is done, blocking work may go on for this long: a write to a pipe that nobody
/// reads would hold the program for ever.
const LAST_WORK: Duration = Duration::from_secs(1);

/// Runs a command that needs timers and sockets.
pub(crate) fn block_on<F: Future>(work: F) -> io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_WORK);
    Ok(done)
}
