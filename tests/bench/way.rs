//! What an event costs: the release binary under load, next to a yardstick in the same run.
//!
//! Each part is a process of its own, and all speak over loopback TCP: the built-in relay, the
//! program, a destination, and the yardstick, a bare subscriber. This binary directs them and is
//! all of them but the program. Progress goes to standard error, figures as JSON to standard
//! output; nothing is asserted on time.
//!
//! `cargo bench` takes some three minutes; `cargo bench -- --full` uses a backlog of 1 GiB;
//! `cargo bench -- --sinks` measures each destination and each format instead, and Kafka beside a
//! bare producer where `KAFKA=HOST:PORT` names a broker with the topic `bench`; words behind
//! `--sinks` choose rows by a part of their name.

#![expect(clippy::disallowed_methods, reason = "no paused clock here; each process is its own")]

mod destination;
mod engine;
mod messages;
mod part;
mod producer;
mod relay;
mod runs;
mod sinks;
mod stands;
mod yardstick;

use std::{error::Error, process::ExitCode};

/// What may go wrong here is for a person to read.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["relay", ref more @ ..] => relay::run(more),
        ["destination", ref more @ ..] => destination::run(more),
        ["producer", ref more @ ..] => producer::run(more),
        ["stand", way] => stands::run(way),
        ["yardstick", relay] => yardstick::run(relay),
        // Cargo says `--bench`; run as a test there is nothing to do.
        ["--sinks", ref wanted @ .., "--bench"] => runs::each_sink(wanted),
        _ if words.contains(&"--bench") => runs::all(words.contains(&"--full")),
        _ => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
