//! The other ways to it, proofs of identity, what it makes of a message, and what is lost with it.

use std::fs;

use serde_json::Value;
use sidearm_proto::feeder::Alert;

use super::{Rsyslog, id};
use crate::{
    certificates,
    program::{Feed, Program},
    rig::{Count, Counterpart, Further, Trouble},
};

/// Every check, in order.
pub(super) const ALL: &[Further] = &[
    ("TCP, a line each", lines),
    ("UDP", datagrams),
    ("client certificate", client_certificate),
    ("wrong authority", wrong_authority),
    ("wrong client certificate", wrong_client_certificate),
    ("fields", fields),
    ("bodies", bodies),
    ("the longest message", longest),
    ("frozen, then killed", frozen),
];

/// Alerts of a small delivery.
const FEW: usize = 500;
/// Datagrams that fit into what the kernel holds for a socket, so that none may be missing.
const DATAGRAMS: usize = 50;

fn of(counterpart: &mut dyn Counterpart) -> Result<&mut Rsyslog, Trouble> {
    Ok(counterpart.as_any().downcast_mut::<Rsyslog>().ok_or("expected rsyslog")?)
}

/// Delivers so many alerts with these lines and counts them.
fn delivers(rsyslog: &Rsyslog, place: &str, sink: &str, events: usize) -> Result<String, Trouble> {
    let mut program = Program::start(sink)?;
    let feed = program.publish(events)?;
    program.settled(&feed)?;
    program.stop()?;
    Count::of(&feed.ids, &rsyslog.ids(place)?).exact(&program, "")
}

fn lines(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let rsyslog = of(counterpart)?;
    let more = "syslog.transport = \"tcp\"\nsyslog.framing = \"newline\"";
    delivers(rsyslog, "lines", &rsyslog.lines("lines", rsyslog.tcp, more), FEW)
}

fn datagrams(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let rsyslog = of(counterpart)?;
    let more = "syslog.transport = \"udp\"";
    delivers(rsyslog, "datagrams", &rsyslog.lines("datagrams", rsyslog.udp, more), DATAGRAMS)
}

fn client_certificate(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let rsyslog = of(counterpart)?;
    let files = [("ca", "ca.crt"), ("cert", "client.crt"), ("key", "client.key")];
    let sink = rsyslog.secure("certificate", rsyslog.mutual, &files);
    delivers(rsyslog, "certificate", &sink, FEW)
}

/// A receiver that nobody vouches for is sent nothing, until somebody does.
fn wrong_authority(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let rsyslog = of(counterpart)?;
    let files = [("ca", "other/ca.crt")];
    mended(rsyslog, "authority", rsyslog.tls, &files, "see tls.ca")
}

/// With TLS 1.3 the refusal comes when our side of the handshake is done and the batch is written.
fn wrong_client_certificate(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let rsyslog = of(counterpart)?;
    let files = [("ca", "ca.crt"), ("cert", "other/client.crt"), ("key", "other/client.key")];
    mended(rsyslog, "stranger", rsyslog.mutual, &files, "the answer was lost")
}

/// Delivers by files in the folder `other`, which are another authority's at first and then put
/// right; nothing may be called delivered before, and nothing be missing after.
fn mended(
    rsyslog: &Rsyslog,
    place: &str,
    port: u16,
    files: &[(&str, &str)],
    word: &str,
) -> Result<String, Trouble> {
    fs::create_dir_all(rsyslog.file("other"))?;
    certificates::write(&rsyslog.file("other"))?;
    let mut program = Program::start(&rsyslog.secure(place, port, files))?;
    let feed = program.publish(FEW)?;
    // Twice, so that a batch that was written and refused had its time to be called sent.
    program.until_sink("it is tried again", |sink| attempts(sink) >= 2)?;
    let sink = program.sink()?;
    let why = sink["last_error"].as_str().unwrap_or_default().to_owned();
    if sink["accepted"] != 0 || !why.contains(word) || !rsyslog.records(place)?.is_empty() {
        return Err(program.wrong(&format!("delivered in spite of it: {sink}")));
    }
    for (_, name) in files {
        let right = name.strip_prefix("other/").unwrap_or(name);
        if right != *name {
            fs::copy(rsyslog.file(right), rsyslog.file(name))?;
        }
    }
    program.settled(&feed)?;
    program.stop()?;
    let words = format!(", after: {why}");
    Count::of(&feed.ids, &rsyslog.ids(place)?).exact(&program, &words)
}

fn attempts(sink: &Value) -> u64 {
    let requests = sink["requests"].as_object();
    requests.map_or(0, |by_end| by_end.values().filter_map(Value::as_u64).sum())
}

/// An alert whose texts hold what ends a field, an element or a frame.
fn hostile() -> Alert {
    Alert {
        Timestamp: 1_789_899_072,
        UpdatedTime: "2026-09-20T10:11:12.000678Z".to_owned(),
        HostName: "node 1".to_owned(),
        NamespaceName: "shop".to_owned(),
        PodName: "web-0".to_owned(),
        PolicyName: "a]b\"c\\d".to_owned(),
        Severity: "8".to_owned(),
        Type: "MatchedPolicy".to_owned(),
        Operation: "Process".to_owned(),
        Resource: "/bin/sh -c 'echo \u{e4}\n<1>1 - x y - - - forged'".to_owned(),
        Action: "Block".to_owned(),
        ..Default::default()
    }
}

/// Delivers alerts that were made by hand, and reads them back with what rsyslog made of them.
fn read_back(
    rsyslog: &Rsyslog,
    place: &str,
    sink: &str,
    alerts: &[Alert],
) -> Result<Vec<Value>, Trouble> {
    let mut program = Program::start(sink)?;
    let mut feed = Feed::default();
    for alert in alerts {
        feed.extend(program.publish_message(buffa::Message::encode_to_vec(alert).into())?);
    }
    program.settled(&feed)?;
    program.stop()?;
    let records = rsyslog.records(place)?;
    let ids: Result<Vec<_>, _> = records.iter().map(id).collect();
    Count::of(&feed.ids, &ids?).exact(&program, "").map(|_| records)
}

fn fields(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let rsyslog = of(counterpart)?;
    let sink = rsyslog.secure("fields", rsyslog.tls, &[("ca", "ca.crt")]);
    let records = read_back(rsyslog, "fields", &sink, &[hostile()])?;
    let record = &records[0];
    for (field, expected) in [
        ("host", "node_1"),
        ("facility", "local0"),
        ("severity", "err"),
        ("time", "2026-09-20T10:11:12.000678Z"),
        ("kind", "alert"),
    ] {
        if record[field] != expected {
            return Err(format!("expected {expected} as {field}: {record}").into());
        }
    }
    let structured = record["structured"].as_str().unwrap_or_default();
    let element = "stream=\"alert\" policy=\"a\\]b\\\"c\\\\d\" namespace=\"shop\" pod=\"web-0\" \
                   action=\"Block\" operation=\"Process\" severity=\"8\"]";
    match structured.starts_with("[kubearmor@32473 event_id=\"") && structured.ends_with(element) {
        true => Ok("header and structured element as they were sent".to_owned()),
        false => Err(format!("another structured element: {record}").into()),
    }
}

/// Each format is one message, whatever its text holds, and its body arrives as it was written.
fn bodies(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let rsyslog = of(counterpart)?;
    let mut told = Vec::new();
    for (format, framing, start, holds) in [
        ("cef", "octet-counting", "CEF:0|KubeArmor|KubeArmor|", "\u{e4}"),
        ("cef", "newline", "CEF:0|KubeArmor|KubeArmor|", "\u{e4}"),
        ("leef", "newline", "LEEF:2.0|", "\u{e4}"),
        ("json", "octet-counting", "{", "\"PolicyName\":\"a]b\\\"c\\\\d\""),
        ("ecs", "newline", "{", "\u{e4}"),
        ("native", "newline", "", "\u{e4}"),
    ] {
        let place = format!("{format}-{framing}");
        let more = format!(
            "format = \"{format}\"\nsyslog.transport = \"tcp\"\nsyslog.framing = \"{framing}\""
        );
        let sink = rsyslog.lines(&place, rsyslog.tcp, &more);
        let records = read_back(rsyslog, &place, &sink, &[hostile()])?;
        let body = records[0]["body"].as_str().unwrap_or_default();
        if !body.starts_with(start) || !body.contains(holds) || body.contains("#012") {
            return Err(format!("another body in {place}: {}", records[0]).into());
        }
        if start == "{" {
            serde_json::from_str::<Value>(body)?;
        }
        told.push(place);
    }
    Ok(told.join(", "))
}

/// The longest message is as long as rsyslog takes by default: its own end is there.
fn longest(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    const MAX_MESSAGE_BYTES: usize = 8096;
    let rsyslog = of(counterpart)?;
    let sink = rsyslog.secure("longest", rsyslog.tls, &[("ca", "ca.crt")]);
    let long = Alert { Message: "x".repeat(100_000), ..hostile() };
    let sink = format!("format = \"native\"\n{sink}");
    let records = read_back(rsyslog, "longest", &sink, &[long, hostile()])?;
    let raw = records.iter().filter_map(|record| record["raw"].as_str());
    let raw = raw.max_by_key(|raw| raw.len()).unwrap_or_default();
    // The mark says that we have cut it, and not rsyslog.
    match raw.len() == MAX_MESSAGE_BYTES && raw.ends_with('\u{2026}') {
        true => Ok(format!("{MAX_MESSAGE_BYTES} bytes, and its neighbour")),
        false => Err(format!("{} bytes: {raw}", raw.len()).into()),
    }
}

/// The one loss that no sender of syslog can notice: what the receiver's machine has confirmed and
/// the receiver never reads. What it has no room for any more is kept, and nothing else is missing.
fn frozen(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let rsyslog = of(counterpart)?;
    let sink = rsyslog.sink("frozen")? + "syslog.timeout = \"2s\"\n";
    let mut program = Program::start(&sink)?;
    let mut feed = program.publish(FEW)?;
    program.settled(&feed)?;
    rsyslog.server.as_ref().ok_or("rsyslog is not running")?.freeze()?;
    let confirmed = program.publish(FEW / 10)?;
    feed.extend(confirmed.clone());
    program.settled(&feed)?;
    let mut kept = program.publish(4 * FEW)?;
    program.until_sink("it is noticed", |sink| sink["last_error"].is_string())?;
    let is_noticed = program.sink()?["accepted"].as_u64() == Some(feed.ids.len() as u64);
    rsyslog.kill()?;
    rsyslog.restart()?;
    kept.extend(program.publish(FEW)?);
    feed.extend(kept.clone());
    program.settled(&feed)?;
    program.stop()?;
    let came = rsyslog.ids("frozen")?;
    let (lost, kept) = (Count::of(&confirmed.ids, &came), Count::of(&kept.ids, &came).missing);
    let told = format!(
        "{kept} missing of those it had no room for, {} of the {} that its machine had confirmed",
        lost.missing, lost.sent
    );
    if kept == 0 && is_noticed { Ok(told) } else { Err(program.wrong(&told)) }
}
