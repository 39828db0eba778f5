//! The program: it hands its command line to `cli` and leaves with the exit code from there.

use std::process::ExitCode;

fn main() -> ExitCode {
    sidearm::cli::main()
}
