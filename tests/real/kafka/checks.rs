//! Proofs of identity, refusals, and what the records look like.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

use super::{Kafka, PASSWORD, USER};
use crate::{
    program::Program,
    rig::{Count, Counterpart, Further, Trouble},
};

/// Every check, in order.
pub(super) const ALL: &[Further] = &[
    ("SASL PLAIN", |kafka| password(kafka, "plain", false)),
    ("SASL SCRAM-SHA-256", |kafka| password(kafka, "scram-sha-256", false)),
    ("SASL SCRAM-SHA-512 over TLS", |kafka| password(kafka, "scram-sha-512", true)),
    ("SASL OAUTHBEARER", bearer),
    ("client certificate", client_certificate),
    ("refused record", refused_record),
    ("unknown topic", unknown_topic),
    ("wrong password", wrong_password),
    ("no client certificate", no_client_certificate),
    ("records", records),
];

/// Alerts of a small delivery.
const FEW: usize = 500;

fn of(counterpart: &mut dyn Counterpart) -> Result<&mut Kafka, Trouble> {
    Ok(counterpart.as_any().downcast_mut::<Kafka>().ok_or("expected Kafka")?)
}

/// Delivers a few alerts with these settings and counts them.
fn delivers(kafka: &mut Kafka, topic: &str, port: u16, more: &str) -> Result<String, Trouble> {
    kafka.create_topic(topic, &[])?;
    let mut program = Program::start(&lines(topic, port, more))?;
    let feed = program.publish(FEW)?;
    program.settled(&feed)?;
    program.stop()?;
    Count::of(&feed.ids, &kafka.ids(topic)?).exact(&program, "")
}

fn lines(topic: &str, port: u16, more: &str) -> String {
    format!("kafka.brokers = \"127.0.0.1:{port}\"\nkafka.topic = \"{topic}\"\n{more}")
}

fn password(
    counterpart: &mut dyn Counterpart,
    mechanism: &str,
    tls: bool,
) -> Result<String, Trouble> {
    let kafka = of(counterpart)?;
    let (port, trust) = match tls {
        true => (kafka.sasl_tls, ca(kafka)),
        false => (kafka.sasl, "kafka.security = \"plaintext\"".to_owned()),
    };
    let sasl = format!(
        "{trust}\nkafka.sasl = {{ mechanism = \"{mechanism}\", username = \"{USER}\", password = \
         \"{PASSWORD}\" }}"
    );
    delivers(kafka, mechanism, port, &sasl)
}

fn ca(kafka: &Kafka) -> String {
    format!("kafka.tls.ca = \"{}\"", kafka.folder().join("ca.crt").display())
}

/// The broker takes tokens without a signature, which is its default where no key is configured;
/// a server of ours gives one to the right client.
fn bearer(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let kafka = of(counterpart)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { return };
            // A client that goes away in between is its own trouble.
            let _ = give_token(&mut connection);
        }
    });
    let sasl = format!(
        "kafka.security = \"plaintext\"\nkafka.sasl = {{ mechanism = \"oauthbearer\", token_url = \
         \"http://{address}/token\", client_id = \"{USER}\", client_secret = \"{PASSWORD}\", scope = \
         \"kafka/write\" }}"
    );
    delivers(kafka, "bearer", kafka.sasl, &sasl)
}

fn give_token(connection: &mut TcpStream) -> Result<(), Trouble> {
    let mut request = vec![0; 4096];
    let mut read = 0;
    while !request[..read].ends_with(b"scope=kafka%2Fwrite") {
        match connection.read(&mut request[read..])? {
            0 => return Err("a request that ends early".into()),
            more => read += more,
        }
    }
    let login = format!("Basic {}\r\n", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let text = String::from_utf8_lossy(&request[..read]);
    if !text.contains(&login) || !text.starts_with("POST /token ") {
        return Ok(write!(connection, "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n")?);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let claims = format!("{{\"sub\":\"{USER}\",\"iat\":{now},\"exp\":{}}}", now + 300);
    let token = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode("{\"alg\":\"none\"}"),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let body = format!("{{\"access_token\":\"{token}\",\"expires_in\":300}}");
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json";
    Ok(write!(connection, "{head}\r\ncontent-length: {length}\r\n\r\n{body}")?)
}

fn client_certificate(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let kafka = of(counterpart)?;
    let file = |name: &str| kafka.folder().join(name).display().to_string();
    let identity = format!(
        "{}\nkafka.tls.cert = \"{}\"\nkafka.tls.key = \"{}\"",
        ca(kafka),
        file("client.crt"),
        file("client.key")
    );
    delivers(kafka, "certificate", kafka.tls, &identity)
}

/// A record that the topic has no room for becomes a dead letter; its neighbours arrive, once.
fn refused_record(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let kafka = of(counterpart)?;
    // Room for any set of the others, compressed, and not for this one.
    kafka.create_topic("refused", &["max.message.bytes=300000"])?;
    let more = "kafka.security = \"plaintext\"\nkafka.compression = \"none\"";
    let mut program = Program::start(&lines("refused", kafka.plain, more))?;
    let mut feed = program.publish(FEW / 2)?;
    let alert = sidearm_proto::feeder::Alert {
        Type: "MatchedPolicy".to_owned(),
        Source: "x".repeat(600_000),
        ..Default::default()
    };
    let large = program.publish_message(buffa::Message::encode_to_vec(&alert).into())?;
    feed.extend(program.publish(FEW / 2)?);
    let mut all = feed.clone();
    all.extend(large.clone());
    program.settled(&all)?;
    program.stop()?;
    let count = Count::of(&feed.ids, &kafka.ids("refused")?);
    let letters = program.dead_letters();
    let is_it = letters.lines().count() == 1 && letters.contains(&large.ids[0]);
    match is_it {
        true => count.exact(&program, ", the refused one is a dead letter"),
        false => {
            Err(program.wrong(&format!("{count}; dead letters: {} lines", letters.lines().count())))
        }
    }
}

/// The lane is parked, loses nothing, and goes on once the topic is there.
fn unknown_topic(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let kafka = of(counterpart)?;
    let more = "kafka.security = \"plaintext\"\n\
                kafka.properties.\"topic.metadata.propagation.max.ms\" = 1000";
    let mut program = Program::start(&lines("unknown", kafka.plain, more))?;
    let feed = program.publish(FEW)?;
    program.until_sink("the lane is parked", |sink| sink["state"] == "parked")?;
    let why = program.sink()?["last_error"].as_str().unwrap_or_default().to_owned();
    kafka.create_topic("unknown", &[])?;
    program.settled(&feed)?;
    program.stop()?;
    let count = Count::of(&feed.ids, &kafka.ids("unknown")?);
    match count.missing + count.duplicates {
        0 => Ok(format!("parked ({why}), then {count}")),
        _ => Err(program.wrong(&count.to_string())),
    }
}

fn wrong_password(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let kafka = of(counterpart)?;
    let sasl = "kafka.security = \"plaintext\"\nkafka.sasl = { mechanism = \"scram-sha-256\", \
                username = \"sidearm\", password = \"hunter2\" }";
    parks(&lines("unused", kafka.sasl, sasl))
}

fn no_client_certificate(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let kafka = of(counterpart)?;
    parks(&lines("unused", kafka.tls, &ca(kafka)))
}

/// The lane is parked soon, aloud, and without a word of the secret.
fn parks(sink: &str) -> Result<String, Trouble> {
    let mut program = Program::start(sink)?;
    program.publish(FEW)?;
    Ok(format!("parked ({})", program.parked("hunter2")?))
}

/// Topic by stream, key, headers and payload are as they are documented; the client's figures are
/// in the metrics.
fn records(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let kafka = of(counterpart)?;
    kafka.create_topic("kubearmor-alerts", &[])?;
    let sink = format!(
        "kafka.brokers = \"127.0.0.1:{}\"\nkafka.security = \"plaintext\"\nkafka.compression = \
         \"zstd\"",
        kafka.plain
    );
    let mut program = Program::start(&sink)?;
    let feed = program.publish(1)?;
    program.settled(&feed)?;
    let start = std::time::Instant::now();
    while !program.get("/metrics")?.contains("sidearm_kafka_brokers_up{sink=\"real\"} 1") {
        if start.elapsed() > Duration::from_secs(20) {
            return Err(program.wrong("no figures of the client in the metrics"));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    program.stop()?;
    let records = kafka.records("kubearmor-alerts", "%k|%h|%s\n")?;
    let id = &feed.ids[0];
    let start = format!("{id}|event_id={id},stream=alert,content-type=application/json|{{\"Tim");
    match &records[..] {
        [record] if record.starts_with(&start) => Ok("key, headers, payload, metrics".to_owned()),
        _ => Err(program.wrong(&format!("{records:?}"))),
    }
}
