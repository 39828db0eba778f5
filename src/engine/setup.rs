//! What a destination needs installed, sent through the sink's own connection.
//!
//! The sink says what to send and what the answers mean; each request is tried once, by `deliver`.
//! Journal and cursors are left alone.

use std::sync::Arc;

use sidearm_sinks::contract::{Destination, Progress, SetupStep, Shown, Sink};

use super::StartError;
use crate::{
    config::{Config, LaneConfig, SinkConfig},
    deliver::send_once,
    wire::{Reach, Wires},
};

/// What `sidearm setup` was asked for.
#[derive(Debug, Clone)]
pub struct SetupOrder {
    /// The kind of sink.
    pub kind: String,
    /// The sink's name; none where there is one of the kind.
    pub sink: Option<String>,
    /// Whether requests that change something are only shown.
    pub dry_run: bool,
}

/// What an installation tells as it goes.
#[derive(Debug)]
pub enum Told {
    /// A request, before it is sent; or only shown.
    Request {
        /// It, without secrets.
        shown: Shown,
        /// Whether it is sent.
        is_sent: bool,
    },
    /// What the answer to it means.
    Answer(String),
}

/// Installs what a sink of the configuration needs at its destination.
///
/// # Errors
/// There is no such sink, it needs nothing, or the destination refuses; with what to do.
pub async fn setup(
    config: Config,
    order: &SetupOrder,
    wires: Arc<dyn Wires>,
    tell: &mut dyn FnMut(Told),
) -> Result<(), StartError> {
    let SinkConfig { lane, destination, .. } = find(config, order)?;
    match destination {
        Destination::Http(sink) => install(&lane, &*sink, &*wires, order.dry_run, tell).await,
        // Whoever speaks another protocol has nothing that we could install.
        _ => Err(nothing(&lane)),
    }
}

fn nothing(lane: &LaneConfig) -> StartError {
    StartError::sink(&lane.name, format!("{} needs nothing installed by us", lane.facts.name))
}

fn find(config: Config, order: &SetupOrder) -> Result<SinkConfig, StartError> {
    let SetupOrder { kind, sink, .. } = order;
    let mut of_kind: Vec<SinkConfig> =
        config.sinks.into_iter().filter(|sink| sink.lane.facts.name == kind).collect();
    let names: Vec<String> = of_kind.iter().map(|sink| sink.lane.name.clone()).collect();
    let known = names.join(", ");
    let wrong = |name: &str, why: String| StartError::sink(name, why);
    match sink {
        Some(name) => of_kind.into_iter().find(|sink| sink.lane.name == *name).ok_or_else(|| {
            wrong(name, format!("there is no such sink of the kind {kind}; there is: {known}"))
        }),
        None if of_kind.len() > 1 => {
            Err(wrong(kind, format!("there are several sinks of this kind, name one: {known}")))
        }
        None => of_kind.pop().ok_or_else(|| {
            wrong(kind, "there is no sink of this kind in the configuration".into())
        }),
    }
}

async fn install<P: Reach>(
    lane: &LaneConfig,
    sink: &dyn Sink<P>,
    wires: &dyn Wires,
    dry_run: bool,
    tell: &mut dyn FnMut(Told),
) -> Result<(), StartError> {
    let wrong = |why: String| StartError::sink(&lane.name, why);
    let mut setup = sink.setup(lane.format, &lane.streams).ok_or_else(|| nothing(lane))?;
    let connection = sink.connection();
    let wire = P::open(wires, &lane.name, &connection).map_err(|error| wrong(error.to_string()))?;
    let mut answer = None;
    loop {
        let Progress { told, step } = setup.next(answer.take().as_ref());
        if let Some(told) = told {
            tell(Told::Answer(told));
        }
        let (request, is_sent) = match step {
            SetupStep::Done => return Ok(()),
            SetupStep::Failed(why) => return Err(wrong(why)),
            SetupStep::Ask(request) => (request, true),
            SetupStep::Look(request) | SetupStep::Make(request) => (request, !dry_run),
        };
        tell(Told::Request { shown: P::shown(&request, &connection), is_sent });
        if is_sent {
            let sent = send_once(&*wire, request).await;
            answer = Some(sent.map_err(|error| wrong(error.to_string()))?);
        }
    }
}
