//! The whole engine towards Azure's doubles: every event once, trouble waited out, and one bad
//! record found without its neighbours.

use std::time::SystemTime;

use sidearm::demo::scenario::Scenario;
use sidearm_sinks::contract::Stream;

use crate::{
    doubles::{
        azure::{Azure, KEY, RULE, SECRET, Trouble},
        event_hubs::{Act, Hub},
    },
    rig::Rig,
};

const EVENTS: usize = 2_000;
const SINKS: [&str; 3] = ["sentinel", "https", "amqp"];
/// The number of the event that nobody takes.
const POISON: u64 = 1234;

async fn rig(azure: &Azure, hub: &Hub) -> Rig {
    Rig::start(&sinks(azure, hub), &[Stream::Alert, Stream::Log]).await
}

fn publish(rig: &Rig) {
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("it is later than 1970");
    let mut story = Scenario::new(7, 0);
    for number in 0..EVENTS {
        let stream = if number % 4 == 0 { Stream::Alert } else { Stream::Log };
        rig.relay.publish(stream, story.next_of(stream, now.as_micros() as i64));
    }
}

/// Waits until each sink has decided on every event; accepted and dead, by sink.
async fn settled(rig: &Rig) -> Vec<(u64, u64)> {
    let mut settled = Vec::new();
    for sink in SINKS {
        settled.push(rig.settled(sink, EVENTS as u64).await);
    }
    settled
}

fn sinks(azure: &Azure, hub: &Hub) -> String {
    format!(
        r#"
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
    let (azure, hub) = (Azure::start().await, Hub::start(64 * 1024).await);
    azure.trouble(Trouble {
        calls: vec![(429, Some(1)), (503, None), (500, None), (429, None)],
        ..Trouble::default()
    });
    hub.script(&[Act::Reject(Some("com.microsoft:timeout")), Act::Release, Act::Modify]);
    let rig = rig(&azure, &hub).await;
    publish(&rig);
    assert_eq!(settled(&rig).await, [(EVENTS as u64, 0); 3]);
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
    rig.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_record_is_found_and_its_neighbours_arrive() {
    let (azure, hub) = (Azure::start().await, Hub::start(64 * 1024).await);
    let rig = rig(&azure, &hub).await;
    azure.trouble(Trouble { poison: Some(POISON), ..Trouble::default() });
    hub.poison(&format!("\"ExecID\":\"{POISON}\""));
    publish(&rig);
    assert_eq!(settled(&rig).await, [(EVENTS as u64 - 1, 1); 3]);
    let letters = rig.dead_letters("amqp");
    assert!(letters.contains("amqp:invalid-field") && letters.lines().count() == 1, "{letters}");
    assert_eq!(hub.taken().len(), EVENTS - 1);
    assert_eq!(logged(&azure).len(), EVENTS - 1);
    assert_eq!(azure.taken("kubearmor").len(), EVENTS - 1);
    rig.engine.shutdown().await;
}
