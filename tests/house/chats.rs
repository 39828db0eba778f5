//! Slack and Teams as they are configured by default, a thousand like alerts, and vendors that
//! refuse what they refuse.

#[path = "../faults/doubles/slack.rs"]
mod slack;
#[path = "../faults/doubles/teams.rs"]
mod teams;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderMap, Request, Response};
use sidearm::wire::{Attempt, Wire, WireError, Wires};
use sidearm_proto::feeder;
use sidearm_sinks::contract::{
    Append, AppendConnection, Http, HttpConnection, HttpReply, HttpRequest, Stream,
};
use tokio::time::sleep;

use crate::{
    script::{Script, ScriptedWires},
    world::{House, books},
};

const SINKS: &str = r#"
    [sinks.slack]
    slack.url = "https://hooks.slack.com/services/T0/B0/secret"

    [sinks.teams]
    teams.url = "https://flow/workflows/1?sig=s"

    [sinks.siem]
    splunk_hec.url = "https://splunk:8088"
    splunk_hec.token = "11111111-2222-3333-4444-555555555555"
    splunk_hec.ack = false
"#;

/// A vendor without a socket, and the bodies it took.
#[derive(Clone)]
struct Vendor {
    answers: fn(&Request<Vec<u8>>) -> Response<String>,
    taken: Arc<Mutex<Vec<String>>>,
}

impl Vendor {
    fn new(answers: fn(&Request<Vec<u8>>) -> Response<String>) -> Self {
        Self { answers, taken: Arc::default() }
    }

    /// The bodies of what was posted.
    fn posted(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

impl Wire<Http> for Vendor {
    fn call(&self, request: HttpRequest) -> Attempt<'_, Http> {
        Box::pin(async move {
            let mut asked = Request::builder().method(&request.method).uri(&request.url);
            *asked.headers_mut().unwrap() = request.headers.clone();
            let answer = (self.answers)(&asked.body(request.body.to_vec()).unwrap());
            assert!(answer.headers().get(teams::LOST).is_none(), "{answer:?}");
            if answer.status().is_success() {
                let body = String::from_utf8(request.body.to_vec()).unwrap();
                self.taken.lock().unwrap().push(body);
            }
            Ok(HttpReply {
                status: answer.status().as_u16(),
                headers: HeaderMap::new(),
                retry_after: None,
                body: answer.into_body().into(),
            })
        })
    }
}

/// Vendors by the names of their sinks, and a SIEM by script.
struct Around {
    vendors: HashMap<String, Vendor>,
    siem: ScriptedWires,
}

impl Wires for Around {
    fn http(&self, sink: &str, to: &HttpConnection) -> Result<Box<dyn Wire<Http>>, WireError> {
        match self.vendors.get(sink) {
            Some(vendor) => Ok(Box::new(vendor.clone())),
            None => self.siem.http(sink, to),
        }
    }

    fn append(
        &self,
        sink: &str,
        to: &AppendConnection,
    ) -> Result<Box<dyn Wire<Append>>, WireError> {
        self.siem.append(sink, to)
    }
}

fn alert() -> feeder::Alert {
    feeder::Alert {
        UpdatedTime: "2026-05-26T04:46:57.355927Z".into(),
        NamespaceName: "shop".into(),
        PodName: "web".into(),
        ProcessName: "/usr/bin/apt".into(),
        PolicyName: "no-package-managers".into(),
        Severity: "5".into(),
        Type: "MatchedPolicy".into(),
        Operation: "Process".into(),
        Resource: "/usr/bin/apt install nmap".into(),
        Action: "Block".into(),
        Result: "Permission denied".into(),
        ..feeder::Alert::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_like_alerts_are_at_most_three_messages_whose_counts_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = House::new(31);
    let (slack, teams) = (Vendor::new(slack::answer), Vendor::new(teams::answer));
    let script = Script::willing();
    let wires = Around {
        vendors: [("slack", &slack), ("teams", &teams)]
            .map(|(name, vendor)| (name.to_owned(), vendor.clone()))
            .into(),
        siem: ScriptedWires::default().with("siem", &script),
    };
    let engine = house.engine(folder.path(), SINKS, wires).await;
    house.subscribed(Stream::Alert).await;
    for _ in 0..20 {
        house.publish_alike(&alert(), 50).await;
        sleep(Duration::from_secs(3)).await;
    }
    sleep(Duration::from_secs(25 * 60)).await;
    for (name, vendor) in [("slack", &slack), ("teams", &teams)] {
        let posted = vendor.posted();
        assert!((1..=3).contains(&posted.len()), "{name}: {}", posted.len());
        assert!(posted[0].contains("Blocked: process /usr/bin/apt install nmap"), "{}", posted[0]);
        let more = |body: &String| {
            let number = body.split(" more in ").next().filter(|before| before.len() < body.len());
            number.map_or(1, |before| {
                let digits: Vec<_> = before.bytes().rev().take_while(u8::is_ascii_digit).collect();
                let digits = digits.into_iter().rev().map(char::from).collect::<String>();
                digits.parse::<u64>().unwrap()
            })
        };
        assert_eq!(posted.iter().map(more).sum::<u64>(), 1_000, "{name}: {posted:?}");
        let counts = books(&engine.status().read(), name).ledger.counts;
        assert_eq!(counts.accepted + counts.digested, 1_000, "{name}");
    }
    assert_eq!(script.taken().len(), 1_000);
}
