//! Storms: one seed draws outages, lost replies, throttling, refused events, changed tokens, late
//! acknowledgements, bad disks, relay ends, crashes and what they cut away; what must hold
//! afterwards is checked from outside.
//!
//! `SEED=n` repeats one; `SEEDS=n` runs as many from 0 on.

use std::{
    collections::{BTreeSet, HashSet},
    fs,
    io::ErrorKind,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sidearm::{
    engine::Engine,
    journal::FaultyDisk,
    status::SinkView,
    wire::{Attempt, Wire, WireError, Wires},
};
use sidearm_sinks::contract::{Http, HttpConnection, HttpReply, HttpRequest, Stream};
use tokio::time::sleep;

use crate::{
    script::{Act, Script, ScriptedWires},
    world::{House, books, eventually},
    wreck::{Wreck, cut_tail, look},
};

/// Storms in an ordinary run.
const SEEDS: u64 = 120;
/// Times the weather changes in one storm.
const ROUNDS: usize = 6;

/// Held events are told after so long.
const HOUR: Duration = Duration::from_secs(3600);
const SINK_NAMES: [&str; 5] = ["siem", "people", "straight", "asked", "traces"];

const SINKS: &str = r#"
    [journal]
    sync = "never"

    [sinks.siem]
    streams = ["alert", "log"]
    batch.events = 40
    splunk_hec.url = "https://splunk:8088"
    splunk_hec.token = "11111111-2222-3333-4444-555555555555"
    splunk_hec.ack = false

    [sinks.people]
    streams = ["alert", "log"]
    digest = { every = "3s", per_hour = PER_HOUR }
    batch.events = 5
    splunk_hec.url = "https://people:8088"
    splunk_hec.token = "11111111-2222-3333-4444-555555555555"
    splunk_hec.ack = false

    [sinks.straight]
    batch.events = 30
    batch.in_flight = 1
    splunk_hec.url = "https://straight:8088"
    splunk_hec.token = "${file:TOKEN_FILE}"
    splunk_hec.ack = false

    [sinks.asked]
    batch.events = 20
    splunk_hec.url = "https://asked:8088"
    splunk_hec.token = "11111111-2222-3333-4444-555555555555"
    splunk_hec.ack = true

    [sinks.traces]
    batch.events = 25
    otlp.url = "https://collector:4318"
    otlp.protocol = "http"
"#;

/// Whether a destination never takes the event of this number.
fn is_poison(number: u64) -> bool {
    number % 23 == 7
}

fn stored() -> (u16, &'static str) {
    (200, r#"{"acks":{"7":true}}"#)
}

fn not_yet() -> (u16, &'static str) {
    (200, r#"{"acks":{"7":false}}"#)
}

/// A collector that is away at times, and at times refuses one record of a request and does not say
/// which.
#[derive(Clone)]
struct Picky(Arc<Mutex<Answers>>);

struct Answers {
    dice: StdRng,
    /// Requests of which it refused one record.
    partial: u64,
}

impl Picky {
    fn new(dice: &mut StdRng) -> Self {
        let dice = StdRng::seed_from_u64(dice.random());
        Self(Arc::new(Mutex::new(Answers { dice, partial: 0 })))
    }
}

impl Wire<Http> for Picky {
    fn call(&self, _: HttpRequest) -> Attempt<'_, Http> {
        let mut answers = self.0.lock().unwrap();
        // ExportLogsServiceResponse { partial_success { rejected_log_records: 1, "no body" } }
        let body = match answers.dice.random_range(0..4) {
            0 => Err(WireError::NotSent("connection refused".to_owned())),
            1 => {
                answers.partial += 1;
                Ok(Bytes::from_static(b"\x0a\x0b\x08\x01\x12\x07no body"))
            }
            _ => Ok(Bytes::new()),
        };
        Box::pin(async {
            Ok(HttpReply {
                status: 200,
                headers: Default::default(),
                retry_after: None,
                body: body?,
            })
        })
    }
}

/// The scripted destinations, and the collector.
#[derive(Clone)]
struct Destinations {
    scripted: ScriptedWires,
    traces: Picky,
}

impl Wires for Destinations {
    fn http(
        &self,
        sink: &str,
        connection: &HttpConnection,
    ) -> Result<Box<dyn Wire<Http>>, WireError> {
        match sink {
            "traces" => Ok(Box::new(self.traces.clone())),
            _ => self.scripted.http(sink, connection),
        }
    }
}

#[test]
fn nothing_in_the_journal_is_lost_whatever_the_weather() {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse().unwrap());
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(SEEDS),
    };
    let next = AtomicU64::new(seeds.start);
    let run = || {
        loop {
            let seed = next.fetch_add(1, Relaxed);
            if seed >= seeds.end {
                break;
            }
            // The seed of a storm that fails stands above its panic.
            println!("storm: SEED={seed}");
            runtime().block_on(storm(seed));
        }
    };
    // Each storm has a runtime and a clock of its own, so two may rage at once.
    std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(run))));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// What happened in a storm that excuses something.
#[derive(Debug, Default)]
struct Trouble {
    /// The engine was dropped where it stood.
    crashes: u32,
    /// Replies were lost.
    replies_lost: bool,
    /// Replies to the people's sink were lost.
    people_lost: bool,
    /// The disk was full: the journal may have given up its oldest events.
    disk_full: bool,
    /// The newest events were cut away after a crash.
    cuts: u32,
}

/// Looks, 10 ms apart, after which a storm that does not settle says how things stand.
const LOOKS_BEFORE_IT_IS_TOLD: u32 = 59_000;

async fn storm(seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let [siem, straight, asked] =
        [Script::willing(), Script::willing(), Script::acknowledging(stored)]
            .map(|script| script.poisoned(is_poison));
    let people = Script::willing();
    let scripted = ScriptedWires::default()
        .with("siem", &siem)
        .with("people", &people)
        .with("straight", &straight)
        .with("asked", &asked);
    let wires = Destinations { scripted, traces: Picky::new(&mut dice) };
    let mut token = Token::new(folder.path());
    let (mut house, disk) = (House::new(seed), FaultyDisk::new());
    // What happens to people's messages alone can then be told to the event.
    let calm = seed % 4 == 1;
    let held = seed.is_multiple_of(8) || seed % 8 == 1;
    let sinks = SINKS
        .replace("PER_HOUR", if held { "30" } else { "3600" })
        .replace("TOKEN_FILE", &token.file.display().to_string());
    let start = async |house: &House| start(house, &sinks, folder.path(), &wires, &disk).await;
    let mut engine = start(&house).await;
    let mut trouble = Trouble::default();
    for _ in 0..ROUNDS {
        for script in [&siem, &straight, &asked] {
            trouble.replies_lost |= weather(script, &mut dice);
        }
        let is_slow = dice.random_bool(0.3);
        asked.acknowledge(if is_slow { not_yet } else { stored });
        let renewed = dice.random_bool(0.3).then(|| token.renew(&straight));
        if weather(&people, &mut dice) {
            trouble.people_lost |= !calm;
            if calm {
                people.now(|_, _| Act::Accept);
            }
        }
        trouble.disk_full |= disk_weather(&disk, &mut dice);
        house.publish(Stream::Alert, dice.random_range(0..120)).await;
        house.publish(Stream::Log, dice.random_range(0..200)).await;
        sleep(Duration::from_millis(dice.random_range(0..5_000))).await;
        if let Some(renewed) = renewed {
            token.tell(&renewed);
        }
        match dice.random_range(0..6) {
            0 => house.relay.cut_lines(),
            1 => house.relay.end_streams(tonic::Status::ok("")),
            2 | 3 if !calm => {
                trouble.crashes += 1;
                drop(engine);
                // What a crash leaves behind lets go of the journal's lock a moment later.
                sleep(Duration::from_millis(10)).await;
                if dice.random_bool(0.3) {
                    let stream = [Stream::Alert, Stream::Log][dice.random_range(0..2)];
                    trouble.cuts += u32::from(cut_tail(folder.path(), stream, &mut dice));
                }
                engine = start(&house).await;
            }
            _ => {}
        }
    }
    for script in [&siem, &people, &straight, &asked] {
        script.now(|_, _| Act::Accept);
    }
    asked.acknowledge(stored);
    clear(&disk);
    let mut looks = 0;
    eventually("everything settled", || {
        let status = engine.status().read();
        looks += 1;
        if looks == LOOKS_BEFORE_IT_IS_TOLD {
            println!("storm: SEED={seed} does not settle: {status:#?}");
        }
        status.journal.writable
            && SINK_NAMES.iter().all(|sink| books(&status, sink).ledger.pending == 0)
    })
    .await;
    if held {
        // What goes beyond the hour's messages is told when it is over.
        sleep(HOUR).await;
    }
    eventually("everything told", || {
        let view = books(&engine.status().read(), "people");
        view.digest.is_some_and(|digest| digest.untold == 0)
    })
    .await;
    let status = engine.shutdown().await;
    sleep(Duration::from_millis(10)).await;
    let alerts = look(folder.path(), Stream::Alert).await;
    let logs = look(folder.path(), Stream::Log).await;
    let letters = |sink: &str| dead_letters(folder.path(), sink);
    check(&siem, &books(&status, "siem"), &letters("siem"), &[&alerts, &logs], &trouble);
    check(&straight, &books(&status, "straight"), &letters("straight"), &[&alerts], &trouble);
    // A question that stays open for too long is a lost reply.
    trouble.replies_lost = true;
    check(&asked, &books(&status, "asked"), &letters("asked"), &[&alerts], &trouble);
    check_partial(&wires.traces, &books(&status, "traces"), &alerts, &trouble);
    check_people(&people, &books(&status, "people"), &[&alerts, &logs], &trouble);
    assert_in_order(&straight.taken());
}

/// Whatever happened, the messages' counts add up to the events.
fn check_people(script: &Script, view: &SinkView, journal: &[&Wreck], trouble: &Trouble) {
    let ledger = view.ledger;
    let settled = ledger.counts.accepted + ledger.counts.digested;
    let alone = script.gaps().len() as u64;
    // A gap that the end of the engine makes may be absorbed: the next start tells of it.
    let untold = view.digest.map_or(0, |digest| digest.untold);
    let told = script.told_events() + alone + untold;
    assert_eq!((ledger.counts.dead, ledger.pending), (0, 0));
    assert!(told >= settled, "{told} of {settled} were told, or will be");
    if !trouble.disk_full && trouble.cuts == 0 {
        let journalled = journal.iter().map(|stream| stream.numbers.len() + stream.gaps.len());
        assert_eq!(settled, journalled.sum::<usize>() as u64, "each is accepted or digested");
    }
    if trouble.crashes == 0 && !trouble.people_lost {
        assert_eq!(told, settled, "each was told once, or will be");
        assert_eq!(ledger.counts.accepted, script.taken().len() as u64 + alone);
    }
    assert!(script.ids_are_stable());
}

/// What the destination took and refused, against the ledger and the journal as they are at the
/// end.
fn check(script: &Script, view: &SinkView, letters: &[u64], journal: &[&Wreck], trouble: &Trouble) {
    let (taken, gaps) = (script.taken(), script.gaps());
    let once: HashSet<u64> = taken.iter().copied().collect();
    let dead: BTreeSet<u64> = letters.iter().copied().collect();
    for stream in journal {
        let fate = |number: &&u64| match is_poison(**number) {
            true => dead.contains(*number),
            false => once.contains(*number),
        };
        let missing: Vec<_> = stream.numbers.iter().filter(|number| !fate(number)).collect();
        assert!(missing.is_empty(), "neither arrived nor were set aside: {missing:?}");
        assert!(stream.gaps.iter().all(|id| gaps.contains(id)), "each gap record arrived");
    }
    assert!(dead.iter().all(|number| is_poison(*number)), "only what was refused is dead");
    let (ledger, counts) = (view.ledger, view.ledger.counts);
    assert_eq!(ledger.pending, 0);
    assert!(script.ids_are_stable(), "an event has one id");
    if !trouble.disk_full && trouble.cuts == 0 {
        let fates = (counts.accepted as usize, counts.dead as usize, counts.shed);
        assert_eq!(fates, (once.len() + gaps.len(), dead.len(), 0), "nothing but the journal");
    }
    if trouble.crashes == 0 {
        assert_eq!(letters.len(), dead.len(), "one dead letter each");
    }
    if trouble.crashes == 0 && !trouble.replies_lost {
        assert_eq!(taken.len(), once.len(), "no duplicate without a reason");
    }
}

/// Where a destination does not say which records it refused, their number is exact.
fn check_partial(traces: &Picky, view: &SinkView, alerts: &Wreck, trouble: &Trouble) {
    let (ledger, counts) = (view.ledger, view.ledger.counts);
    let partial = traces.0.lock().unwrap().partial;
    assert_eq!(ledger.pending, 0);
    assert!(counts.dead <= partial, "{} dead of {partial}", counts.dead);
    if trouble.crashes == 0 {
        assert_eq!(counts.dead, partial);
    }
    if !trouble.disk_full && trouble.cuts == 0 {
        let journalled = (alerts.numbers.len() + alerts.gaps.len()) as u64;
        assert_eq!((counts.accepted + counts.dead, counts.shed), (journalled, 0));
    }
}

/// The numbers in a sink's dead letters, of which each is whole.
fn dead_letters(folder: &Path, sink: &str) -> Vec<u64> {
    let text = fs::read_to_string(folder.join(format!("dead/{sink}.ndjson"))).unwrap_or_default();
    let number = |line: &str| {
        let letter: serde_json::Value = serde_json::from_str(line).unwrap();
        // The event itself may have been given up meanwhile.
        let sent = letter["record"].as_str().unwrap();
        let sent: serde_json::Value = serde_json::from_str(sent).unwrap();
        sent["event"]["ExecEvent"]["ExecID"].as_str().unwrap().parse().unwrap()
    };
    text.lines().map(number).collect()
}

/// A token in a file, which is changed at the destination first.
struct Token {
    file: std::path::PathBuf,
    renewals: u32,
}

impl Token {
    fn new(folder: &Path) -> Self {
        let token = Self { file: folder.join("token"), renewals: 0 };
        token.tell("token-0");
        token
    }

    /// From now on the destination takes another one.
    fn renew(&mut self, script: &Script) -> String {
        self.renewals += 1;
        let token = format!("token-{}", self.renewals);
        script.expect(&token);
        token
    }

    fn tell(&self, token: &str) {
        fs::write(&self.file, token).unwrap();
    }
}

/// A single batch at a time keeps an event's first arrival in the journal's order.
fn assert_in_order(taken: &[u64]) {
    let mut seen = HashSet::new();
    let firsts: Vec<u64> = taken.iter().copied().filter(|number| seen.insert(*number)).collect();
    assert!(firsts.is_sorted(), "first arrivals are in order");
}

/// Draws how a destination behaves for a while. Answers whether replies may be lost.
fn weather(script: &Script, dice: &mut StdRng) -> bool {
    let mut inner = StdRng::seed_from_u64(dice.random());
    match dice.random_range(0..6) {
        0 => script.now(|_, _| Act::Down),
        1 => script.now(move |_, _| match inner.random_range(0..3) {
            0 => Act::Refuse(503, r#"{"text":"Server is busy","code":9}"#),
            1 => Act::Throttle(inner.random_range(1..10)),
            _ => Act::Accept,
        }),
        2 => script.now(move |_, _| Act::Slow(Duration::from_millis(inner.random_range(1..3_000)))),
        3 => {
            script.now(
                move |_, _| {
                    if inner.random_bool(0.3) { Act::LoseReply } else { Act::Accept }
                },
            );
            return true;
        }
        4 => script.now(
            |_, events| {
                if events.len() > 9 { Act::Refuse(413, "too large") } else { Act::Accept }
            },
        ),
        _ => script.now(|_, _| Act::Accept),
    }
    false
}

/// Draws how the disk behaves for a while. Answers whether it is full.
fn disk_weather(disk: &FaultyDisk, dice: &mut StdRng) -> bool {
    clear(disk);
    match dice.random_range(0..8) {
        0 => disk.set_write_delay(Duration::from_millis(dice.random_range(1..4))),
        1 => disk.set_write_error(Some(ErrorKind::ReadOnlyFilesystem)),
        2 => {
            disk.set_room_bytes(Some(dice.random_range(0..20_000)));
            return true;
        }
        _ => {}
    }
    false
}

fn clear(disk: &FaultyDisk) {
    disk.set_write_delay(Duration::ZERO);
    disk.set_write_error(None);
    disk.set_room_bytes(None);
}

async fn start(
    house: &House,
    sinks: &str,
    folder: &Path,
    wires: &Destinations,
    disk: &FaultyDisk,
) -> Engine {
    let engine = house.engine_on(folder, sinks, wires.clone(), Arc::new(disk.clone())).await;
    house.subscribed(Stream::Alert).await;
    house.subscribed(Stream::Log).await;
    engine
}
