//! A mail server (aiosmtpd), which asks for TLS and a login; its mails are read by Python's `email`.
//!
//! Mails count events, so counts are added up: what was told must be what was sent.

mod checks;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpStream,
    path::PathBuf,
    process::Command,
};

use serde::Deserialize;
use tempfile::TempDir;

use crate::{
    certificates,
    place::{Server, eventually, fetched, installed, output},
    program::{Feed, free_address},
    rig::{Count, Counterpart, Further, Trouble},
};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/mail");
pub(crate) const USER: &str = "sidearm";
pub(crate) const PASSWORD: &str = "correct horse";

/// The server, and where it listens.
pub(crate) struct MailServer {
    library: PathBuf,
    folder: TempDir,
    server: Option<Server>,
    starttls: u16,
    /// TLS from the first byte.
    tls: u16,
}

/// A mail, as a mail program reads it.
#[derive(Debug, Deserialize)]
pub(crate) struct Mail {
    recipients: Vec<String>,
    from: String,
    date: String,
    id: String,
    event: String,
    subject: String,
    text: String,
    html: String,
    /// What is wrong with its form.
    defects: Vec<String>,
}

impl Mail {
    /// How many events it counts, by its first line; nothing where it is about one alone.
    fn counts(&self) -> Result<Option<usize>, Trouble> {
        let title = self.text.lines().next().unwrap_or_default();
        let counts = title.contains(" more in ")
            || title.starts_with("1 more: ")
            || title.contains(" held back, in ");
        match title.split_once(' ') {
            Some((number, _)) if counts => Ok(Some(number.parse()?)),
            _ => Ok(None),
        }
    }
}

/// Starts it, waits until it listens.
pub(crate) fn start() -> Result<Box<dyn Counterpart>, Trouble> {
    installed("python3")?;
    let (library, folder) = (fetched("aiosmtpd")?, tempfile::tempdir()?);
    certificates::write(folder.path())?;
    let (starttls, tls) = (free_address()?.port(), free_address()?.port());
    let mut server = MailServer { library, folder, server: None, starttls, tls };
    server.restart()?;
    Ok(Box::new(server))
}

impl MailServer {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn python(&self, script: &str) -> Command {
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", &self.library).env("PYTHONDONTWRITEBYTECODE", "1");
        command.arg(format!("{SCRIPTS}/{script}"));
        command
    }

    /// Lines of a sink's table. A place is the name of the first recipient.
    fn lines(&self, place: &str, port: u16, more: &str) -> String {
        format!(
            "{more}\nrate_per_second = 1000\nmail.server = \"localhost:{port}\"\n\
             mail.from = \"Sidearm <sidearm@example.com>\"\nmail.to = [\"{place}@example.com\"]\n\
             mail.username = \"{USER}\"\nmail.tls.ca = \"{}\"\n",
            self.file("ca.crt").display()
        )
    }

    /// The mails of a place, copies and all; each must be of the right form.
    fn mails(&self, place: &str) -> Result<Vec<Mail>, Trouble> {
        let told = output(self.python("read.py").arg(self.file(place)))?;
        let mails: Vec<Mail> = told.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        match mails.iter().find(|mail| !mail.defects.is_empty()) {
            Some(mail) => Err(format!("not of the right form: {mail:?}").into()),
            None => Ok(mails),
        }
    }
}

impl Counterpart for MailServer {
    fn sink(&mut self, place: &str) -> Result<String, Trouble> {
        let more = format!(
            "digest = {{ every = \"5s\", per_hour = 3600 }}\nmail.password = \"{PASSWORD}\""
        );
        Ok(self.lines(place, self.starttls, &more))
    }

    /// Adds up what the mails tell; the same mail twice tells it once.
    fn count(&mut self, place: &str, sent: &Feed) -> Result<Count, Trouble> {
        let mails = self.mails(place)?;
        let by_id: BTreeMap<&str, &Mail> =
            mails.iter().map(|mail| (mail.id.as_str(), mail)).collect();
        let sent_ids: BTreeSet<_> = sent.ids.iter().collect();
        let (mut told, mut strangers) = (0, 0);
        for mail in by_id.values() {
            match mail.counts()? {
                Some(events) => told += events,
                None if sent_ids.contains(&mail.event) => told += 1,
                None => strangers += 1,
            }
        }
        Ok(Count {
            of: "events",
            sent: sent.ids.len(),
            missing: sent.ids.len().saturating_sub(told),
            duplicates: mails.len() - by_id.len(),
            strangers: strangers + told.saturating_sub(sent.ids.len()),
        })
    }

    fn kill(&mut self) -> Result<(), Trouble> {
        match self.server.take() {
            Some(mut server) => server.kill(),
            None => Err("the server was not running".into()),
        }
    }

    fn restart(&mut self) -> Result<(), Trouble> {
        let mut command = self.python("server.py");
        command.arg(self.folder.path());
        command.args([self.starttls.to_string(), self.tls.to_string()]);
        self.server = Some(Server::start(&mut command, &self.file("log"))?);
        // The ports are opened in the order in which they are written.
        eventually("the server listens", || TcpStream::connect(("127.0.0.1", self.tls)).is_ok())
    }

    fn further(&self) -> Vec<Further> {
        checks::ALL.to_vec()
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}
