//! Topics, keys, framing, and what is wrong with a table.

use super::*;
use crate::contract::testing::{record, sink, table};

const EVENT: &str = r#"{"Timestamp":1789899072,"UpdatedTime":"2026-09-20T10:11:12.000678Z","ClusterName":"default","HostName":"node-1","NamespaceName":"shop/../Main","PodName":"cart-0","Type":"MatchedPolicy","UID":0,"PPID":0}"#;

fn kafka(more: &str) -> Result<KafkaSink, SettingError> {
    sink(&format!("brokers = [\"b:9093\"]\n{more}"))
}

/// Topic, content and key of the event above.
fn places(more: &str) -> (String, String, String) {
    let record = record(&kafka(more).expect("a table"), EVENT);
    let mut words = record.splitn(4, ' ');
    let mut word = || words.next().expect("a word").to_owned();
    let (topic, content, bytes, rest) = (word(), word(), word(), word());
    let key = rest[..bytes.parse::<usize>().expect("a length")].to_owned();
    (topic, content, key)
}

#[test]
fn topics_are_by_stream_or_by_a_literal_and_fields() {
    assert_eq!(places("").0, "kubearmor-alerts");
    assert_eq!(places("topic = \"t.1\"").0, "t.1");
    assert_eq!(places("topic = \"ka-{{ NamespaceName }}\"").0, "ka-shop_.._Main");
    let long = "a".repeat(240);
    let topic = places(&format!("topic = \"{long}{{{{ NamespaceName }}}}\"")).0;
    assert_eq!(topic, format!("{long}shop_.._M"));
    assert_eq!(default_topic(Stream::Log), "kubearmor-syslogs");
    assert_eq!(default_topic(Stream::Message), "kubearmor-messages");
}

#[test]
fn keys_are_the_id_the_pod_or_fields() {
    assert_eq!(places("").2.len(), 32);
    assert_eq!(places("key = \"pod\"").2, "shop/../Main/cart-0");
    assert_eq!(places("key = \"none\"").2, "");
    assert_eq!(places("key = \"{{ HostName }}:{{ PodName }}\"").2, "node-1:cart-0");
}

#[test]
fn the_content_is_what_the_body_is() {
    let content = |format, bytes: &str| Content::of(Body::new(format, bytes.as_bytes()).is_json());
    assert_eq!(places("").1, "json");
    assert_eq!(content(Format::Text, "{}"), Content::Text);
    assert_eq!(content(Format::Template, "{\"a\":1}"), Content::Json);
    assert_eq!(content(Format::Template, "{a"), Content::Text);
}

#[test]
fn mistakes_are_told_with_their_key() {
    let plain = "sasl.mechanism = \"plain\"\nsasl.username = \"u\"\nsasl.password = \"hunter2\"";
    for (more, path) in [
        ("topic = \"{{ NamespaceName }}\"", "topic"),
        ("topic = \"a b\"", "topic"),
        ("topic = \"..\"", "topic"),
        ("topic = \".{{ PodName }}\"", "topic"),
        ("key = \"Pod\"", "key"),
        ("key = \"{{ PodNam }}\"", "key"),
        ("compression = \"brotli\"", "compression"),
        ("acks = \"none\"", "acks"),
        ("security = \"ssl\"", "security"),
        ("timeout = \"0s\"", "timeout"),
        ("linger = \"3m\"", "linger"),
        ("max_message_bytes = 10", "max_message_bytes"),
        ("sasl.mechanism = \"gssapi\"", "sasl.mechanism"),
        ("sasl.mechanism = \"plain\"", "sasl.username"),
        ("sasl.mechanism = \"plain\"\nsasl.username = \"u\"", "sasl.password"),
        (&format!("{plain}\nsasl.scope = \"s\""), "sasl.scope"),
        ("sasl.mechanism = \"oauthbearer\"", "sasl.token_url"),
        ("sasl.mechanism = \"oauthbearer\"\nsasl.password = \"hunter2\"", "sasl.password"),
        (&format!("security = \"plaintext\"\n{plain}"), "security"),
        ("security = \"plaintext\"\ntls.ca = \"ca.pem\"", "tls"),
        ("tls.cert = \"c.pem\"", "tls"),
        ("tls.server_name = \"b\"", "tls.server_name"),
        ("properties.\"acks\" = 0", "properties.acks"),
        ("properties.\"debug\" = \"all\"", "properties.debug"),
        ("properties.\"sasl.password\" = \"hunter2\"", "properties.sasl.password"),
        ("client_id = \"\"", "client_id"),
    ] {
        let lines = format!("brokers = \"b:9093\"\n{more}");
        let error = build(table(&lines)).err().expect(more);
        assert_eq!(error.path, path, "{more}: {}", error.message);
        assert!(!error.message.contains("hunter2"), "{}", error.message);
    }
    for brokers in ["[]", "\"b\"", "[\"b:0\"]", "[\"kafka://b:9092\"]", "[\"b:9092\", \"\"]"] {
        let error = sink::<KafkaSink>(&format!("brokers = {brokers}")).expect_err(brokers);
        assert_eq!(error.path, "brokers");
    }
    let meant = kafka("properties.\"socket.keepalive.enabled\" = true")
        .map(|sink| settings::check(&sink).expect_err("a slip").message);
    assert!(meant.expect("a table").contains("did you mean \"socket.keepalive.enable\""));
}

#[test]
fn a_connection_is_what_the_table_says() {
    let connection = kafka("").expect("a table").connection();
    assert!(connection.tls.is_some() && connection.sasl.is_none());
    let local = "brokers = \"127.0.0.1:9092, [::1]:9092\"\nsecurity = \"plaintext\"\n\
                 sasl = { mechanism = \"plain\", username = \"u\", password = \"hunter2\" }\n\
                 properties = { \"socket.keepalive.enable\" = true, \"batch.size\" = 5 }";
    let Ok(Destination::Kafka(sink)) = build(table(local)) else { panic!("a table") };
    let connection = sink.connection();
    assert_eq!(connection.brokers, ["127.0.0.1:9092", "[::1]:9092"]);
    assert!(connection.tls.is_none() && connection.sasl.is_some());
    assert_eq!(connection.properties["socket.keepalive.enable"], "true");
    assert_eq!(connection.properties["batch.size"], "5");
    assert!(!format!("{connection:?}").contains("hunter2"));
}
