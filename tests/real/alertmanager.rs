//! Prometheus Alertmanager, read by amtool. It keeps alerts in memory and one for each incident, so
//! incidents are what is counted.

mod checks;

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::{
    certificates,
    place::{Server, eventually, installed, output},
    program::{Feed, free_address},
    rig::{Count, Counterpart, Further, Trouble},
};

/// Tells nobody of anything.
const CONFIGURATION: &str = "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n";
pub(crate) const USER: &str = "sidearm";
pub(crate) const PASSWORD: &str = "correct horse";
/// What bcrypt makes of the password.
const HASH: &str = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";

/// The server, and where it listens.
pub(crate) struct Alertmanager {
    folder: TempDir,
    server: Option<Server>,
    port: u16,
    /// Whether it asks for TLS, a client certificate and a login.
    strict: bool,
}

/// Starts it, waits until it answers.
pub(crate) fn start() -> Result<Box<dyn Counterpart>, Trouble> {
    Ok(Box::new(Alertmanager::start(false)?))
}

impl Alertmanager {
    fn start(strict: bool) -> Result<Self, Trouble> {
        installed("prometheus-alertmanager")?;
        installed("amtool")?;
        let folder = tempfile::tempdir()?;
        certificates::write(folder.path())?;
        fs::write(folder.path().join("alertmanager.yml"), CONFIGURATION)?;
        let port = free_address()?.port();
        let mut alertmanager = Self { folder, server: None, port, strict };
        fs::write(alertmanager.file("web.yml"), alertmanager.web())?;
        fs::write(alertmanager.file("client.yml"), alertmanager.client())?;
        alertmanager.restart()?;
        Ok(alertmanager)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn web(&self) -> String {
        let folder = self.folder.path().display();
        match self.strict {
            false => String::new(),
            true => format!(
                "tls_server_config:
  cert_file: {folder}/server.crt
  key_file: {folder}/server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: {folder}/ca.crt
basic_auth_users: {{ {USER}: \"{HASH}\" }}
"
            ),
        }
    }

    /// How amtool proves who it is.
    fn client(&self) -> String {
        let folder = self.folder.path().display();
        match self.strict {
            false => String::new(),
            true => format!(
                "basic_auth: {{ username: {USER}, password: {PASSWORD} }}
tls_config:
  ca_file: {folder}/ca.crt
  cert_file: {folder}/client.crt
  key_file: {folder}/client.key
"
            ),
        }
    }

    fn url(&self) -> String {
        let scheme = if self.strict { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Lines of a sink's table. A place is a label of its own.
    fn lines(&self, place: &str, more: &str) -> String {
        format!(
            "{more}\nalertmanager.url = \"{}\"\nalertmanager.labels = {{ place = \"{place}\" }}\n",
            self.url()
        )
    }

    /// The alerts of a place that are firing.
    fn alerts(&self, place: &str) -> Result<Vec<Value>, Trouble> {
        let mut command = Command::new("amtool");
        command.args(["alert", "query", "--output=json", "--http.config.file"]);
        command.arg(self.file("client.yml"));
        command.arg(format!("--alertmanager.url={}", self.url()));
        command.arg(format!("place={place}"));
        Ok(serde_json::from_str(&output(&mut command)?)?)
    }
}

/// What the label `incident` says of an event with this key.
fn incident(key: &str) -> String {
    Sha256::digest(key).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

impl Counterpart for Alertmanager {
    /// Every event is sent, so that the ledger tells what was accepted.
    fn sink(&mut self, place: &str) -> Result<String, Trouble> {
        Ok(self.lines(place, "digest = false"))
    }

    /// Each alert is an incident of what was sent, and shows an event that was sent.
    fn count(&mut self, place: &str, sent: &Feed) -> Result<Count, Trouble> {
        let alerts = self.alerts(place)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let sent_ids: BTreeSet<_> = sent.ids.iter().collect();
        let shown = alerts.iter().map(|alert| text(&alert["annotations"]["event_id"]));
        if let Some(id) = shown.into_iter().find(|id| !sent_ids.contains(id)) {
            return Err(format!("an alert shows \"{id}\", which was never sent").into());
        }
        let mut came: Vec<_> =
            alerts.iter().map(|alert| text(&alert["labels"]["incident"])).collect();
        // An incident that rose in severity is an alert for each, until it is over.
        came.sort();
        came.dedup();
        let incidents: Vec<_> = sent.incidents.iter().map(|key| incident(key)).collect();
        Ok(Count::of_named("incidents", &incidents, &came))
    }

    fn kill(&mut self) -> Result<(), Trouble> {
        match self.server.take() {
            Some(mut server) => server.kill(),
            None => Err("Alertmanager was not running".into()),
        }
    }

    fn restart(&mut self) -> Result<(), Trouble> {
        let mut command = Command::new("prometheus-alertmanager");
        command.arg(format!("--web.listen-address=127.0.0.1:{}", self.port));
        command.arg("--web.config.file").arg(self.file("web.yml"));
        command.arg("--config.file").arg(self.file("alertmanager.yml"));
        command.arg("--storage.path").arg(self.file("data"));
        command.arg("--cluster.listen-address=");
        self.server = Some(Server::start(&mut command, &self.file("log"))?);
        eventually("Alertmanager answers", || self.alerts("none").is_ok())
    }

    fn further(&self) -> Vec<Further> {
        checks::ALL.to_vec()
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}
