//! The whole way: relay, engine, and a file, a Splunk stand-in and the terminal behind it.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use sidearm_sinks::contract::Stream;
use tokio::time::{sleep, timeout};

use super::{
    Args,
    play::{Play, eventually},
    progress::Progress,
    report,
    screen::{Screen, ScreenWires},
};
use crate::{
    cli::{Exit, complain, stop::told_to_stop},
    demo::stage::{ARCHIVE, Stage},
    engine::{Engine, Parts},
    ledger::Account,
    status::{Status, StatusSource},
};

/// How long the engine has to find the relay.
const OPENING_MAX: Duration = Duration::from_secs(30);
/// How long what was told has to arrive, and then to be delivered.
const SETTLING_MAX: Duration = Duration::from_secs(15);
/// How often progress is drawn.
const FRAME: Duration = Duration::from_millis(200);

pub(super) async fn run(args: &Args) -> io::Result<Exit> {
    let stage = match Stage::set(args.dir.as_deref()).await {
        Ok(stage) => stage,
        Err(sentence) => return Ok(failed(&sentence)),
    };
    let screen = Arc::new(Screen::new(args.json));
    let engine = match start(&stage, &screen).await {
        Ok(engine) => engine,
        Err(sentence) => return Ok(failed(&sentence)),
    };
    let open = || Stream::ALL.iter().all(|stream| stage.relay.subscribed(*stream) > 0);
    if !eventually(OPENING_MAX, open).await {
        return Ok(failed("the engine did not find the built-in relay on 127.0.0.1"));
    }
    if !args.json {
        screen.say(report::HEADLINE);
    }

    let mut play = Play::new(args.seed, stage.relay.clone());
    let told = play.told();
    tokio::select! {
        played = played(args, &mut play, &stage, engine.status()) => played?,
        never = picture(args, &screen, &told, engine.status()) => match never {},
        () = screen.reader_gone() => return Err(io::ErrorKind::BrokenPipe.into()),
    }
    screen.draw("");
    let status = engine.shutdown().await;
    tell(args, &stage, told.load(Relaxed), &status)
}

fn failed(sentence: &str) -> Exit {
    complain(sentence);
    Exit::Failed
}

async fn start(stage: &Stage, screen: &Arc<Screen>) -> Result<Engine, String> {
    let config = stage.config()?;
    let wires = Arc::new(ScreenWires { screen: screen.clone() });
    let parts = Parts { wires, ..Parts::real(&config) };
    Engine::start(config, parts).await.map_err(|error| error.to_string())
}

/// Tells the story until it is over or somebody has seen enough, then lets everything arrive.
async fn played(
    args: &Args,
    play: &mut Play,
    stage: &Stage,
    status: &StatusSource,
) -> io::Result<()> {
    let told = play.told();
    tokio::select! {
        _ = timeout(args.time(), play.evenly(args.rate(), args.story_events())) => {}
        stopped = told_to_stop() => stopped?,
    }
    let arrived = || ledgers(&status.read())[ARCHIVE].received + lost(stage) >= told.load(Relaxed);
    let delivered = || ledgers(&status.read()).values().all(|account| account.pending == 0);
    eventually(SETTLING_MAX, arrived).await;
    eventually(SETTLING_MAX, delivered).await;
    Ok(())
}

/// Events a full queue of the relay had no room for.
fn lost(stage: &Stage) -> u64 {
    stage.relay.subscribers().iter().map(|subscriber| subscriber.lost).sum()
}

/// Draws progress for as long as it is looked at.
async fn picture(
    args: &Args,
    screen: &Screen,
    told: &AtomicU64,
    status: &StatusSource,
) -> std::convert::Infallible {
    if !screen.is_live() {
        return std::future::pending().await;
    }
    let mut progress = Progress::default();
    loop {
        let sinks = ledgers(&status.read());
        let story = match (told.load(Relaxed), args.story_events()) {
            (told, u64::MAX) => format!("{told} events told, ctrl-c ends the story"),
            (told, events) => format!("{told} of {events} events told"),
        };
        screen.draw(&progress.block(Instant::now(), &story, &sinks));
        sleep(FRAME).await;
    }
}

fn ledgers(status: &Status) -> BTreeMap<String, Account> {
    status.sinks.iter().map(|(name, sink)| (name.clone(), sink.ledger)).collect()
}

/// What became of it all.
fn tell(args: &Args, stage: &Stage, told: u64, status: &Status) -> io::Result<Exit> {
    let sinks = ledgers(status);
    let lost = lost(stage);
    if args.json {
        report::print_json(&report::ledgers_json(&sinks))?;
    } else {
        let taken = stage.hec.counts();
        report::print(&format!(
            "{}{}\n\
             the relay told {told} events and lost {lost} to full queues\n\
             the Splunk stand-in took {} events in {} requests\n\
             the file lies in {}\n\
             the configuration it ran with: {}\n",
            report::ledgers(&sinks),
            troubles(status),
            taken.events,
            taken.requests,
            stage.archive().display(),
            stage.config_path().display()
        ))?;
    }
    let missing = told.saturating_sub(lost + sinks[ARCHIVE].received);
    if missing > 0 {
        return Ok(failed(&format!("{missing} of {told} events were told and never received")));
    }
    match report::balance(&sinks) {
        true => Ok(Exit::Done),
        false => Ok(Exit::Failed),
    }
}

/// What still stands in the way of a sink, where something is left to deliver.
fn troubles(status: &Status) -> String {
    let waiting = status.sinks.iter().filter(|(_, sink)| sink.ledger.pending > 0);
    let told = waiting.filter_map(|(name, sink)| Some((name, sink.last_error.as_ref()?)));
    told.map(|(name, error)| format!("{name} is behind: {error}\n")).collect()
}
