//! How an alert ends and comes again, who may send one, and what text may be in it.

use std::fs;

use serde_json::Value;
use sidearm_proto::feeder::Alert;

use super::{Alertmanager, PASSWORD, USER};
use crate::{
    place::eventually,
    program::{Feed, Program},
    rig::{Counterpart, Further, Trouble},
};

/// Every check, in order.
pub(super) const ALL: &[Further] = &[
    ("resolved when quiet", quiet),
    ("told again after a restart", told_again),
    ("TLS, client certificate, login", strict),
    ("any text", any_text),
];

/// Alerts of a small delivery.
const FEW: usize = 500;
/// Long enough to be seen, short enough to be waited for.
const WINDOW: &str = "digest = { every = \"3s\" }";

fn of(counterpart: &mut dyn Counterpart) -> Result<&mut Alertmanager, Trouble> {
    Ok(counterpart.as_any().downcast_mut::<Alertmanager>().ok_or("expected Alertmanager")?)
}

/// An alert of one incident, numbered.
fn repeat(number: i32) -> Alert {
    Alert {
        Timestamp: 1_789_899_072 + i64::from(number),
        ClusterName: "c".to_owned(),
        NamespaceName: "shop".to_owned(),
        PolicyName: "no-apt".to_owned(),
        Severity: "8".to_owned(),
        Type: "MatchedPolicy".to_owned(),
        Operation: "Process".to_owned(),
        Resource: "/usr/bin/apt".to_owned(),
        Action: "Block".to_owned(),
        PID: number,
        ..Default::default()
    }
}

fn publish(program: &mut Program, alert: &Alert) -> Result<Feed, Trouble> {
    program.publish_message(buffa::Message::encode_to_vec(alert).into())
}

/// Whether so many alerts of a place are firing.
fn firing(alertmanager: &Alertmanager, place: &str, alerts: usize) -> bool {
    alertmanager.alerts(place).is_ok_and(|found| found.len() == alerts)
}

fn quiet(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let alertmanager = of(counterpart)?;
    let mut program = Program::start(&alertmanager.lines("quiet", WINDOW))?;
    publish(&mut program, &repeat(0))?;
    eventually("the alert fires", || firing(alertmanager, "quiet", 1))?;
    eventually("the alert is resolved", || firing(alertmanager, "quiet", 0))?;
    let sink = program.sink()?;
    match sink["digest"]["open"] == 0 && sink["accepted"] == 1 {
        true => Ok("fired, and resolved when a window had passed in which nothing came".to_owned()),
        false => Err(program.wrong(&sink.to_string())),
    }
}

/// Alerts are lost with the process; an incident that goes on is told again at its window's end.
fn told_again(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let alertmanager = of(counterpart)?;
    let mut program = Program::start(&alertmanager.lines("again", WINDOW))?;
    publish(&mut program, &repeat(0))?;
    eventually("the alert fires", || firing(alertmanager, "again", 1))?;
    alertmanager.kill()?;
    alertmanager.restart()?;
    if !firing(alertmanager, "again", 0) {
        return Err("it was expected to forget".into());
    }
    for number in 1..=5 {
        publish(&mut program, &repeat(number))?;
    }
    eventually("the alert fires again", || firing(alertmanager, "again", 1))?;
    let counted = alertmanager.alerts("again")?[0]["annotations"]["count"].clone();
    match counted == "5" {
        true => Ok("forgotten with the process, told again with the 5 that came since".to_owned()),
        false => Err(program.wrong(&format!("told of {counted}"))),
    }
}

/// A wrong password parks the lane, aloud and without telling it; a mended one reopens it.
fn strict(_: &mut dyn Counterpart) -> Result<String, Trouble> {
    let mut alertmanager = Alertmanager::start(true)?;
    let file = |name: &str| alertmanager.file(name).display().to_string();
    fs::write(file("password"), "hunter2")?;
    let more = format!(
        "digest = false\nalertmanager.username = \"{USER}\"\n\
         alertmanager.password = \"${{file:{}}}\"\nalertmanager.tls.ca = \"{}\"\n\
         alertmanager.tls.cert = \"{}\"\nalertmanager.tls.key = \"{}\"",
        file("password"),
        file("ca.crt"),
        file("client.crt"),
        file("client.key")
    );
    let mut program = Program::start(&alertmanager.lines("strict", &more))?;
    let feed = program.publish(FEW)?;
    let why = program.parked("hunter2")?;
    fs::write(file("password"), PASSWORD)?;
    program.settled(&feed)?;
    program.gave_up_nothing()?;
    program.stop()?;
    alertmanager.count("strict", &feed)?.exact(&program, &format!(", after: {why}"))
}

/// Text that would end a value, act on a screen or open a template is only text.
fn any_text(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let alertmanager = of(counterpart)?;
    let mut program = Program::start(&alertmanager.lines("text", "digest = false"))?;
    let mut feed = Feed::default();
    for text in
        ["\"}]\u{0}\u{1b}[2J", "{{ .Labels }}\n\u{202e}", "\u{fffd}é漢", &"x".repeat(100_000)]
    {
        let alert = Alert {
            PolicyName: text.to_owned(),
            Resource: text.to_owned(),
            Message: text.to_owned(),
            ..repeat(0)
        };
        feed.extend(publish(&mut program, &alert)?);
    }
    program.settled(&feed)?;
    program.gave_up_nothing()?;
    program.stop()?;
    let acts = |value: &Value| {
        value.as_str().is_none_or(|text| text.contains(|c: char| c.is_control() || c == '\u{202e}'))
    };
    for alert in alertmanager.alerts("text")? {
        let texts = ["labels", "annotations"].map(|kind| alert[kind].as_object().cloned());
        if texts.iter().flatten().flat_map(|texts| texts.values()).any(acts) {
            return Err(program.wrong(&format!("text that acts: {alert}")));
        }
    }
    alertmanager.count("text", &feed)?.exact(&program, "")
}
