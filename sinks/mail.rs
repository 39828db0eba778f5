//! Mail by SMTP: a message about an incident, in text and HTML.
//!
//! Its words are the card's (`card.rs`), its form is `mail/message.rs`'s. Date and `Message-ID`
//! come from the event, so a retry is the same message and mail programs show it once; mails of
//! one incident share a thread. Addresses are the configuration's: no event decides who is told.

mod message;
mod settings;

use std::time::Duration;

use serde::Deserialize;

use crate::{
    card::{Card, LINK_TEXT, colour, fitted, push_html},
    contract::{
        Batch, Body, Destination, DigestDefaults, Entry, Event, Facts, Format, Gravity, LINK,
        Limits, Link, Mail as Smtp, MailConnection, MailReply, MailRequest, MailSecurity, MailStep,
        Pattern, Protocol as _, Question, Secret, Setting, SettingError, Sink, Timeout, Tls,
        Verdict, read,
    },
    incident,
};
use settings::{Mailbox, Recipients, Server};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build };

/// A subject is cut here, in characters.
const MAX_SUBJECT_CHARS: usize = 200;
/// How long recipients that are refused for now are left alone: greylisting asks for minutes.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(5 * 60);
/// How often recipients that are refused for now are tried again.
const TRIES_AGAIN: u32 = 12;
/// How long they are waited for in all, also where no server is to be reached meanwhile.
const GIVE_UP: Duration = Duration::from_secs(4 * 60 * 60);

/// The table `mail` of a sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mail {
    server: Server,
    from: Mailbox,
    to: Recipients,
    reply_to: Option<Mailbox>,
    subject: Option<Pattern>,
    username: Option<String>,
    password: Option<Secret>,
    #[serde(default)]
    security: MailSecurity,
    hello: Option<String>,
    link: Option<Link>,
    #[serde(default)]
    timeout: Timeout<60>,
    #[serde(default)]
    tls: Tls,
}

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    let sink: Mail = read(table)?;
    match (&sink.username, &sink.password) {
        (Some(_), None) => {
            return Err(SettingError::at("username", "expected `password` beside it"));
        }
        (None, Some(_)) => {
            return Err(SettingError::at("password", "expected `username` beside it"));
        }
        (Some(_), Some(_)) if sink.security == MailSecurity::Off => {
            let why = "found a password and security = \"off\", which would send it in the clear";
            return Err(SettingError::at("security", why));
        }
        _ => {}
    }
    if sink.hello.as_deref().is_some_and(|name| !settings::is_domain(name)) {
        let why = "expected a name such as \"sidearm.example.com\"";
        return Err(SettingError::at("hello", why));
    }
    Ok(Destination::Mail(Box::new(sink)))
}

fn facts() -> Facts {
    Facts {
        name: "mail",
        summary: "mail by SMTP, in text and HTML",
        format: Format::Native,
        native: true,
        limits: Limits {
            events: 1,
            bytes: 1_000_000,
            wait: Duration::ZERO,
            in_flight: 2,
            source: "https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1",
        },
        rate_per_second: Some(1.0),
        digest: Some(DigestDefaults {
            every: Duration::from_secs(10 * 60),
            per_hour: 60,
            resolves: false,
        }),
        settings: SETTINGS,
        tls: true,
        example: "server = \"smtp.example.com:587\"\nfrom = \"Sidearm <sidearm@example.com>\"\n\
                  to = [\"soc@example.com\"]\nusername = \"sidearm\"\npassword = \"${env:SMTP_PASSWORD}\"\n",
        sample_secrets: &[("SMTP_PASSWORD", "sample-of-a-password")],
    }
}

const SETTINGS: &[Setting] = &[
    Setting { key: "server", help: "the server's name and port, as \"smtp.example.com:587\"" },
    Setting { key: "from", help: "the sender: \"sidearm@example.com\", or \"Name <address>\"" },
    Setting { key: "to", help: "the recipients, a list of at most 50, written likewise" },
    Setting { key: "reply_to", help: "where answers go, written likewise. Default: to the sender" },
    Setting {
        key: "subject",
        help: "literal text and fields: \"[{{ ClusterName }}] {{ PolicyName }}\". Default: what \
               happened, and where",
    },
    Setting { key: "username", help: "for servers that ask who we are, beside `password`" },
    Setting { key: "password", help: "its password" },
    Setting {
        key: "security",
        help: "\"starttls\": a server that does not offer it is sent nothing; \"on\": TLS from \
               the first byte, as on port 465; \"off\". Default: \"starttls\"",
    },
    LINK,
    Setting { key: "hello", help: "what we call ourselves. Default: the sender's domain" },
    Setting { key: "timeout", help: "how long one attempt may take. Default: \"1m\"" },
];

impl Sink<Smtp> for Mail {
    /// The whole message.
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        let card = match body.format {
            Format::Native => Card::of(event),
            _ => Card::of_text(event, &body.text(), body.counts),
        };
        let card = card.linked(self.link.as_ref().map(|link| link.of(event)));
        record.extend_from_slice(self.message(event, &card).as_bytes());
    }

    fn request(&self, batch: &Batch) -> MailRequest {
        MailRequest {
            from: self.from.address.clone(),
            to: self.to.0.iter().map(|mailbox| mailbox.address.clone()).collect(),
            message: batch.bytes(),
            again: 0,
        }
    }

    fn verdict(&self, batch: &Batch, reply: &MailReply) -> Verdict<Smtp> {
        self.judge(&self.request(batch), reply)
    }

    /// The others have the message: whatever comes, it is not sent to them again.
    fn answer(&self, _: &Batch, asked: &MailRequest, reply: &MailReply) -> Verdict<Smtp> {
        match self.judge(asked, reply) {
            Verdict::Later(..) => again(asked, asked.to.clone(), reply),
            // Our login or sender was refused, which says nothing of the recipients.
            Verdict::Blocked(_) | Verdict::Smaller(_) if reply.step < MailStep::Recipients => {
                again(asked, asked.to.clone(), reply)
            }
            Verdict::Blocked(why) | Verdict::Never(why) | Verdict::Smaller(why) => {
                Verdict::AcceptedBut(None, format!("not every recipient took it: {why}"))
            }
            verdict => verdict,
        }
    }

    fn gave_up(&self, asked: &MailRequest) -> Verdict<Smtp> {
        let waiting = asked.to.join(", ");
        Verdict::AcceptedBut(
            None,
            format!("not every recipient took it: tried for hours, without {waiting}"),
        )
    }

    fn connection(&self) -> MailConnection {
        let credentials = self.username.clone().zip(self.password.clone());
        MailConnection {
            host: self.server.host.clone(),
            port: self.server.port,
            security: self.security,
            credentials,
            hello: self.hello.clone().unwrap_or_else(|| self.from.domain().to_owned()),
            tls: self.tls.clone(),
            timeout: self.timeout.0,
        }
    }
}

impl Mail {
    /// A recipient that is refused takes the mail from no other: those refused for now are tried
    /// again alone, those refused for good are told.
    fn judge(&self, sent: &MailRequest, reply: &MailReply) -> Verdict<Smtp> {
        let verdict = Smtp::verdict(reply);
        if !matches!(verdict, Verdict::Accepted) || reply.refused.is_empty() {
            return verdict;
        }
        let waiting: Vec<_> = reply
            .refused
            .iter()
            .filter(|(_, answer)| answer.is_for_now())
            .map(|(recipient, _)| recipient.clone())
            .collect();
        if waiting.is_empty() {
            let why = format!("not every recipient took it: {}", reply.summary());
            return Verdict::AcceptedBut(None, why);
        }
        again(sent, waiting, reply)
    }

    /// One line, whatever the text was.
    fn subject(&self, event: &Event<'_>, card: &Card) -> String {
        let text = match &self.subject {
            Some(subject) => subject.complete(event, |c| !c.is_control()),
            None => card.headline(),
        };
        incident::plain_line(&text, MAX_SUBJECT_CHARS)
    }

    fn message(&self, event: &Event<'_>, card: &Card) -> String {
        let domain = self.from.domain();
        let thread = format!("<incident.{}@{domain}>", incident::short_key(event));
        let boundary = format!("=_{}", event.id());
        let time_us = event.digest().map_or(event.time_us(), |digest| digest.last_us);
        let mut out = String::with_capacity(16 * 1024);
        message::header("Date", &message::date(time_us), &mut out);
        out.push_str(&format!("From: {}\r\n", self.from.header(6)));
        let to: Vec<_> = self.to.0.iter().map(|mailbox| mailbox.header(6)).collect();
        out.push_str(&format!("To: {}\r\n", to.join(",\r\n ")));
        if let Some(reply_to) = &self.reply_to {
            out.push_str(&format!("Reply-To: {}\r\n", reply_to.header(10)));
        }
        message::text_header("Subject", &self.subject(event, card), &mut out);
        // A message that tells of many has an id of its own, whatever event it shows.
        message::header("Message-ID", &format!("<{}@{domain}>", event.id()), &mut out);
        message::header("In-Reply-To", &thread, &mut out);
        message::header("References", &thread, &mut out);
        message::header("Auto-Submitted", "auto-generated", &mut out);
        message::header("X-Auto-Response-Suppress", "All", &mut out);
        message::header("List-Id", &format!("<kubearmor.sidearm.{domain}>"), &mut out);
        message::header("X-Sidearm-Event", &event.shown_id().to_string(), &mut out);
        if event.gravity() >= Gravity::High {
            message::header("Importance", "high", &mut out);
        }
        message::header("MIME-Version", "1.0", &mut out);
        let kind = format!("multipart/alternative; boundary=\"{boundary}\"");
        message::header("Content-Type", &kind, &mut out);
        out.push_str("\r\n");
        message::part(&boundary, "text/plain", &card.plain(), &mut out);
        message::part(&boundary, "text/html", &html(card), &mut out);
        out.push_str(&format!("--{boundary}--\r\n"));
        out
    }
}

/// Tries those again that were refused for now; after too often that is told, and no more. A try
/// counts where it came to the recipients.
fn again(sent: &MailRequest, to: Vec<String>, reply: &MailReply) -> Verdict<Smtp> {
    if sent.again >= TRIES_AGAIN {
        let why = format!("recipients refused it for too long: {}", reply.summary());
        return Verdict::AcceptedBut(None, why);
    }
    let tries = u32::from(reply.step >= MailStep::Recipients);
    let request = MailRequest { to, again: sent.again + tries, ..sent.clone() };
    Verdict::Ask(Question { request, wait: TRY_AGAIN_AFTER, give_up: GIVE_UP })
}

/// A table of the facts under the title, with the gravity's colour.
fn html(card: &Card) -> String {
    const CELL: &str = "padding:4px 12px 4px 0;vertical-align:top";
    let mut out = format!(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head>\n\
         <body style=\"font-family:sans-serif;font-size:14px\">\n\
         <div style=\"border-left:6px solid #{:06x};padding-left:12px\">\n",
        colour(card.gravity)
    );
    if !card.title.is_empty() {
        out.push_str(&format!("<h3 style=\"margin:0 0 8px 0\">{}</h3>\n", escaped(&card.title)));
    }
    for line in card.text.lines() {
        out.push_str(&format!("<p style=\"margin:0 0 8px 0\">{}</p>\n", escaped(line)));
    }
    out.push_str("<table style=\"border-collapse:collapse;font-size:13px\">\n");
    for fact in &card.facts {
        let (label, value) = (escaped(fact.label), escaped(&fact.value));
        let value = if fact.literal { format!("<code>{value}</code>") } else { value };
        out.push_str(&format!(
            "<tr><td style=\"{CELL};color:#555\">{label}</td><td style=\"{CELL}\">{value}</td></tr>\n"
        ));
    }
    out.push_str("</table>\n");
    if let Some(link) = &card.link {
        out.push_str(&format!("<p><a href=\"{}\">{LINK_TEXT}</a></p>\n", escaped(link)));
    }
    out.push_str(&format!(
        "<p style=\"color:#777;font-size:11px\">{}</p>\n</div></body></html>\n",
        escaped(&card.footer())
    ));
    out
}

fn escaped(text: &str) -> String {
    fitted(text, usize::MAX, push_html)
}

#[cfg(test)]
mod tests;
