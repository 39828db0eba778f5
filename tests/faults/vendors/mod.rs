//! The whole engine towards doubles of the vendors that are neither chats nor Azure: every event is
//! taken, trouble is waited out, a refused credential parks, and one bad record goes alone.

mod splunk;

use std::collections::BTreeSet;

use http::Response;
use sidearm_sinks::contract::{Arrival, Event, Kind, Overrides, Stream, from_json, samples};

use crate::{
    doubles::{
        Double, Keeper, alertmanager::Alertmanager, loki::Loki, pagerduty::PagerDuty,
        sysdig::Agent, sysdig_events::Monitor,
    },
    patience::eventually,
    rig::Rig,
};

pub(crate) const STREAMS: [Stream; 3] = [Stream::Alert, Stream::Log, Stream::Message];
const KEY: &str = "R0UT1NGKEY0000000000000000000042";
const TOKEN: &str = "token-of-a-vendor";

/// One of each, on a port of its own.
struct Town {
    pager: Keeper<PagerDuty>,
    alerts: Keeper<Alertmanager>,
    loki: Keeper<Loki>,
    agent: Keeper<Agent>,
    monitor: Keeper<Monitor>,
}

impl Town {
    const SINKS: [&str; 5] = ["pager", "alerts", "loki", "agent", "monitor"];

    async fn start() -> Self {
        let alertmanager = Alertmanager::new(TOKEN, jiff::Timestamp::now());
        Self {
            pager: Keeper::start(PagerDuty::new(KEY), PagerDuty::answer).await,
            alerts: Keeper::start(alertmanager, Alertmanager::answer).await,
            loki: Keeper::start(Loki::new(TOKEN), Loki::answer).await,
            agent: Keeper::start(Agent::default(), Agent::answer).await,
            monitor: Keeper::start(Monitor::new(TOKEN), Monitor::answer).await,
        }
    }

    /// A sink for each, every event by itself and no faster than it must be.
    fn sinks(&self) -> String {
        let [pager, alerts, loki, agent, monitor] = self.doubles().map(|double| &double.url);
        let tables = [
            format!("pagerduty = {{ url = \"{pager}\", routing_key = \"{KEY}\" }}\ndigest = false"),
            format!("alertmanager = {{ url = \"{alerts}\", token = \"{TOKEN}\" }}\ndigest = false"),
            format!("loki = {{ url = \"{loki}\", tenant = \"security\", token = \"{TOKEN}\" }}"),
            format!("sysdig = {{ url = \"{agent}\" }}"),
            format!(
                "sysdig_events = {{ url = \"{monitor}\", token = \"{TOKEN}\" }}\ndigest = false"
            ),
        ];
        let table = |(name, table)| {
            format!(
                "[sinks.{name}]\nstreams = [\"alert\", \"log\", \"message\"]\n\
                 rate_per_second = 1000\n{table}\n"
            )
        };
        Self::SINKS.into_iter().zip(tables).map(table).collect()
    }

    fn doubles(&self) -> [&Double; 5] {
        [
            &self.pager.double,
            &self.alerts.double,
            &self.loki.double,
            &self.agent.double,
            &self.monitor.double,
        ]
    }

    /// Each of them refuses what holds this text.
    fn poison(&self, text: &str) {
        let poison = || Some(text.to_owned());
        self.pager.with(|it| it.poison = poison());
        self.alerts.with(|it| it.poison = poison());
        self.loki.with(|it| it.poison = poison());
        self.agent.with(|it| it.poison = poison());
        self.monitor.with(|it| it.poison = poison());
    }

    /// The ids of the events that each has taken.
    fn taken(&self) -> [Vec<String>; 5] {
        let metadata_id = |entry: &str| {
            let (_, id) = entry.split_once("\"event_id\":\"").expect("structured metadata");
            id[..32].to_owned()
        };
        [
            self.pager.with(|it| it.taken.clone()),
            self.alerts.with(|it| it.taken.clone()),
            self.loki.with(|it| it.stored.iter().map(|(.., entry)| metadata_id(entry)).collect()),
            self.agent.with(|it| it.taken.clone()),
            self.monitor.with(|it| it.taken.clone()),
        ]
    }
}

/// Every sample of the contract: its name, stream and message, and its id.
fn events() -> Vec<(&'static str, Stream, Vec<u8>, String)> {
    let event = |&(name, line): &(&'static str, &str)| {
        let (stream, message) = from_json::read(line).expect(name);
        let arrival = Arrival { stream, sequence: 1, received_us: 1 };
        let event = Event::decode(Kind::Event, arrival, &message, Overrides::none());
        let id = event.expect(name).id().to_string();
        (name, stream, message, id)
    };
    samples().iter().map(event).collect()
}

pub(crate) fn ids() -> BTreeSet<String> {
    events().into_iter().map(|(.., id)| id).collect()
}

pub(crate) fn publish(rig: &Rig) -> u64 {
    let events = events();
    let count = events.len() as u64;
    for (_, stream, message, _) in events {
        rig.relay.publish(stream, message.into());
    }
    count
}

fn response(status: u16, body: &str) -> Response<String> {
    Response::builder().status(status).body(body.to_owned()).expect("a response")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_is_taken_once_and_trouble_is_waited_out() {
    let town = Town::start().await;
    for double in town.doubles() {
        double.next(response(500, "{\"message\":\"internal error\"}"));
        double.next(response(503, "<html>no healthy upstream</html>"));
        let busy = Response::builder().status(429).header("retry-after", "1");
        double.next(busy.body("too many requests".to_owned()).expect("a response"));
    }
    // A success by its status that stored nothing.
    town.loki.double.next(response(260, "ingestion blocked for user us until '2026-12-01'"));
    let rig = Rig::start(&town.sinks(), &STREAMS).await;
    let count = publish(&rig);
    for (name, taken) in Town::SINKS.into_iter().zip(settled(&rig, &town, (count, 0)).await) {
        assert_eq!(taken.len() as u64, count, "{name} took each once");
        assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), ids(), "{name}");
    }
    rig.engine.shutdown().await;
}

/// Waits until each sink has decided on everything as expected; what each vendor has taken.
async fn settled(rig: &Rig, town: &Town, expected: (u64, u64)) -> [Vec<String>; 5] {
    for name in Town::SINKS {
        let settled = rig.settled(name, expected.0 + expected.1).await;
        assert_eq!(settled, expected, "{name}: {:?}", rig.sink(name).last_error);
    }
    town.taken()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_event_is_a_dead_letter_and_takes_no_neighbour_with_it() {
    let town = Town::start().await;
    let (.., poison) =
        events().into_iter().find(|(name, ..)| *name == "alert-file-block").expect("a sample");
    town.poison(&poison);
    let rig = Rig::start(&town.sinks(), &STREAMS).await;
    let count = publish(&rig);
    let neighbours: BTreeSet<_> = ids().into_iter().filter(|id| *id != poison).collect();
    let taken = settled(&rig, &town, (count - 1, 1)).await;
    for (name, taken) in Town::SINKS.into_iter().zip(taken) {
        let letters = rig.dead_letters(name);
        assert!(letters.lines().count() == 1 && letters.contains(&poison), "{name}: {letters}");
        assert!(!letters.contains(KEY) && !letters.contains(TOKEN), "{name}: {letters}");
        // Alertmanager is told the good ones of a refused request again, which changes nothing.
        assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), neighbours, "{name}");
    }
    rig.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_and_addresses_park_and_cost_nothing() {
    let town = Town::start().await;
    let agent = &town.agent.double.url;
    let sinks = town
        .sinks()
        .replace(KEY, "R0UT1NGKEY0000000000000000000000")
        .replace(TOKEN, "token-of-yesterday")
        .replace(agent, &format!("{agent}/elsewhere"));
    let rig = Rig::start(&sinks, &STREAMS).await;
    let count = publish(&rig);
    for name in Town::SINKS {
        let what = format!("{name} is parked");
        let held = || {
            let sink = rig.sink(name);
            sink.state.name() == "parked" && sink.ledger.pending == count
        };
        eventually(&what, async || held()).await;
        assert_eq!(rig.dead_letters(name), "", "{name}");
        let why = rig.sink(name).last_error.expect("a reason");
        assert!(!why.contains("R0UT1NGKEY") && !why.contains("yesterday"), "{name}: {why}");
    }
    assert!(town.taken().iter().all(Vec::is_empty));
}
