//! Apache Kafka, one broker in KRaft mode, with a listener for each kind of proof; read by kcat.

mod checks;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{
    certificates,
    place::{Server, eventually, fetched, installed, output},
    program::{Feed, free_address},
    rig::{Count, Counterpart, Further, Trouble},
};

const JAVA_OPTIONS: [&str; 4] =
    ["-Xmx256m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qk";
pub(crate) const USER: &str = "sidearm";
pub(crate) const PASSWORD: &str = "correct horse";

/// The broker, and where it listens.
pub(crate) struct Kafka {
    jars: PathBuf,
    folder: TempDir,
    server: Option<Server>,
    pub(crate) plain: u16,
    pub(crate) sasl: u16,
    /// Client certificates are required.
    pub(crate) tls: u16,
    pub(crate) sasl_tls: u16,
}

/// Formats its disk, starts it, waits until it answers.
pub(crate) fn start() -> Result<Box<dyn Counterpart>, Trouble> {
    installed("java")?;
    installed("kcat")?;
    let jars = fetched("kafka")?;
    let folder = tempfile::tempdir()?;
    certificates::write(folder.path())?;
    let port = || free_address().map(|address| address.port());
    let mut kafka = Kafka {
        jars,
        folder,
        server: None,
        plain: port()?,
        sasl: port()?,
        tls: port()?,
        sasl_tls: port()?,
    };
    fs::write(kafka.properties(), kafka.configuration(port()?))?;
    output(
        kafka
            .java("kafka.tools.StorageTool")
            .args(["format", "-t", CLUSTER_ID, "-c"])
            .arg(kafka.properties())
            .args([
                "--add-scram",
                &format!("SCRAM-SHA-256=[name={USER},password={PASSWORD}]"),
                "--add-scram",
                &format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]"),
            ]),
    )?;
    kafka.restart()?;
    Ok(Box::new(kafka))
}

impl Kafka {
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn properties(&self) -> PathBuf {
        self.folder().join("kafka.properties")
    }

    fn java(&self, class: &str) -> Command {
        let mut command = Command::new("java");
        command.args(JAVA_OPTIONS).arg("-cp").arg(self.jars.join("*")).arg(class);
        command.current_dir(self.folder());
        command
    }

    /// Makes a topic, with its own settings.
    pub(crate) fn create_topic(&self, topic: &str, settings: &[&str]) -> Result<(), Trouble> {
        let server = format!("127.0.0.1:{}", self.plain);
        let mut command = self.java("org.apache.kafka.tools.TopicCommand");
        command.args(["--bootstrap-server", &server, "--create", "--topic", topic]);
        command.args(["--partitions", "3", "--replication-factor", "1"]);
        for setting in settings {
            command.args(["--config", setting]);
        }
        output(&mut command).map(drop)
    }

    /// Every record of a topic, each as kcat's `format` has it.
    pub(crate) fn records(&self, topic: &str, format: &str) -> Result<Vec<String>, Trouble> {
        let server = format!("127.0.0.1:{}", self.plain);
        let text = output(Command::new("kcat").args([
            "-b",
            &server,
            "-C",
            "-q",
            "-t",
            topic,
            "-o",
            "beginning",
            "-e",
            "-f",
            format,
        ]))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// The ids of the events in a topic, copies and all.
    pub(crate) fn ids(&self, topic: &str) -> Result<Vec<String>, Trouble> {
        let headers = self.records(topic, "%h\n")?;
        let id = |headers: &String| {
            headers
                .split(',')
                .find_map(|header| header.strip_prefix("event_id="))
                .map(str::to_owned)
        };
        Ok(headers.iter().filter_map(id).collect())
    }

    fn configuration(&self, controller: u16) -> String {
        let Self { plain, sasl, tls, sasl_tls, .. } = self;
        let listeners =
            [("PLAINTEXT", plain), ("SASLP", sasl), ("TLS", tls), ("SASLTLS", sasl_tls)]
                .map(|(name, port)| format!("{name}://127.0.0.1:{port}"))
                .join(",");
        let plain_login = format!(
            "org.apache.kafka.common.security.plain.PlainLoginModule required \
             user_{USER}=\"{PASSWORD}\";"
        );
        let scram_login = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
        let bearer_login =
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;";
        format!(
            "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={listeners}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASLP:SASL_PLAINTEXT,TLS:SSL,SASLTLS:SASL_SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.saslp.plain.sasl.jaas.config={plain_login}
listener.name.sasltls.plain.sasl.jaas.config={plain_login}
listener.name.saslp.scram-sha-256.sasl.jaas.config={scram_login}
listener.name.saslp.scram-sha-512.sasl.jaas.config={scram_login}
listener.name.sasltls.scram-sha-256.sasl.jaas.config={scram_login}
listener.name.sasltls.scram-sha-512.sasl.jaas.config={scram_login}
listener.name.saslp.oauthbearer.sasl.jaas.config={bearer_login}
listener.name.sasltls.oauthbearer.sasl.jaas.config={bearer_login}
ssl.keystore.type=PEM
ssl.keystore.location=server.pem
ssl.truststore.type=PEM
ssl.truststore.location=ca.crt
listener.name.tls.ssl.client.auth=required
listener.name.sasltls.ssl.client.auth=none
log.dirs=data
num.partitions=3
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=4194304
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=1000
"
        )
    }
}

impl Counterpart for Kafka {
    fn sink(&mut self, place: &str) -> Result<String, Trouble> {
        self.create_topic(place, &[])?;
        Ok(format!(
            "kafka.brokers = [\"127.0.0.1:{}\"]\nkafka.security = \"plaintext\"\n\
             kafka.topic = \"{place}\"",
            self.plain
        ))
    }

    fn count(&mut self, place: &str, sent: &Feed) -> Result<Count, Trouble> {
        Ok(Count::of(&sent.ids, &self.ids(place)?))
    }

    fn kill(&mut self) -> Result<(), Trouble> {
        match self.server.take() {
            Some(mut server) => server.kill(),
            None => Err("the broker was not running".into()),
        }
    }

    fn restart(&mut self) -> Result<(), Trouble> {
        let log = self.folder().join("broker.log");
        let mut command = self.java("kafka.Kafka");
        self.server = Some(Server::start(command.arg(self.properties()), &log)?);
        let server = format!("127.0.0.1:{}", self.plain);
        eventually("the broker answers", || {
            output(Command::new("kcat").args(["-b", &server, "-L", "-m", "2"])).is_ok()
        })
    }

    /// The program goes on, so its session does: the broker knows a copy when it sees one.
    fn copies_allowed(&self) -> bool {
        false
    }

    fn further(&self) -> Vec<Further> {
        checks::ALL.to_vec()
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}
