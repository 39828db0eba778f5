//! Ways to it, refusals of a mail, of a recipient and of a login, and what a mail looks like.

use std::fs;

use sidearm_proto::feeder::Alert;

use super::{MailServer, PASSWORD};
use crate::{
    program::{Feed, Program},
    rig::{Count, Counterpart, Further, Trouble},
};

/// Every check, in order.
pub(super) const ALL: &[Further] = &[
    ("TLS from the first byte, AUTH LOGIN", tls),
    ("no STARTTLS", no_starttls),
    ("refused recipient", refused_recipient),
    ("refused mails", refused_mails),
    ("wrong password", wrong_password),
    ("a mail", a_mail),
];

/// Mails of a small delivery, an event each.
const FEW: usize = 50;

fn of(counterpart: &mut dyn Counterpart) -> Result<&mut MailServer, Trouble> {
    Ok(counterpart.as_any().downcast_mut::<MailServer>().ok_or("expected the mail server")?)
}

/// Settings that send every event in a mail of its own.
fn each(more: &str) -> String {
    format!("digest = false\nmail.password = \"{PASSWORD}\"\n{more}")
}

/// Compares the events whose mails are there with those that were sent.
fn compared(server: &MailServer, place: &str, sent: &Feed) -> Result<Count, Trouble> {
    let came: Vec<_> = server.mails(place)?.into_iter().map(|mail| mail.event).collect();
    Ok(Count::of(&sent.ids, &came))
}

fn tls(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let server = of(counterpart)?;
    let sink = server.lines("tls", server.tls, &each("mail.security = \"on\""));
    let mut program = Program::start(&sink)?;
    let feed = program.publish(FEW)?;
    program.settled(&feed)?;
    program.stop()?;
    compared(server, "tls", &feed)?.exact(&program, "")
}

/// A server that speaks TLS from the first byte offers no STARTTLS: it is sent nothing.
fn no_starttls(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let server = of(counterpart)?;
    let more = each("mail.timeout = \"2s\"");
    let mut program = Program::start(&server.lines("clear", server.tls, &more))?;
    program.publish(1)?;
    program.until_sink("it is told", |sink| sink["last_error"].is_string())?;
    let sink = program.sink()?;
    match sink["pending"] == 1 && server.mails("clear")?.is_empty() {
        true => Ok(sink["last_error"].to_string()),
        false => Err(program.wrong(&format!("sent in spite of it: {sink}"))),
    }
}

/// One of two recipients is refused for good: the other has every mail, and it is told.
fn refused_recipient(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let server = of(counterpart)?;
    let sink = server.lines("somebody", server.starttls, &each(""));
    let one = "mail.to = [\"somebody@example.com\"";
    let two = format!("{one}, \"nobody@example.com\"");
    let mut program = Program::start(&sink.replace(one, &two))?;
    let feed = program.publish(FEW)?;
    program.settled(&feed)?;
    program.gave_up_nothing()?;
    let why = program.sink()?["last_error"].as_str().unwrap_or_default().to_owned();
    program.stop()?;
    let mails = server.mails("somebody")?;
    if mails.iter().any(|mail| mail.recipients != ["somebody@example.com"]) {
        return Err(program.wrong("a mail has other recipients"));
    }
    match why.contains("nobody@example.com: 550") {
        true => compared(server, "somebody", &feed)?.exact(&program, &format!(", told: {why}")),
        false => Err(program.wrong(&format!("the refusal is not told: {why}"))),
    }
}

/// A mail whose content is refused and one that is too large are dead letters; neighbours arrive.
fn refused_mails(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let server = of(counterpart)?;
    let mut program = Program::start(&server.lines("refused", server.starttls, &each("")))?;
    let alert = |policy: &str, text: &str| {
        let alert = Alert {
            Timestamp: 1_789_899_072,
            Type: "MatchedPolicy".to_owned(),
            PolicyName: policy.to_owned(),
            Source: text.to_owned(),
            Resource: text.to_owned(),
            Message: text.to_owned(),
            ..Default::default()
        };
        buffa::Message::encode_to_vec(&alert).into()
    };
    let mut good = program.publish(FEW / 2)?;
    let mut bad = program.publish_message(alert("refuse-me", "short"))?;
    bad.extend(program.publish_message(alert("large", &"\u{6f22}".repeat(10_000)))?);
    good.extend(program.publish(FEW / 2)?);
    let mut all = good.clone();
    all.extend(bad.clone());
    program.settled(&all)?;
    program.stop()?;
    let letters = program.dead_letters();
    let letter =
        |id: &str, code: &str| letters.lines().any(|line| line.contains(id) && line.contains(code));
    match letter(&bad.ids[0], "554 ") && letter(&bad.ids[1], "552 ") && letters.lines().count() == 2
    {
        true => {
            compared(server, "refused", &good)?.exact(&program, ", the 2 refused are dead letters")
        }
        false => Err(program.wrong(&format!("other dead letters: {letters}"))),
    }
}

/// The lane is parked, aloud and without telling the password; a mended one reopens it.
fn wrong_password(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let server = of(counterpart)?;
    let file = server.file("secret");
    fs::write(&file, "hunter2")?;
    let more = format!("digest = false\nmail.password = \"${{file:{}}}\"", file.display());
    let mut program = Program::start(&server.lines("password", server.starttls, &more))?;
    let feed = program.publish(FEW)?;
    let why = program.parked("hunter2")?;
    fs::write(&file, PASSWORD)?;
    program.settled(&feed)?;
    program.stop()?;
    compared(server, "password", &feed)?.exact(&program, &format!(", after: {why}"))
}

/// Whatever an event holds, a mail program reads one mail of ours in it.
fn a_mail(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let server = of(counterpart)?;
    let mut program = Program::start(&server.lines("one", server.starttls, &each("")))?;
    let resource = "/bin/cat\r\n.\r\nBcc: x@example.com\r\n\r\n<script>\u{1f600}";
    let alert = Alert {
        UpdatedTime: "2026-09-20T10:11:12.000678Z".to_owned(),
        NamespaceName: "shop".to_owned(),
        PolicyName: "no-cat".to_owned(),
        Severity: "8".to_owned(),
        Type: "MatchedPolicy".to_owned(),
        Operation: "Process".to_owned(),
        Resource: resource.to_owned(),
        Action: "Block".to_owned(),
        ..Default::default()
    };
    let feed = program.publish_message(buffa::Message::encode_to_vec(&alert).into())?;
    program.settled(&feed)?;
    program.stop()?;
    let count = compared(server, "one", &feed)?;
    let mails = server.mails("one")?;
    let [mail] = &mails[..] else { return Err(program.wrong(&format!("{count}"))) };
    let is_right = mail.from == "Sidearm <sidearm@example.com>"
        && mail.recipients == ["one@example.com"]
        && mail.date.starts_with("Sun, 20 Sep 2026 10:11:12")
        && mail.id == format!("<{}@example.com>", mail.event)
        && mail.subject.contains("Blocked: process /bin/cat")
        && mail.text.contains("<script>\u{1f600}")
        && mail.text.lines().any(|line| line == "Policy: no-cat")
        && mail.html.contains("&lt;script&gt;")
        && !mail.html.contains("<script>");
    match is_right {
        true => count.exact(&program, &format!(", \"{}\"", mail.subject)),
        false => Err(program.wrong(&format!("{mail:?}"))),
    }
}
