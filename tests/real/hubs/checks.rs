//! Ways to the hub, what the hub may say to a transfer, and tokens.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use super::{Hubs, IDLE_MS, KEY_NAME, NAMESPACE, SCRIPTS};
use crate::{
    place::output,
    program::{Feed, Program},
    rig::{Count, Counterpart, Further, Trouble},
};

/// Every check, in order.
pub(super) const ALL: &[Further] = &[
    ("WebSocket", websocket),
    ("unknown authority", unknown_authority),
    ("released and modified", released),
    ("busy", busy),
    ("refused record", refused_record),
    ("detached, dropped, silent", broken),
    ("wrong key", wrong_key),
    ("unknown hub", unknown_hub),
    ("token of a key", token_of_a_key),
    ("token put again", token_put_again),
    ("token that ended", token_that_ended),
    ("idle connection", idle),
    ("partition keys", partition_keys),
    ("envelope", envelope),
];

/// Alerts of a small delivery.
const FEW: usize = 500;

fn of(counterpart: &mut dyn Counterpart) -> Result<&mut Hubs, Trouble> {
    Ok(counterpart.as_any().downcast_mut::<Hubs>().ok_or("expected Event Hubs")?)
}

/// Every event is in the hub, once, and nothing else.
fn exact(
    hubs: &mut Hubs,
    hub: &str,
    program: &Program,
    feed: &Feed,
    words: &str,
) -> Result<String, Trouble> {
    let count = Count::of(&feed.ids, &hubs.ids(hub)?);
    match count.missing + count.duplicates + count.strangers {
        0 => Ok(format!("{count}{words}")),
        _ => Err(program.wrong(&count.to_string())),
    }
}

/// Delivers a few alerts to a hub of this name.
fn few(hubs: &Hubs, hub: &str, more: &str) -> Result<(Program, Feed), Trouble> {
    hubs.create(hub)?;
    let mut program = Program::start(&hubs.lines(hub, more))?;
    let feed = program.publish(FEW)?;
    program.settled(&feed)?;
    program.stop()?;
    Ok((program, feed))
}

fn websocket(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let hubs = of(counterpart)?;
    hubs.create("websocket")?;
    let proof = format!("SharedAccessKeyName={KEY_NAME};SharedAccessKey={}", super::KEY);
    let more = "event_hubs.websocket = true";
    let lines = hubs.lines_with(&proof, hubs.websocket, "websocket", more);
    let mut program = Program::start(&lines)?;
    let feed = program.publish(10 * FEW)?;
    program.settled(&feed)?;
    program.stop()?;
    exact(hubs, "websocket", &program, &feed, "")
}

/// Nothing is said to a peer whom nobody vouches for.
fn unknown_authority(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let hubs = of(counterpart)?;
    hubs.create("stranger")?;
    let lines = hubs.lines("stranger", "");
    let lines: Vec<&str> = lines.lines().filter(|line| !line.contains("tls.ca")).collect();
    let mut program = Program::start(&lines.join("\n"))?;
    program.publish(1)?;
    program.until_sink("the certificate is refused", |sink| {
        sink["last_error"].as_str().is_some_and(|why| why.contains("certificate"))
    })?;
    let why = program.sink()?["last_error"].as_str().unwrap_or_default().to_owned();
    match hubs.ids("stranger")?.len() {
        0 => Ok(format!("waits ({why})")),
        _ => Err(program.wrong("it was sent all the same")),
    }
}

/// What the hub did not take is sent again, and was not counted before.
fn released(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let hubs = of(counterpart)?;
    hubs.create("released")?;
    hubs.script("released", json!(["release", "modify", "release"]))?;
    let mut program = Program::start(&hubs.lines("released", ""))?;
    let feed = program.publish(FEW)?;
    program.settled(&feed)?;
    program.stop()?;
    let acts = hubs.acts("released")?;
    let told = format!(", {} transfers", acts.len());
    match acts.get(..4).is_some_and(|acts| acts[3]["act"] == "accept") {
        true => exact(hubs, "released", &program, &feed, &told),
        false => Err(program.wrong(&format!("it saw {acts:?}"))),
    }
}

/// A hub that is busy is left alone for four seconds, as the service asks, and then goes on.
fn busy(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    const PAUSE_MS: u64 = 4_000;
    let hubs = of(counterpart)?;
    hubs.create("busy")?;
    hubs.script("busy", json!([{ "reject": "com.microsoft:server-busy" }]))?;
    // What was under way already would come at once.
    let mut program = Program::start(&hubs.lines("busy", "batch.in_flight = 1"))?;
    let feed = program.publish(FEW)?;
    program.settled(&feed)?;
    program.stop()?;
    let acts = hubs.acts("busy")?;
    let at = |act: usize| acts.get(act).and_then(|act| act["at"].as_u64()).unwrap_or_default();
    let pause_ms = at(1).saturating_sub(at(0));
    match pause_ms >= PAUSE_MS {
        true => exact(hubs, "busy", &program, &feed, &format!(", after {pause_ms} ms")),
        false => Err(program.wrong(&format!("it was asked again after {pause_ms} ms"))),
    }
}

/// A record that the hub refuses becomes a dead letter; its neighbours arrive, once.
fn refused_record(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let hubs = of(counterpart)?;
    hubs.create("refused")?;
    hubs.control("POST", "/hubs/refused", &json!({ "poison": "nobody takes this" }).to_string())?;
    let mut program = Program::start(&hubs.lines("refused", ""))?;
    let mut feed = program.publish(FEW / 2)?;
    let alert = sidearm_proto::feeder::Alert {
        Type: "MatchedPolicy".to_owned(),
        Source: "nobody takes this".to_owned(),
        ..Default::default()
    };
    let poison = program.publish_message(buffa::Message::encode_to_vec(&alert).into())?;
    feed.extend(program.publish(FEW / 2)?);
    let mut all = feed.clone();
    all.extend(poison.clone());
    program.settled(&all)?;
    program.stop()?;
    let letters = program.dead_letters();
    match letters.lines().count() == 1 && letters.contains(&poison.ids[0]) {
        true => exact(hubs, "refused", &program, &feed, ", the refused one is a dead letter"),
        false => Err(program.wrong(&format!("dead letters: {letters}"))),
    }
}

/// However a transfer is left without its outcome, its events come again. Those of which the hub
/// kept what it said nothing of are there twice, and no others.
fn broken(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let hubs = of(counterpart)?;
    hubs.create("broken")?;
    let detach = json!({ "detach": "amqp:link:detach-forced" });
    let script = json!([detach, "drop", "silence", "accept", "keep and drop", "keep and silence"]);
    hubs.script("broken", script)?;
    let mut program = Program::start(&hubs.lines("broken", "event_hubs.timeout = \"2s\""))?;
    let mut feed = Feed::default();
    for settled in 0..4 {
        feed.extend(program.publish(FEW)?);
        let enough = (settled + 1) * FEW as u64;
        program.until_sink("a part of it has arrived", |sink| {
            sink["accepted"].as_u64().is_some_and(|accepted| accepted >= enough)
        })?;
    }
    program.settled(&feed)?;
    program.stop()?;
    let kept: u64 = hubs
        .acts("broken")?
        .iter()
        .filter(|act| act["act"].as_str().is_some_and(|act| act.starts_with("keep")))
        .filter_map(|act| act["events"].as_u64())
        .sum();
    let count = Count::of(&feed.ids, &hubs.ids("broken")?);
    match count.missing + count.strangers == 0 && count.duplicates as u64 == kept {
        true => Ok(count.to_string()),
        false => Err(program.wrong(&format!("{count}, of which {kept} were kept untold"))),
    }
}

/// The lane is parked, says why, and tells nobody the key.
fn wrong_key(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let hubs = of(counterpart)?;
    let proof = format!("SharedAccessKeyName={KEY_NAME};SharedAccessKey=hunter2");
    let mut program = Program::start(&hubs.lines_with(&proof, hubs.tls, "well", ""))?;
    program.publish(FEW)?;
    let why = parked(&mut program)?;
    let told = program.log() + &program.get("/metrics")? + &why;
    match why.contains("InvalidSignature") && !told.contains("hunter2") {
        true => Ok(format!("parked ({why})")),
        false => Err(program.wrong(&format!("parked, and told: {why}"))),
    }
}

fn parked(program: &mut Program) -> Result<String, Trouble> {
    program.until_sink("the lane is parked", |sink| sink["state"] == "parked")?;
    Ok(program.sink()?["last_error"].as_str().unwrap_or_default().to_owned())
}

/// The lane is parked, loses nothing, and goes on once the hub is there.
fn unknown_hub(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let hubs = of(counterpart)?;
    let mut program = Program::start(&hubs.lines("unknown", ""))?;
    let feed = program.publish(FEW)?;
    let why = parked(&mut program)?;
    hubs.create("unknown")?;
    program.settled(&feed)?;
    program.stop()?;
    exact(hubs, "unknown", &program, &feed, &format!(", after it was parked ({why})"))
}

/// A token is for the hub alone and ends within the hour, which clocks that differ survive.
fn token_of_a_key(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let hubs = of(counterpart)?;
    let (program, feed) = few(hubs, "signed", "")?;
    let tokens = hubs.tokens("signed")?;
    let minutes = match &tokens[..] {
        [token] => (token["ends"].as_u64().unwrap_or_default() * 1_000)
            .saturating_sub(token["at"].as_u64().unwrap_or_default())
            .div_ceil(60_000),
        _ => return Err(program.wrong(&format!("expected one token, found {tokens:?}"))),
    };
    match (55..=60).contains(&minutes) {
        true => exact(hubs, "signed", &program, &feed, &format!(", it ends in {minutes} minutes")),
        false => Err(program.wrong(&format!("a token that ends in {minutes} minutes"))),
    }
}

/// A signature made elsewhere, for so many seconds, as a connection string has it.
fn signature(hubs: &Hubs, hub: &str, seconds: u64) -> Result<String, Trouble> {
    let ends = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + seconds;
    let script = "const [resource, name, secret, ends] = process.argv.slice(1);\
                  process.stdout.write(require('./signature.js').sign(resource, name, secret, ends))";
    let resource = format!("sb://{NAMESPACE}/{hub}");
    let mut node = Command::new("node");
    node.env("NODE_PATH", &hubs.modules).current_dir(SCRIPTS).args(["-e", script]);
    node.args([&resource, KEY_NAME, super::KEY, &ends.to_string()]);
    Ok(format!("SharedAccessSignature={}", output(&mut node)?))
}

/// A token is put again, on the link that is open, while it holds for less than four minutes.
fn token_put_again(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let hubs = of(counterpart)?;
    hubs.create("again")?;
    let proof = signature(hubs, "again", 120)?;
    let mut program = Program::start(&hubs.lines_with(&proof, hubs.tls, "again", ""))?;
    let mut feed = Feed::default();
    for _ in 0..3 {
        feed.extend(program.publish(FEW)?);
        program.settled(&feed)?;
    }
    program.stop()?;
    let tokens = hubs.tokens("again")?;
    let connections: BTreeSet<u64> =
        tokens.iter().filter_map(|token| token["connection"].as_u64()).collect();
    match tokens.len() >= 3 && connections.len() == 1 {
        true => exact(hubs, "again", &program, &feed, &format!(", {} tokens", tokens.len())),
        false => Err(program.wrong(&format!("tokens: {tokens:?}"))),
    }
}

/// A signature that nobody renews ends: the lane is parked and keeps its events.
fn token_that_ended(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let hubs = of(counterpart)?;
    hubs.create("ended")?;
    let proof = signature(hubs, "ended", 3)?;
    let mut program = Program::start(&hubs.lines_with(&proof, hubs.tls, "ended", ""))?;
    let feed = program.publish(FEW)?;
    program.settled(&feed)?;
    std::thread::sleep(Duration::from_secs(3));
    program.publish(1)?;
    let why = parked(&mut program)?;
    match why.contains("ExpiredToken") && program.sink()?["pending"] == 1 {
        true => exact(hubs, "ended", &program, &feed, &format!(", then parked ({why})")),
        false => Err(program.wrong(&format!("parked, and told: {why}"))),
    }
}

/// The peer closes a connection on which nothing comes; ours says that it lives.
fn idle(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let hubs = of(counterpart)?;
    hubs.create("idle")?;
    let mut program = Program::start(&hubs.lines("idle", ""))?;
    let mut feed = program.publish(FEW)?;
    program.settled(&feed)?;
    std::thread::sleep(Duration::from_millis(3 * IDLE_MS));
    feed.extend(program.publish(FEW)?);
    program.settled(&feed)?;
    program.stop()?;
    match hubs.tokens("idle")?.len() {
        1 => exact(hubs, "idle", &program, &feed, ", one connection"),
        more => Err(program.wrong(&format!("{more} connections"))),
    }
}

/// Events of one pod are in one partition, in the order in which they came.
fn partition_keys(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let hubs = of(counterpart)?;
    let more = "event_hubs.partition_key = \"ka-{{ PodName }}\"";
    let (program, feed) = few(hubs, "keys", more)?;
    let mut partitions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in hubs.events("keys")? {
        let body: Value = serde_json::from_str(event["body"].as_str().unwrap_or_default())?;
        let key = event["key"].as_str().unwrap_or_default();
        if key != format!("ka-{}", body["PodName"].as_str().unwrap_or_default()) {
            return Err(program.wrong(&format!("another pod's key: {event}")));
        }
        let partition = event["partition"].to_string();
        partitions.entry(key.to_owned()).or_default().insert(partition);
    }
    let used: BTreeSet<&String> = partitions.values().flatten().collect();
    let told = format!(", {} keys in {} partitions", partitions.len(), used.len());
    match partitions.values().all(|partitions| partitions.len() == 1) && used.len() > 1 {
        true => exact(hubs, "keys", &program, &feed, &told),
        false => Err(program.wrong(&format!("keys in several partitions: {partitions:?}"))),
    }
}

/// A message is `{"records":[event]}`, as Azure's own services write it.
fn envelope(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let hubs = of(counterpart)?;
    let (program, feed) = few(hubs, "envelope", "event_hubs.envelope = true")?;
    for event in hubs.events("envelope")? {
        let body: Value = serde_json::from_str(event["body"].as_str().unwrap_or_default())?;
        let is_one = body["records"].as_array().is_some_and(|records| records.len() == 1);
        if !is_one || body["records"][0]["Timestamp"].is_null() {
            return Err(program.wrong(&format!("no envelope: {body}")));
        }
    }
    exact(hubs, "envelope", &program, &feed, "")
}
