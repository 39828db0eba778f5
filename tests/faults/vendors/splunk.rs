//! The same towards the stand-in of Splunk's collector, whose rules are `demo/hec/rules.rs`'s.

use std::collections::BTreeSet;

use sidearm::demo::hec::{Hec, Settings, Trouble};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{STREAMS, ids, publish};
use crate::{patience::eventually, rig::Rig};
use sidearm_sinks::contract::samples;

struct Splunk {
    hec: Hec,
    url: String,
    _server: JoinSet<()>,
}

impl Splunk {
    async fn start(settings: Settings) -> Self {
        let hec = Hec::new(Settings { remember_events_max: 1_000, ..settings });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (mut server, serving) = (JoinSet::new(), hec.clone());
        server.spawn(async move {
            serving.serve(listener, CancellationToken::new()).await.expect("it serves");
        });
        Self { hec, url, _server: server }
    }

    async fn rig(&self, more: &str) -> Rig {
        let sinks = format!(
            "[sinks.siem]\nstreams = [\"alert\", \"log\", \"message\"]\n\
             splunk_hec.url = \"{}\"\nsplunk_hec.token = \"{}\"\n{more}",
            self.url,
            Settings::default().token
        );
        Rig::start(&sinks, &STREAMS).await
    }

    fn taken(&self) -> Vec<String> {
        self.hec.seen().into_iter().map(|seen| seen.id).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_is_indexed_once_and_trouble_is_waited_out() {
    for acknowledge in [false, true] {
        let splunk = Splunk::start(Settings { acknowledge, ..Settings::default() }).await;
        let troubles =
            [Trouble::ShuttingDown, Trouble::Full, Trouble::Busy(Some(1)), Trouble::NearlyFull];
        splunk.hec.script(troubles.map(Some));
        let rig = splunk.rig("").await;
        let count = publish(&rig);
        assert_eq!(rig.settled("siem", count).await, (count, 0));
        assert_eq!(splunk.taken().len() as u64, count, "each once");
        assert_eq!(splunk.taken().into_iter().collect::<BTreeSet<_>>(), ids());
        rig.engine.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_switched_off_parks() {
    let splunk = Splunk::start(Settings::default()).await;
    splunk.hec.set_trouble(Some(Trouble::Disabled));
    let rig = splunk.rig("").await;
    let count = publish(&rig);
    eventually("parked", async || {
        let sink = rig.sink("siem");
        sink.state.name() == "parked" && sink.ledger.pending == count
    })
    .await;
    assert!(splunk.taken().is_empty() && rig.dead_letters("siem").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_for_an_index_that_is_not_there_goes_alone() {
    let indexes = ["ka-shop", "ka-"].map(str::to_owned).into();
    let splunk = Splunk::start(Settings { indexes, ..Settings::default() }).await;
    let rig = splunk.rig("splunk_hec.index = \"ka-{{ NamespaceName }}\"").await;
    let count = publish(&rig);
    let of_stranger = |line: &str| line.contains("\"NamespaceName\":\"payments\"");
    let strangers = samples().iter().filter(|(_, line)| of_stranger(line)).count() as u64;
    assert!(strangers > 0, "a sample without an index");
    assert_eq!(rig.settled("siem", count).await, (count - strangers, strangers));
    assert_eq!(splunk.taken().len() as u64, count - strangers, "each neighbour once");
    rig.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_the_limit_is_halved_until_it_fits() {
    let settings = Settings { max_content_bytes: Some(8_000), ..Settings::default() };
    let splunk = Splunk::start(settings).await;
    let rig = splunk.rig("splunk_hec.compression = \"none\"\nbatch.wait = \"1s\"").await;
    let count = publish(&rig);
    assert_eq!(rig.settled("siem", count).await, (count, 0));
    assert_eq!(splunk.taken().into_iter().collect::<BTreeSet<_>>(), ids());
    assert!(splunk.hec.counts().refused > 0, "no body was too large");
    rig.engine.shutdown().await;
}
