//! Vendors that ask for time get it, and those that refuse us once are not given up: on a clock that
//! is paused, so that what is waited for is known to the second.

#[path = "../faults/doubles/alertmanager.rs"]
mod alertmanager;
#[path = "../faults/doubles/loki.rs"]
mod loki;
#[path = "../faults/doubles/sysdig.rs"]
mod sysdig;
#[path = "../faults/doubles/sysdig_events.rs"]
mod sysdig_events;

use std::{collections::BTreeMap, time::Duration};

use http::{Request, Response};
use sidearm::wire::{Wire, WireError, Wires};
use sidearm_sinks::contract::{Http, HttpConnection, Stream};

use crate::{
    desk::Desk,
    people::pagerduty::PagerDuty,
    world::{House, books, eventually},
};
use alertmanager::Alertmanager;
use loki::Loki;
use sysdig::Agent;
use sysdig_events::Monitor;

const CONFIG: &str = r#"
    [sinks.pager]
    pagerduty.routing_key = "R0UT1NGKEY0000000000000000000042"

    [sinks.alerts]
    alertmanager = { url = "http://alertmanager:9093", token = "t" }

    [sinks.loki]
    loki = { url = "http://loki:3100", token = "t", tenant = "security" }

    [sinks.agent]
    sysdig.url = "http://agent:7765"

    [sinks.monitor]
    sysdig_events = { url = "http://monitor", token = "t" }
"#;
const SINKS: [&str; 5] = ["pager", "alerts", "loki", "agent", "monitor"];
const KEY: &str = "R0UT1NGKEY0000000000000000000042";
const ANOTHER_KEY: &str = "R0UT1NGKEY0000000000000000000000";
/// Seconds that a vendor asks for.
const ASKED: u64 = 17;

type Answer = Box<dyn FnMut(&Request<Vec<u8>>) -> Response<String> + Send>;

/// The vendors by the names of their sinks, who know this key and this token.
fn vendors(key: &'static str, token: &'static str) -> [Answer; 5] {
    let mut pager = PagerDuty::new(key);
    let mut alerts = Alertmanager::new(token, jiff::Timestamp::now());
    let mut loki = Loki::new(token);
    let mut agent = Agent::default();
    let mut monitor = Monitor::new(token);
    [
        Box::new(move |request| pager.answer(request)),
        Box::new(move |request| alerts.answer(request)),
        Box::new(move |request| loki.answer(request)),
        Box::new(move |request| agent.answer(request)),
        Box::new(move |request| monitor.answer(request)),
    ]
}

/// The desks, the first request at each answered by another.
#[derive(Clone)]
struct Desks(BTreeMap<&'static str, Desk>);

impl Desks {
    fn new(first: [Answer; 5]) -> Self {
        let pairs = first.into_iter().zip(vendors(KEY, "t"));
        let desks = pairs.map(|(mut first, mut later)| {
            let mut is_first = true;
            Desk::new(move |request| match std::mem::replace(&mut is_first, false) {
                true => first(request),
                false => later(request),
            })
        });
        Self(SINKS.into_iter().zip(desks).collect())
    }
}

impl Wires for Desks {
    fn http(&self, sink: &str, _: &HttpConnection) -> Result<Box<dyn Wire<Http>>, WireError> {
        Ok(Box::new(self.0[sink].clone()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_asks_for_time_gets_it() {
    let busy = || -> Answer {
        Box::new(|_| {
            let busy = Response::builder().status(429).header("retry-after", ASKED);
            busy.body("too many requests".to_owned()).unwrap()
        })
    };
    let desks = Desks::new([busy(), busy(), busy(), busy(), busy()]);
    let folder = tempfile::tempdir().unwrap();
    let mut house = House::new(41);
    let engine = house.engine(folder.path(), CONFIG, desks.clone()).await;
    house.subscribed(Stream::Alert).await;
    house.publish(Stream::Alert, 1).await;
    for sink in SINKS {
        eventually(sink, || books(&engine.status().read(), sink).ledger.counts.accepted == 1).await;
        let times = desks.0[sink].times();
        let [first, second] = times[..] else { panic!("{sink}: {} requests", times.len()) };
        let waited = second - first;
        assert!(waited >= Duration::from_secs(ASKED), "{sink} waited {waited:?}");
        assert!(waited < Duration::from_secs(ASKED + 1), "{sink} waited {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_refuses_us_is_asked_again_and_nothing_is_lost() {
    let mut strangers = vendors(ANOTHER_KEY, "another");
    // The agent asks for no credentials: what may be wrong is its address.
    strangers[3] = Box::new(|_| Response::builder().status(404).body(String::new()).unwrap());
    let desks = Desks::new(strangers);
    let folder = tempfile::tempdir().unwrap();
    let mut house = House::new(42);
    let engine = house.engine(folder.path(), CONFIG, desks.clone()).await;
    house.subscribed(Stream::Alert).await;
    house.publish(Stream::Alert, 1).await;
    for sink in SINKS {
        let sink_is = |state| books(&engine.status().read(), sink).state.name() == state;
        assert!(sink_is("parked"), "{sink}");
    }
    for sink in SINKS {
        let ledger = || books(&engine.status().read(), sink).ledger;
        eventually(sink, || ledger().pending == 0).await;
        assert_eq!((ledger().counts.accepted, ledger().counts.dead), (1, 0), "{sink}");
        assert_eq!(desks.0[sink].times().len(), 2, "{sink}");
    }
}
