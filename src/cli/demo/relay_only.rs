//! Just the relay: it listens, tells its numbered events to whoever subscribes, and reports what
//! each subscriber was sent and what a slow one lost.

use std::{fmt::Write as _, io, sync::atomic::Ordering::Relaxed, time::Duration};

use serde_json::{Value, json};
use sidearm_sinks::contract::Stream;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Args,
    play::{Play, eventually},
    report,
};
use crate::{
    cli::{Exit, complain, stop::told_to_stop},
    demo::relay::{BuiltInRelay, SubscriberReport},
};

/// From the first subscription to the first event: a client that opens several streams opens them
/// within this time, and misses nothing.
const CURTAIN: Duration = Duration::from_millis(500);
/// How long subscribers have to read to the end: for what is queued here, and then again for what
/// is under way.
const GRACE: Duration = Duration::from_secs(1);
/// From one burst to the next.
const BURST_EVERY: Duration = Duration::from_secs(5);

pub(super) async fn run(args: &Args) -> io::Result<Exit> {
    let address = args.listen();
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
            complain(&format!("the relay cannot listen on {address}: {error}"));
            return Ok(Exit::Failed);
        }
    };
    let address = listener.local_addr()?;
    let relay = BuiltInRelay::new();
    let stop = CancellationToken::new();
    let (server, stopped) = (relay.clone(), stop.clone());
    let server = tokio::spawn(async move { server.serve_tcp(listener, stopped).await });
    complain(&format!(
        "a relay listens on {address} and begins with the first subscriber; ctrl-c ends it"
    ));

    let mut play = Play::new(args.seed, relay.clone());
    let told = play.told();
    let story = timeout(args.time(), tell(args, &relay, &mut play));
    tokio::select! {
        _ = story => {}
        stopped = told_to_stop() => stopped?,
    }
    end(&relay).await;
    stop.cancel();
    if let Ok(Err(error)) = server.await {
        complain(&format!("the relay ended early: {error}"));
    }
    let subscribers = relay.subscribers();
    match args.json {
        true => report::print_json(&json(told.load(Relaxed), &subscribers))?,
        false => report::print(&table(told.load(Relaxed), &subscribers))?,
    }
    Ok(Exit::Done)
}

/// Ends the streams, each once its queue is empty, and gives subscribers time to read to the end:
/// a connection closed on them too early takes with it what is still in the socket.
async fn end(relay: &BuiltInRelay) {
    relay.end_streams(tonic::Status::ok(""));
    let nobody = || Stream::ALL.iter().all(|stream| relay.subscribed(*stream) == 0);
    eventually(GRACE, nobody).await;
    tokio::time::sleep(GRACE).await;
}

async fn tell(args: &Args, relay: &BuiltInRelay, play: &mut Play) {
    let anybody = || Stream::ALL.iter().any(|stream| relay.subscribed(*stream) > 0);
    while !eventually(args.time(), anybody).await {}
    tokio::time::sleep(CURTAIN).await;
    match args.burst {
        Some(burst) => {
            let every = args.rate.map(|rate| burst as f64 / f64::from(rate));
            let every = every.and_then(|every| Duration::try_from_secs_f64(every).ok());
            play.in_bursts(burst, every.unwrap_or(BURST_EVERY), args.events(burst)).await;
        }
        None => play.evenly(args.rate(), args.events(0)).await,
    }
}

/// What became of each subscriber's events, as a table.
fn table(told: u64, subscribers: &[SubscriberReport]) -> String {
    let mut table = format!("{told} events told to {} subscribers\n", subscribers.len());
    if !subscribers.is_empty() {
        let _ = writeln!(table, "{:<12}{:<10}{:>10}{:>10}", "subscriber", "stream", "sent", "lost");
    }
    for (index, SubscriberReport { stream, sent, lost }) in subscribers.iter().enumerate() {
        let _ = writeln!(table, "{:<12}{:<10}{sent:>10}{lost:>10}", index + 1, stream.name());
    }
    table
}

/// The same, for programs.
fn json(told: u64, subscribers: &[SubscriberReport]) -> Value {
    let each = |report: &SubscriberReport| json!({ "stream": report.stream.name(), "sent": report.sent, "lost": report.lost });
    json!({ "told": told, "subscribers": subscribers.iter().map(each).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORTS: [SubscriberReport; 2] = [
        SubscriberReport { stream: Stream::Alert, sent: 19_000, lost: 1_000 },
        SubscriberReport { stream: Stream::Log, sent: 7, lost: 0 },
    ];

    #[test]
    fn the_table_has_a_line_for_each_subscriber() {
        let expected = "\
20007 events told to 2 subscribers
subscriber  stream          sent      lost
1           alert          19000      1000
2           log                7         0
";
        assert_eq!(table(20_007, &REPORTS), expected);
        assert_eq!(table(5, &[]), "5 events told to 0 subscribers\n");
    }

    #[test]
    fn programs_get_the_same() {
        let expected = json!({ "told": 3, "subscribers": [
            { "stream": "alert", "sent": 19_000, "lost": 1_000 },
            { "stream": "log", "sent": 7, "lost": 0 },
        ]});
        assert_eq!(json(3, &REPORTS), expected);
    }
}
