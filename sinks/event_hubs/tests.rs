use super::*;
use crate::contract::{
    Amqp, AnySink as _, BatchBuilder, EventId, Http, HttpRequest, Proof, Sink, Stream, Verdict,
    testing::{batch, record, reply, table},
};

const KEY: &str = "connection_string = \"Endpoint=sb://ns.servicebus.windows.net/;\
                   SharedAccessKeyName=send;SharedAccessKey=hunter2\"\n";
const EVENT: &str = r#"{"Timestamp":1,"HostName":"n\n{{\"1","PodName":"a\nb\" ü","Type":"MatchedPolicy","UID":0,"PPID":0}"#;

fn https(lines: &str) -> ByHttps {
    let lines = format!("{KEY}protocol = \"https\"\n{lines}");
    let sink: EventHubs = read(table(&lines)).expect("a table");
    let place = place(&sink).expect("a place");
    by_https(sink, &place).expect("a table")
}

fn request(sink: &ByHttps, line: &str) -> HttpRequest {
    let mut batch = BatchBuilder::new(Stream::Alert);
    let text = record(sink, line);
    batch.push(EventId(7), 1, 0, |out| out.extend_from_slice(text.as_bytes()));
    sink.request(&batch.finish().expect("one record"))
}

fn refused(lines: &str) -> SettingError {
    build(table(lines)).map(drop).expect_err(lines)
}

#[test]
fn a_batch_is_an_array_of_messages_with_their_ids() {
    let sink = https("hub = \"h\"");
    let request = request(&sink, EVENT);
    assert_eq!(
        request.url,
        "https://ns.servicebus.windows.net/h/messages?timeout=60&api-version=2014-01"
    );
    assert_eq!(request.headers["content-type"], "application/vnd.microsoft.servicebus.json");
    let messages: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
    let body = messages[0]["Body"].as_str().expect("text");
    let event: serde_json::Value = serde_json::from_str(body).expect("JSON in JSON");
    assert_eq!(event["HostName"], "n\n{{\"1");
    let id = messages[0]["UserProperties"]["event_id"].as_str().expect("an id");
    assert_eq!(id.len(), 32);
    assert_eq!(sink.request(&batch(3, 2)).body, "[      ]");
}

#[test]
fn a_partition_key_makes_each_event_a_request() {
    let sink = https("hub = \"h\"\npartition_key = \"ka-{{ PodName }}\"");
    let request = request(&sink, EVENT);
    assert_eq!(request.headers["brokerproperties"], "{\"PartitionKey\":\"ka-a_b___\"}");
    assert_eq!(request.headers["event_id"], EventId(7).to_string().as_str());
    assert!(request.body.starts_with(b"{\"Timestamp\":1,"), "{:?}", request.body);
    assert_eq!(sink.limits(facts().limits).events, 1);
    assert_eq!(https("hub = \"h\"").limits(facts().limits).events, 1_000);
}

#[test]
fn a_key_is_harmless_and_short() {
    let long = EVENT.replace("a\\nb", &"x".repeat(500));
    let sink = https("hub = \"h\"\npartition_key = \"\u{fc}\\\"\\\\\\n-{{ PodName }}\"");
    let header = request(&sink, &long).headers["brokerproperties"].clone();
    let text = header.to_str().expect("ASCII");
    let parsed: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let key = parsed["PartitionKey"].as_str().expect("text");
    assert!(key.starts_with("____-xxx") && key.len() == 128, "{key}");
}

#[test]
fn an_envelope_is_as_azure_writes_it() {
    let sink = https("hub = \"h\"\nenvelope = true\npartition_key = \"k\"");
    let body = request(&sink, EVENT).body;
    let message: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(message["records"][0]["Timestamp"], 1);
    assert_eq!(message["records"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_key_or_an_identity_is_the_proof() {
    match https("hub = \"h\"").proof {
        Proof::SharedAccess(SharedAccess::Key { resource, name, .. }) => {
            assert_eq!(resource, "https://ns.servicebus.windows.net/h");
            assert_eq!(name, "send");
        }
        other => panic!("{other:?}"),
    }
    let lines = "namespace = \"ns.servicebus.chinacloudapi.cn\"\nhub = \"h\"\nprotocol = \"https\"";
    let Ok(Destination::Http(sink)) = build(table(lines)) else { panic!("a table") };
    match sink.connection().proof {
        Some(Proof::Entra(entra)) => {
            assert_eq!((entra.scope.as_str(), entra.cloud), (SCOPE, Cloud::China));
        }
        other => panic!("{other:?}"),
    }
    assert!(!sink.debugged(&batch(1, 1)).contains("hunter2"));
}

#[test]
fn mistakes_are_told_with_their_key_and_without_the_secret() {
    for (lines, path) in [
        (KEY.to_owned(), "hub"),
        (format!("{KEY}hub = \"a/b\""), "hub"),
        (format!("{KEY}hub = \"h\"\nnamespace = \"n.net\""), "namespace"),
        (format!("{KEY}hub = \"h\"\nidentity.kind = \"managed\""), "identity"),
        ("hub = \"h\"".to_owned(), "connection_string"),
        ("connection_string = \"hunter2\"".to_owned(), "connection_string"),
        (KEY.replace("hunter2", "hunter2;EntityPath=x") + "hub = \"h\"", "hub"),
        (format!("{KEY}hub = \"h\"\nprotocol = \"mqtt\""), "protocol"),
        (format!("{KEY}hub = \"h\"\npartition_key = \"{{{{ PodName }}}}\""), "partition_key"),
        (format!("{KEY}hub = \"h\"\ntimeout = \"0s\""), "timeout"),
        (format!("{KEY}hub = \"h\"\nendpoint = \"amqp://g\"\ntls.insecure = true"), "tls"),
        (format!("{KEY}hub = \"h\"\nendpoint = \"https://g\""), "endpoint"),
        (format!("{KEY}hub = \"h\"\nendpoint = \"amqps://u:hunter2@g\""), "endpoint"),
        (format!("{KEY}hub = \"h\"\nprotocol = \"https\"\nwebsocket = true"), "websocket"),
    ] {
        let error = refused(&lines);
        assert_eq!(error.path, path, "{lines}: {}", error.message);
        assert!(!error.message.contains("hunter2"), "{}", error.message);
    }
}

#[test]
fn answers_mean_what_their_status_says() {
    for (status, expected) in [
        (201, "accepted"),
        (400, "never"),
        (401, "blocked"),
        (403, "blocked"),
        (404, "blocked"),
        (410, "blocked"),
        (413, "smaller"),
        (429, "later"),
        (500, "later"),
        (503, "later"),
    ] {
        let verdict: Verdict<Http> = https("hub = \"h\"").verdict(&batch(2, 1), &reply(status, ""));
        assert_eq!(verdict.name(), expected, "{status}");
    }
}

fn amqp(lines: &str) -> Box<dyn Sink<Amqp>> {
    match build(table(lines)) {
        Ok(Destination::Amqp(sink)) => sink,
        Ok(_) => panic!("another protocol"),
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn by_amqp_each_event_is_a_message_with_its_id_and_key() {
    let lines = format!("{KEY}hub = \"h\"\npartition_key = \"ka-{{{{ PodName }}}}\"");
    let sink: EventHubs = read(table(&lines)).expect("a table");
    let place = place(&sink).expect("a place");
    let sink = by_amqp(sink, &place).expect("a table");
    let text = record(&sink, EVENT);
    let mut batch = BatchBuilder::new(Stream::Alert);
    for id in [7, 8] {
        batch.push(EventId(id), 1, 0, |out| out.extend_from_slice(text.as_bytes()));
    }
    let request = sink.request(&batch.finish().expect("two records"));
    assert_eq!(request.messages.len(), 2);
    for (message, id) in request.messages.iter().zip([7, 8]) {
        assert_eq!(message.id, EventId(id).to_string());
        assert_eq!(message.partition_key, "ka-a_b___");
        assert!(message.body.starts_with(b"{\"Timestamp\":1,"), "{:?}", message.body);
    }
}

#[test]
fn by_amqp_a_namespace_s_port_an_endpoint_and_the_emulator_are_reached() {
    let hub = "hub = \"h\"\n";
    let endpoint = |lines: &str| amqp(lines).connection().endpoint;
    assert_eq!(endpoint(&format!("{KEY}{hub}")), None);
    assert_eq!(
        endpoint(&format!("{KEY}{hub}endpoint = \"amqps://gateway:5671/\"")).as_deref(),
        Some("amqps://gateway:5671")
    );
    let at = |host: &str| KEY.replace("ns.servicebus.windows.net", host);
    let emulator = at("localhost").replace("hunter2", "k;UseDevelopmentEmulator=true");
    assert_eq!(endpoint(&(emulator + hub)).as_deref(), Some("amqp://localhost:5672"));
    assert_eq!(endpoint(&(at("ns.net:9") + hub)).as_deref(), Some("amqps://ns.net:9"));
    let connection = amqp(&format!("{KEY}{hub}websocket = true")).connection();
    assert!(connection.websocket && connection.namespace == "ns.servicebus.windows.net");
    assert!(!format!("{connection:?}").contains("hunter2"));
}

#[test]
fn by_kafka_the_connection_string_is_the_password_and_the_hub_the_topic() {
    let lines =
        format!("{KEY}hub = \"h\"\nprotocol = \"kafka\"\npartition_key = \"k-{{{{ PodName }}}}\"");
    let sink: EventHubs = read(table(&lines)).expect("a table");
    let place = place(&sink).expect("a place");
    let sink = by_kafka(sink, &place).expect("a table");
    let connection = sink.connection();
    assert_eq!(connection.brokers, ["ns.servicebus.windows.net:9093"]);
    assert_eq!(connection.compression, Compression::Gzip);
    assert!(connection.tls.is_some() && connection.max_message_bytes == 1_000_000);
    match &connection.sasl {
        Some(Sasl::Password { mechanism: Mechanism::Plain, username, password }) => {
            assert_eq!(username, "$ConnectionString");
            assert!(password.reveal().starts_with("Endpoint=sb://ns.servicebus.windows.net/;"));
        }
        other => panic!("{other:?}"),
    }
    assert!(!format!("{connection:?}").contains("hunter2"));
    let text = record(&sink, EVENT);
    let mut batch = BatchBuilder::new(Stream::Alert);
    batch.push(EventId(7), 1, 0, |out| out.extend_from_slice(text.as_bytes()));
    let request = sink.request(&batch.finish().expect("one record"));
    let first = request.records().next().expect("one record");
    assert_eq!((first.topic, first.key), ("h", Some(b"k-a_b___".as_slice())));
    assert!(first.payload.starts_with(b"{\"Timestamp\":1,"));
    for (more, path) in
        [("endpoint = \"amqps://g\"", "endpoint"), ("websocket = true", "websocket")]
    {
        let error = refused(&format!("{KEY}hub = \"h\"\nprotocol = \"kafka\"\n{more}"));
        assert_eq!(error.path, path);
    }
    let by_identity =
        "namespace = \"n.net\"\nhub = \"h\"\nprotocol = \"kafka\"\nidentity.kind = \"managed\"";
    let Ok(Destination::Kafka(sink)) = build(table(by_identity)) else { panic!("a hub by Kafka") };
    let connection = sink.connection();
    assert_eq!(
        (connection.brokers, connection.tls.is_some()),
        (vec!["n.net:9093".to_owned()], true)
    );
    match connection.sasl {
        Some(Sasl::Entra(entra)) => assert_eq!(entra.scope, SCOPE),
        other => panic!("{other:?}"),
    }
}
