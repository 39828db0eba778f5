//! Never a flood: like events as few messages whose counts add up, whatever happens in between.

use std::time::Duration;

use sidearm_proto::feeder;
use tokio::time::sleep;

use crate::{
    script::{Act, Script, ScriptedWires, Told},
    world::{House, books, eventually},
};
use sidearm::engine::Engine;
use sidearm_sinks::contract::Stream;

/// A person's channel beside a SIEM.
const SINKS: &str = r#"
    [sinks.people]
    digest = { every = "5m", per_hour = 20 }
    batch.events = 1
    splunk_hec.url = "https://people:8088"
    splunk_hec.token = "11111111-2222-3333-4444-555555555555"
    splunk_hec.ack = false

    [sinks.siem]
    splunk_hec.url = "https://splunk:8088"
    splunk_hec.token = "11111111-2222-3333-4444-555555555555"
    splunk_hec.ack = false
"#;
const EVERY: Duration = Duration::from_secs(300);
const HOUR: Duration = Duration::from_secs(3600);

struct World {
    folder: tempfile::TempDir,
    house: House,
    people: Script,
    siem: Script,
    config: String,
    engine: Option<Engine>,
}

impl World {
    async fn new(seed: u64, config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (people, siem) = (Script::willing(), Script::willing());
        let config = config.to_owned();
        let house = House::new(seed);
        let mut world = Self { folder, house, people, siem, config, engine: None };
        world.start().await;
        world
    }

    async fn start(&mut self) {
        let wires = ScriptedWires::default().with("people", &self.people).with("siem", &self.siem);
        self.engine = Some(self.house.engine(self.folder.path(), &self.config, wires).await);
        self.house.subscribed(Stream::Alert).await;
    }

    async fn crash(&mut self) {
        drop(self.engine.take());
        self.start_again().await;
    }

    /// What an engine leaves behind lets go of the journal's lock a moment later.
    async fn start_again(&mut self) {
        sleep(Duration::from_millis(10)).await;
        self.start().await;
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().unwrap()
    }

    /// The people's books once nothing is pending.
    async fn settled(&self) -> sidearm::status::SinkView {
        let view = || books(&self.engine().status().read(), "people");
        eventually("nothing pending", || view().ledger.pending == 0).await;
        view()
    }

    /// What the messages told, besides gap records, in order.
    fn told(&self) -> Vec<(String, u64)> {
        self.people
            .told()
            .into_iter()
            .map(|Told { telling, events, .. }| (telling, events))
            .collect()
    }
}

fn told(messages: &[(&str, u64)]) -> Vec<(String, u64)> {
    messages.iter().map(|(telling, events)| ((*telling).to_owned(), *events)).collect()
}

pub(crate) fn alert(pod: &str, severity: u8, action: &str) -> feeder::Alert {
    feeder::Alert {
        UpdatedTime: "2026-05-26T04:46:57.355927Z".into(),
        NamespaceName: "shop".into(),
        PodName: pod.into(),
        ProcessName: "/usr/bin/apt".into(),
        PolicyName: "no-package-managers".into(),
        Severity: severity.to_string(),
        Type: "MatchedPolicy".into(),
        Operation: "Process".into(),
        Resource: "/usr/bin/apt install nmap".into(),
        Action: action.into(),
        Result: "Permission denied".into(),
        ..feeder::Alert::default()
    }
}

/// A thousand alerts in a minute.
async fn publish_a_thousand(world: &mut World) {
    for _ in 0..20 {
        world.house.publish_alike(&alert("web", 5, "Block"), 50).await;
        sleep(Duration::from_secs(3)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_like_alerts_are_two_messages_and_the_siem_has_all() {
    let mut world = World::new(21, SINKS).await;
    publish_a_thousand(&mut world).await;
    assert_eq!(world.told(), told(&[("event", 1)]));
    let digest = world.settled().await.digest.unwrap();
    assert_eq!((digest.open, digest.untold), (1, 999));
    sleep(2 * EVERY).await;
    assert_eq!(world.told(), told(&[("event", 1), ("repeats", 999)]));
    let view = world.settled().await;
    assert_eq!((view.ledger.counts.accepted, view.ledger.counts.digested), (1, 999));
    assert_eq!(view.digest.unwrap().open, 0, "quiet for a window, it is closed");
    assert_eq!(world.siem.taken(), world.house.published[Stream::Alert.index()]);
}

#[tokio::test(start_paused = true)]
async fn counts_add_up_over_a_crash_in_the_middle_of_a_window() {
    let mut world = World::new(22, SINKS).await;
    let alike = alert("web", 5, "Block");
    world.house.publish_alike(&alike, 400).await;
    sleep(Duration::from_secs(20)).await;
    world.house.publish_alike(&alike, 200).await;
    // Nothing was saved of the last ones: they are read and counted again.
    world.crash().await;
    world.house.publish_alike(&alike, 400).await;
    sleep(3 * EVERY).await;
    let messages = world.told();
    assert!(messages.len() <= 3, "{messages:?}");
    assert_eq!(world.people.told_events(), 1_000, "{messages:?}");
    let view = world.settled().await;
    assert_eq!(view.ledger.counts.accepted + view.ledger.counts.digested, view.ledger.received);
}

#[tokio::test(start_paused = true)]
async fn counts_add_up_where_a_digest_was_under_way_in_the_crash() {
    let mut world = World::new(23, SINKS).await;
    publish_a_thousand(&mut world).await;
    world.people.now(|_, _| Act::Down);
    sleep(EVERY).await;
    assert_eq!(world.people.told_events(), 1);
    world.crash().await;
    world.people.now(|_, _| Act::Accept);
    sleep(2 * EVERY).await;
    assert_eq!(world.people.told_events(), 1_000, "{:?}", world.told());
    assert!(world.told().len() <= 3);
}

#[tokio::test(start_paused = true)]
async fn an_outage_adds_no_message() {
    let mut world = World::new(24, SINKS).await;
    world.people.now(|_, _| Act::Down);
    publish_a_thousand(&mut world).await;
    sleep(3 * EVERY).await;
    world.people.now(|_, _| Act::Accept);
    sleep(2 * EVERY).await;
    assert_eq!(world.told(), told(&[("event", 1), ("repeats", 999)]));
}

#[tokio::test(start_paused = true)]
async fn windows_outlive_an_orderly_restart_untold() {
    let mut world = World::new(25, SINKS).await;
    world.house.publish_alike(&alert("web", 5, "Block"), 10).await;
    world.settled().await;
    let status = world.engine.take().unwrap().shutdown().await;
    assert_eq!(books(&status, "people").digest.unwrap().untold, 9);
    assert_eq!(world.people.told_events(), 1);
    world.start_again().await;
    sleep(2 * EVERY).await;
    assert_eq!(world.told(), told(&[("event", 1), ("repeats", 9)]));
}

#[tokio::test(start_paused = true)]
async fn beyond_the_hours_messages_one_notice_tells_of_the_rest() {
    let mut world = World::new(26, SINKS).await;
    for pod in 0..50 {
        world.house.publish_alike(&alert(&format!("web-{pod}-x"), 5, "Block"), 2).await;
    }
    sleep(HOUR + EVERY).await;
    let messages = world.people.told();
    assert_eq!(messages.len(), 21);
    let held = messages.last().unwrap();
    assert_eq!((held.telling.as_str(), held.events, held.incidents), ("held", 80, 50));
    assert_eq!(world.people.told_events(), 100);
}

#[tokio::test(start_paused = true)]
async fn what_is_graver_breaks_the_window() {
    let mut world = World::new(27, SINKS).await;
    world.house.publish_alike(&alert("web", 5, "Block"), 10).await;
    world.house.publish_alike(&alert("web", 9, "Block"), 10).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.told(), told(&[("event", 1), ("event", 1)]));
    sleep(EVERY).await;
    assert_eq!(world.told(), told(&[("event", 1), ("event", 1), ("repeats", 18)]));
}

#[tokio::test(start_paused = true)]
async fn a_refused_digest_is_a_dead_letter_that_says_how_many() {
    let mut world = World::new(28, SINKS).await;
    world.house.publish_alike(&alert("web", 5, "Block"), 10).await;
    world.settled().await;
    world.people.now(|_, _| Act::Refuse(400, r#"{"text":"Invalid data format","code":6}"#));
    sleep(EVERY).await;
    let view = world.settled().await;
    let counts = view.ledger.counts;
    assert_eq!((counts.accepted, counts.digested, counts.dead), (1, 0, 9));
    let letters = std::fs::read_to_string(world.folder.path().join("dead/people.ndjson")).unwrap();
    assert!(letters.contains("(the message told of 9 events)"), "{letters}");
}

/// KubeArmor's notice that it now drops a container's alerts.
fn notice(pod: &str) -> feeder::Alert {
    feeder::Alert {
        Operation: "AlertThreshold".into(),
        Type: "SystemEvent".into(),
        MaxAlertsPerSec: 10,
        DroppingAlertsInterval: 30,
        ..alert(pod, 5, "Block")
    }
}

#[tokio::test(start_paused = true)]
async fn a_noisy_container_is_one_notice_and_a_count() {
    let mut world = World::new(29, SINKS).await;
    for _ in 0..8 {
        world.house.publish_alike(&notice("web"), 1).await;
        sleep(Duration::from_secs(30)).await;
    }
    assert_eq!(world.told(), told(&[("event", 1)]));
    sleep(EVERY).await;
    assert_eq!(world.told(), told(&[("event", 1), ("repeats", 7)]));
    assert_eq!(world.siem.taken(), world.house.published[Stream::Alert.index()]);
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_told_in_any_hour_and_those_like_it_are_counted() {
    let config = SINKS.replace("per_hour = 20", "per_hour = 1");
    let mut world = World::new(30, &config).await;
    world.house.publish_alike(&alert("web", 5, "Block"), 1).await;
    for cut in 0..4 {
        world.house.relay.cut_lines();
        sleep(Duration::from_secs(40)).await;
        // The relay's stream stands, and its gap is told, once there is an event in it.
        world.house.publish_alike(&alert(&format!("web-{cut}-x"), 5, "Block"), 1).await;
        eventually("the SIEM has the gap", || world.siem.gaps().len() > cut).await;
    }
    assert_eq!((world.people.gaps().len(), world.people.told_events()), (1, 1));
    sleep(HOUR + EVERY).await;
    let (alone, counted) = (world.people.gaps().len() as u64, world.people.told_events());
    assert_eq!(alone + counted, 5 + 4, "five alerts and four gaps: {:?}", world.told());
}

#[tokio::test(start_paused = true)]
async fn what_a_new_format_cannot_tell_is_a_dead_letter_and_no_ordinary_event() {
    let mut world = World::new(33, SINKS).await;
    world.house.publish_alike(&alert("web", 5, "Block"), 10).await;
    world.settled().await;
    drop(world.engine.take().unwrap().shutdown().await);
    world.config = SINKS.replace(
        "digest = { every = \"5m\", per_hour = 20 }",
        "digest = false\ntemplate = '{\"ExecEvent\":{{ ExecEvent | json }}}'",
    );
    world.start_again().await;
    eventually("what was counted is a dead letter", || {
        books(&world.engine().status().read(), "people").ledger.counts.dead == 9
    })
    .await;
    let counts = world.settled().await.ledger.counts;
    assert_eq!((counts.accepted, counts.digested), (1, 0));
    assert_eq!(world.told(), told(&[("event", 1)]), "nothing was sent in their place");
    let letters = std::fs::read_to_string(world.folder.path().join("dead/people.ndjson")).unwrap();
    assert!(letters.contains("cannot say how many events"), "{letters}");
    assert!(letters.contains("(the message told of 9 events)"), "{letters}");
}
