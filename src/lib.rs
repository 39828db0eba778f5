//! Sidearm: KubeArmor's events to every destination, none lost in silence.
//!
//! ```text
//!   KubeArmor relay
//!        │ gRPC, raw bytes, never decoded on this side
//!        ▼
//!      relay ─► journal ─► fill: route, digest, render, batch ─► deliver ─► wire ─► destination
//!                  ▲      ╰──────────── one lane a sink ───┬──╯
//!                  │                                       ├── asks the sink: request, verdict
//!                  ╰────────── settles what is final ◄─────╯
//! ```
//!
//! The modules, in the order of an event's way:
//!
//! - [`config`]: the one file: its shape, secrets, errors with a path and a line
//! - [`relay`]: subscribe, watch over, reconnect; gap records
//! - [`journal`]: the only queue: blocks, segments, recovery, retention, cursors
//! - `lane`: one sink's way, as one loop: fill, deliver, settle
//! - `fill`: from the journal to a batch
//! - [`route`]: `when` and our own pod: which events a lane takes (CEL); pure
//! - [`digest`]: many like events as few messages; pure
//! - [`render`]: event to body: json, a schema, text, template; pure
//! - `fields`, `samples`, `room`: what both read expressions with: names, events to try them on,
//!   room on the stack
//! - `batch`: what is in hand at once, and when a batch is full; pure
//! - `deliver`: request, call, verdict; every retry there is
//! - `pace`: backoff and rate as values; pure
//! - `clock`: the time of day, for what outlives a restart
//! - `dead_letters`: what will never be accepted, and why
//! - `lines`: where the last whole line of a file ends
//! - [`wire`]: the only outgoing connections
//! - `grpc`, `tls`: what the connections to the relay and to destinations share
//! - `ledger`, `meter`, [`status`]: what became of every event, and of every attempt
//! - [`admin`]: metrics, health, status over HTTP
//! - [`engine`]: the wiring: how all of it starts and ends
//! - [`cli`]: one file a command
//! - [`demo`]: the built-in relay, its scenario and a Splunk stand-in; what tests run against
//!
//! The destinations are the crate `sidearm_sinks`; what the relay sends is `sidearm_proto`.
//!
//! Invariants, each held by a test or a line of `.ci/run`:
//!
//! 1. Nothing reaches a lane that is not in the journal. The receive path does nothing but append.
//! 2. A cursor passes only what has a final verdict; it survives a crash at any instruction.
//! 3. No lane can slow, starve or lose events of another; they share the journal and nothing else.
//! 4. Alerts are never shed or delayed for the sake of logs.
//! 5. Only `wire` connects out, only `relay` speaks to the relay, only `journal`, `dead_letters`
//!    and the file sink's wire write files.
//! 6. Only `deliver` tries a destination again. Attempts never run out by count: they end by
//!    verdict or by retention, and both are counted.
//! 7. A sink is a function of its configuration and the batch.
//! 8. The ledger balances per lane, always:
//!    received = accepted + filtered + digested + dead + shed + pending.
//! 9. Everything has a limit with its unit in its name; nothing is unbounded.
//! 10. No secret reaches a log line, an error, a metric, the API or a panic message.

pub mod admin;
mod batch;
pub mod cli;
mod clock;
pub mod config;
mod dead_letters;
mod deliver;
pub mod demo;
pub mod digest;
pub mod engine;
mod fields;
mod fill;
mod grpc;
pub mod journal;
mod lane;
mod ledger;
mod lines;
mod meter;
mod pace;
pub mod relay;
pub mod render;
mod room;
pub mod route;
mod samples;
pub mod status;
#[cfg(test)]
mod testing;
mod tls;
pub mod wire;
