use std::{io::Write as _, net::SocketAddr, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::*;

const CHANNEL: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
const EVENT: &str = r#"{"time":1779770817.355927,"event":{"ExecEvent":{"ExecID":"7"}},"fields":{"event_id":"aa","tags":["a","b"]}}"#;

/// A stand-in under way, and somebody who calls it.
struct Trial {
    hec: Hec,
    url: String,
    client: reqwest::Client,
    stop: CancellationToken,
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn trial(settings: Settings) -> Trial {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let listener = listener.expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound listener has an address");
    let hec = Hec::new(settings);
    let stop = CancellationToken::new();
    let (server, stopped) = (hec.clone(), stop.clone());
    tokio::spawn(async move { server.serve(listener, stopped).await });
    let url = format!("http://{address}/services/collector");
    Trial { hec, url, client: client(), stop }
}

fn client() -> reqwest::Client {
    // The process may have no provider installed yet; the first test to come installs it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .build()
        .expect("a client without settings")
}

impl Trial {
    fn event(&self, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        let token = Settings::default().token;
        self.client
            .post(format!("{}/event", self.url))
            .header("authorization", format!("Splunk {token}"))
            .header("x-splunk-request-channel", CHANNEL)
            .body(body)
    }

    async fn sent(&self, body: impl Into<String>) -> (u16, Value) {
        answered(self.event(body.into())).await
    }

    async fn asked(&self, ids: &[u64]) -> (u16, Value) {
        let request = self
            .client
            .post(format!("{}/ack?channel={CHANNEL}", self.url))
            .header("authorization", format!("Splunk {}", Settings::default().token))
            .json(&json!({ "acks": ids }));
        answered(request).await
    }
}

async fn answered(request: reqwest::RequestBuilder) -> (u16, Value) {
    let reply = request.send().await.expect("an answer");
    let status = reply.status().as_u16();
    (status, serde_json::from_slice(&reply.bytes().await.expect("a body")).unwrap_or_default())
}

fn refused(code: u16, text: &str, event: usize) -> Value {
    json!({ "text": text, "code": code, "invalid-event-number": event })
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory takes bytes");
    encoder.finish().expect("memory takes bytes")
}

#[tokio::test]
async fn events_one_behind_the_other_are_taken_plain_and_compressed() {
    let trial = trial(Settings { remember_events_max: 3, ..Settings::default() }).await;
    let success = json!({ "text": "Success", "code": 0 });
    assert_eq!(trial.sent(format!("{EVENT}{EVENT}\n{EVENT}")).await, (200, success.clone()));
    assert_eq!(trial.sent(format!("[{EVENT},{EVENT}]")).await, (200, success.clone()));
    let zipped = gzip(&EVENT.repeat(5));
    let request = trial.event(zipped.clone()).header("content-encoding", "gzip");
    assert_eq!(answered(request).await, (200, success));

    let counts = trial.hec.counts();
    assert_eq!((counts.requests, counts.events, counts.refused), (3, 10, 0));
    let plain = EVENT.len() * 5 + 1 + 3;
    assert_eq!(counts.bytes, (plain + zipped.len()) as u64);
    let seen = Seen { id: "aa".to_owned(), number: Some(7) };
    assert_eq!(trial.hec.seen(), vec![seen; 3], "no more than it was told to remember");
}

#[tokio::test]
async fn who_has_no_token_or_a_wrong_one_is_refused() {
    let trial = trial(Settings::default()).await;
    let call = |header: Option<&str>| {
        let request = trial.client.post(&trial.url).body(EVENT);
        answered(match header {
            Some(header) => request.header("authorization", header),
            None => request,
        })
    };
    assert_eq!(call(None).await, (401, json!({ "text": "Token is required", "code": 2 })));
    assert_eq!(call(Some("Bearer x")).await.1["code"], 3);
    assert_eq!(call(Some("Splunk x")).await, (403, json!({ "text": "Invalid token", "code": 4 })));
    let in_query = trial.client.post(format!("{}?token=x", trial.url)).body(EVENT);
    assert_eq!(answered(in_query).await.1["code"], 16);
    let pair = BASE64_STANDARD.encode(format!("x:{}", Settings::default().token));
    assert_eq!(call(Some(&format!("Basic {pair}"))).await.0, 200);
    assert_eq!(trial.hec.counts().events, 1);
}

#[tokio::test]
async fn a_bad_object_is_named_and_those_before_it_are_taken() {
    let settings = Settings { indexes: vec!["main".to_owned()], ..Settings::default() };
    let trial = trial(settings).await;
    let fields = "Error in handling indexed fields";
    let cases = [
        (r#"{"event":"#, refused(6, "Invalid data format", 2)),
        (r#",{"event":"x"}"#, refused(6, "Invalid data format", 2)),
        (r#"{"event":"x","host":3}"#, refused(6, "Invalid data format", 2)),
        (r#""x""#, refused(6, "Invalid data format", 2)),
        (r#"{"event":"x","index":"other"}"#, refused(7, "Incorrect index", 3)),
        (r#"{"time":1}"#, refused(12, "Event field is required", 2)),
        (r#"{"event":" "}"#, refused(13, "Event field cannot be blank", 2)),
        (r#"{"event":"x","time":1.79E9}"#, refused(15, fields, 2)),
        (r#"{"event":"x","time":"soon"}"#, refused(15, fields, 2)),
        (r#"{"event":"x","fields":{"a":{"b":1}}}"#, refused(15, fields, 2)),
        (r#"{"event":"x","fields":{"a":[["b"]]}}"#, refused(15, fields, 2)),
    ];
    for (index, (bad, expected)) in cases.into_iter().enumerate() {
        let reply = trial.sent(format!("{EVENT}{EVENT}{bad}{EVENT}")).await;
        assert_eq!(reply, (400, expected), "{bad}");
        assert_eq!(trial.hec.counts().events, (index as u64 + 1) * 2, "{bad}");
    }
    let good = [r#"{"event":"x","index":"main"}"#, r#"{"event":0,"time":"1779770817.5"}"#];
    assert_eq!(trial.sent(good.concat()).await.0, 200);
}

#[tokio::test]
async fn an_unknown_key_ends_the_reading_without_a_word() {
    let trial = trial(Settings::default()).await;
    let body = format!(r#"{EVENT}{{"event":"x","sourceType":"y"}}{EVENT}"#);
    assert_eq!(trial.sent(body).await.1["code"], 0);
    assert_eq!(trial.hec.counts().events, 1);
}

#[tokio::test]
async fn empty_oversize_and_wrongly_compressed_bodies_are_refused() {
    let trial = trial(Settings::default()).await;
    assert_eq!(trial.sent(" \n").await, (400, json!({ "text": "No data", "code": 5 })));
    let large = EVENT.repeat(rules::BODY_BYTES_MAX / EVENT.len() + 1);
    let expected = (400, refused(6, "Invalid data format", 0));
    assert_eq!(trial.sent(large.clone()).await, expected);
    let zipped = trial.event(gzip(&large)).header("content-encoding", "gzip");
    assert_eq!(answered(zipped).await, expected);
    let deflated = trial.event(EVENT).header("content-encoding", "deflate");
    assert_eq!(answered(deflated).await.0, 415);
    let cut_short = trial.event(gzip(EVENT)[..20].to_vec()).header("content-encoding", "gzip");
    assert_eq!(answered(cut_short).await.0, 400);
    assert_eq!(trial.hec.counts().events, 0);
}

#[tokio::test]
async fn an_enterprise_refuses_what_is_longer_than_it_was_told_to_take() {
    let settings = Settings { max_content_bytes: Some(EVENT.len()), ..Settings::default() };
    let trial = trial(settings).await;
    assert_eq!(trial.sent(EVENT).await.0, 200);
    assert_eq!(trial.sent(format!("{EVENT} ")).await.0, 413);
    assert_eq!(trial.hec.counts().events, 1);
}

#[tokio::test]
async fn a_token_with_acknowledgement_wants_a_channel_and_answers_once() {
    let trial = trial(Settings { acknowledge: true, ..Settings::default() }).await;
    let bare = |channel: &str| {
        let request = trial.client.post(&trial.url).body(EVENT);
        let token = format!("Splunk {}", Settings::default().token);
        let request = request.header("authorization", token);
        answered(match channel {
            "" => request,
            channel => request.header("x-splunk-request-channel", channel),
        })
    };
    assert_eq!(bare("").await, (400, json!({ "text": "Data channel is missing", "code": 10 })));
    assert_eq!(bare("mine").await.1["code"], 11);

    assert_eq!(trial.sent(EVENT).await.1["ackId"], 0);
    assert_eq!(trial.sent(EVENT).await.1["ackId"], 1);
    // A refusal after a good event acknowledges that one.
    let partly = trial.sent(format!("{EVENT}{{}}")).await;
    assert_eq!((partly.0, &partly.1["ackId"]), (400, &json!(2)));
    assert_eq!(trial.sent("{}").await.1.get("ackId"), None);

    trial.hec.hold_acknowledgements(true);
    assert_eq!(trial.asked(&[0]).await.1, json!({ "acks": { "0": false } }));
    trial.hec.hold_acknowledgements(false);
    assert_eq!(trial.asked(&[0, 9]).await.1, json!({ "acks": { "0": true, "9": false } }));
    assert_eq!(trial.asked(&[0, 1]).await.1, json!({ "acks": { "0": false, "1": true } }));
    assert_eq!(trial.hec.counts().polls, 3);
}

#[tokio::test]
async fn a_token_without_acknowledgement_says_so() {
    let trial = trial(Settings::default()).await;
    assert_eq!(trial.sent(EVENT).await.1.get("ackId"), None);
    assert_eq!(trial.asked(&[0]).await, (400, json!({ "text": "ACK is disabled", "code": 14 })));
}

#[tokio::test]
async fn troubles_come_as_scripted_and_pass() {
    let trial = trial(Settings::default()).await;
    trial.hec.set_trouble(Some(Trouble::Broken));
    trial.hec.script([Some(Trouble::Busy(Some(7))), Some(Trouble::Forbidden), None]);
    let reply = trial.event(EVENT).send().await.expect("an answer");
    assert_eq!(reply.status().as_u16(), 503);
    assert_eq!(reply.headers()["retry-after"], "7");
    assert_eq!(trial.sent(EVENT).await.1["code"], 4);
    assert_eq!(trial.sent(EVENT).await.0, 200);
    assert_eq!(trial.sent(EVENT).await.1["code"], 8);
    for (trouble, status, code) in [
        (Trouble::ShuttingDown, 503, 23),
        (Trouble::Full, 429, 26),
        (Trouble::Disabled, 403, 1),
        (Trouble::NearlyFull, 200, 24),
    ] {
        trial.hec.script([Some(trouble)]);
        let (found, body) = trial.sent(EVENT).await;
        assert_eq!((found, &body["code"]), (status, &json!(code)), "{trouble:?}");
    }
    trial.hec.set_trouble(Some(Trouble::Slow(Duration::from_millis(1))));
    assert_eq!(trial.sent(EVENT).await.0, 200);
    let counts = trial.hec.counts();
    assert_eq!((counts.requests, counts.refused, counts.events), (9, 6, 3));
}

#[tokio::test]
async fn a_lost_reply_takes_the_events_and_answers_nothing() {
    let trial = trial(Settings::default()).await;
    trial.hec.script([Some(Trouble::LostReply)]);
    trial.event(EVENT).send().await.expect_err("the connection ends before the answer");
    assert_eq!(trial.hec.counts().events, 1);
    assert_eq!(trial.sent(EVENT).await.0, 200);
}

#[tokio::test]
async fn while_down_connections_are_closed_and_nothing_is_taken() {
    let trial = trial(Settings::default()).await;
    assert_eq!(trial.sent(EVENT).await.0, 200);
    trial.hec.set_trouble(Some(Trouble::Down));
    for _ in 0..3 {
        trial.event(EVENT).send().await.expect_err("nobody answers");
    }
    trial.hec.set_trouble(None);
    assert_eq!(trial.sent(EVENT).await.0, 200);
    assert_eq!(trial.hec.counts().events, 2);
}

#[tokio::test]
async fn health_follows_the_queues_and_the_token() {
    let trial = trial(Settings::default()).await;
    let health = |token: &'static str| {
        let request = trial.client.get(format!("{}/health/1.0", trial.url));
        answered(match token {
            "" => request,
            token => request.header("authorization", format!("Splunk {token}")),
        })
    };
    assert_eq!(health("").await, (200, json!({ "text": "HEC is healthy", "code": 17 })));
    assert_eq!(health("wrong").await.0, 400);
    trial.hec.set_trouble(Some(Trouble::Busy(None)));
    assert_eq!(health("").await.0, 503);
}

#[tokio::test]
async fn what_is_discarded_is_only_counted() {
    let trial = trial(Settings { discard: true, ..Settings::default() }).await;
    assert_eq!(trial.sent("anything").await.0, 200);
    let counts = trial.hec.counts();
    assert_eq!((counts.requests, counts.bytes, counts.events), (1, 8, 0));
}
