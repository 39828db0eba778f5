//! The whole engine towards Azure's doubles: every event once, trouble waited out, and one bad
//! record found without its neighbours.

use std::{fs, path::Path, sync::Arc, time::SystemTime};

use sidearm::{
    config::{self, Environment},
    demo::{relay::BuiltInRelay, scenario::Scenario},
    engine::{Engine, Parts},
    journal::RealDisk,
};
use sidearm_sinks::contract::Stream;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    doubles::{
        azure::{Azure, KEY, RULE, SECRET, Trouble},
        event_hubs::{Act, Hub},
    },
    patience::eventually,
};

const EVENTS: usize = 2_000;
const SINKS: [&str; 3] = ["sentinel", "https", "amqp"];
/// The number of the event that nobody takes.
const POISON: u64 = 1234;

struct Whole {
    engine: Engine,
    relay: BuiltInRelay,
    story: Scenario,
    _server: JoinSet<()>,
}

impl Whole {
    async fn start(azure: &Azure, hub: &Hub, folder: &Path) -> Self {
        let relay = BuiltInRelay::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut server = JoinSet::new();
        let serving = relay.clone();
        server.spawn(async move {
            serving.serve_tcp(listener, CancellationToken::new()).await.expect("it serves");
        });
        let text = config(&address.to_string(), azure, hub, folder);
        let config = match config::read(&text, "test.toml", &Environment::fixed([])) {
            Ok(config) => config,
            Err(problems) => panic!("{problems}"),
        };
        let parts = Parts { disk: Arc::new(RealDisk), ..Parts::real(&config) };
        let engine = Engine::start(config, parts).await.expect("it starts");
        for stream in [Stream::Alert, Stream::Log] {
            eventually("a subscription", async || relay.subscribed(stream) > 0).await;
        }
        Self { engine, relay, story: Scenario::new(7, 0), _server: server }
    }

    fn publish(&mut self) {
        let now = SystemTime::UNIX_EPOCH.elapsed().expect("it is later than 1970");
        for number in 0..EVENTS {
            let stream = if number % 4 == 0 { Stream::Alert } else { Stream::Log };
            let message = self.story.next_of(stream, now.as_micros() as i64);
            self.relay.publish(stream, message);
        }
    }

    /// Waits until each sink has decided on every event; accepted and dead, by sink.
    async fn settled(&self) -> Vec<(u64, u64)> {
        eventually("everything has a final fate", async || {
            let status = self.engine.status().read();
            SINKS.iter().all(|sink| status.sinks[*sink].ledger.counts.total() == EVENTS as u64)
        })
        .await;
        let status = self.engine.status().read();
        let counts = SINKS.iter().map(|sink| status.sinks[*sink].ledger.counts);
        counts.map(|counts| (counts.accepted, counts.dead)).collect()
    }
}

fn config(relay: &str, azure: &Azure, hub: &Hub, folder: &Path) -> String {
    format!(
        r#"
        [relay]
        address = "{relay}"
        tls.mode = "off"
        [journal]
        path = "{folder}"
        [admin]
        listen = "off"
        [sinks.sentinel]
        streams = ["alert", "log"]
        batch.events = 100
        azure_logs.url = "http://{azure}"
        azure_logs.dcr = "{RULE}"
        azure_logs.identity.tenant = "tenant-1"
        azure_logs.identity.client_id = "client-1"
        azure_logs.identity.client_secret = "{SECRET}"
        azure_logs.identity.authority = "http://{azure}"
        [sinks.https]
        streams = ["alert", "log"]
        batch.events = 100
        event_hubs.protocol = "https"
        event_hubs.endpoint = "http://{azure}"
        event_hubs.connection_string = "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey={KEY};EntityPath=kubearmor"
        [sinks.amqp]
        streams = ["alert", "log"]
        batch.events = 100
        event_hubs.endpoint = "amqp://{hub}"
        event_hubs.partition_key = "ka-{{{{ NamespaceName }}}}"
        event_hubs.timeout = "20s"
        event_hubs.connection_string = "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey={KEY};EntityPath=kubearmor"
        "#,
        folder = folder.join("journal").display(),
        azure = azure.address,
        hub = hub.address,
    )
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort_unstable();
    ids
}

fn logged(azure: &Azure) -> Vec<String> {
    ["Custom-KubeArmorAlerts", "Custom-KubeArmorLogs"].map(|stream| azure.taken(stream)).concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_arrives_once_by_each_way_and_trouble_is_waited_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let (azure, hub) = (Azure::start().await, Hub::start(64 * 1024).await);
    azure.trouble(Trouble {
        calls: vec![(429, Some(1)), (503, None), (500, None), (429, None)],
        ..Trouble::default()
    });
    hub.script(&[Act::Reject(Some("com.microsoft:timeout")), Act::Release, Act::Modify]);
    let mut whole = Whole::start(&azure, &hub, folder.path()).await;
    whole.publish();
    assert_eq!(whole.settled().await, [(EVENTS as u64, 0); 3]);
    let rows = sorted(logged(&azure));
    let mut once = rows.clone();
    once.dedup();
    assert_eq!((rows.len(), once.len()), (EVENTS, EVENTS));
    assert!(sorted(azure.taken("kubearmor")) == rows, "by https, the same");
    let messages = hub.taken();
    assert_eq!((messages.len(), hub.connections()), (EVENTS, 1));
    let ids = messages.iter().map(|taken| taken.id.clone()).collect();
    assert!(sorted(ids) == rows, "by AMQP, the same");
    assert!(messages.iter().all(|taken| taken.key.starts_with("ka-")));
    assert_eq!(azure.refusals(), Default::default(), "nothing of ours is refused");
    assert_eq!(azure.taken("Custom-KubeArmorAlerts").len(), EVENTS / 4);
    whole.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_record_is_found_and_its_neighbours_arrive() {
    let folder = tempfile::tempdir().expect("a folder");
    let (azure, hub) = (Azure::start().await, Hub::start(64 * 1024).await);
    let mut whole = Whole::start(&azure, &hub, folder.path()).await;
    azure.trouble(Trouble { poison: Some(POISON), ..Trouble::default() });
    hub.poison(&format!("\"ExecID\":\"{POISON}\""));
    whole.publish();
    assert_eq!(whole.settled().await, [(EVENTS as u64 - 1, 1); 3]);
    let letters = fs::read_to_string(folder.path().join("journal/dead/amqp.ndjson"));
    let letters = letters.expect("a dead letter");
    assert!(letters.contains("amqp:invalid-field") && letters.lines().count() == 1, "{letters}");
    assert_eq!(hub.taken().len(), EVENTS - 1);
    assert_eq!(logged(&azure).len(), EVENTS - 1);
    assert_eq!(azure.taken("kubearmor").len(), EVENTS - 1);
    whole.engine.shutdown().await;
}
