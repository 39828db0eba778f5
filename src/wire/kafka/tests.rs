//! The wire against the client library's own mock cluster, and against nobody.

use rdkafka::{
    mocking::MockCluster,
    producer::DefaultProducerContext,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};
use sidearm_sinks::contract::{BatchBuilder, Content, EventId, KafkaRecord, Stream};

use super::*;

fn connection(brokers: &str) -> KafkaConnection {
    KafkaConnection {
        brokers: brokers.split(',').map(str::to_owned).collect(),
        timeout: Duration::from_secs(20),
        linger: Duration::ZERO,
        ..KafkaConnection::default()
    }
}

fn request(sizes: &[usize]) -> KafkaRequest {
    let mut batch = BatchBuilder::new(Stream::Alert);
    for (number, size) in (1..).zip(sizes) {
        batch.push(EventId(number.into()), number, 0, |out| {
            KafkaRecord::write("t", Content::Json, b"k", &vec![b'x'; *size], out);
        });
    }
    KafkaRequest::new(&batch.finish().expect("at least one record"))
}

/// Tries again, as `deliver.rs` would, until it is delivered.
async fn delivered(wire: &KafkaWire) {
    for _ in 0..100 {
        let reply = wire.call(request(&[10])).await.expect("an outcome");
        if reply.outcomes == [Produced::Delivered] {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("never delivered");
}

/// One broker with a topic of one partition.
fn cluster() -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).expect("a mock cluster");
    cluster.create_topic("t", 1, 1).expect("a topic");
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_has_its_own_outcome() {
    let cluster = cluster();
    let wire = KafkaWire::new("k", &connection(&cluster.bootstrap_servers())).expect("a wire");
    let reply = wire.call(request(&[10, 1_000_001, 10])).await.expect("outcomes");
    let [first, Produced::Refused(why), third] = &reply.outcomes[..] else {
        panic!("{reply:?}");
    };
    assert_eq!((first, third), (&Produced::Delivered, &Produced::Delivered));
    assert!(why.contains("max_message_bytes"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_set_makes_the_wire_careful() {
    let cluster = cluster();
    let wire = KafkaWire::new("k", &connection(&cluster.bootstrap_servers())).expect("a wire");
    let refuse = || {
        let too_large = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
        cluster.request_errors(RDKafkaApiKey::Produce, &[too_large]);
    };
    refuse();
    let reply = wire.call(request(&[10])).await.expect("an outcome");
    assert!(matches!(&reply.outcomes[..], [Produced::SetRefused(_)]), "{reply:?}");
    // From now on who is single travels alone, and is judged for itself.
    refuse();
    let reply = wire.call(request(&[10])).await.expect("an outcome");
    assert!(matches!(&reply.outcomes[..], [Produced::Refused(_)]), "{reply:?}");
    let reply = wire.call(request(&[10])).await.expect("an outcome");
    assert_eq!(reply.outcomes, [Produced::Delivered]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_and_topics_that_are_missing_are_told_apart_from_trouble() {
    let cluster = cluster();
    let mut connection = connection(&cluster.bootstrap_servers());
    let often = ("topic.metadata.refresh.interval.ms".to_owned(), "200".to_owned());
    connection.properties = [often].into();
    let wire = KafkaWire::new("k", &connection).expect("a wire");
    let denied = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    cluster.request_errors(RDKafkaApiKey::Produce, &[denied]);
    let reply = wire.call(request(&[10, 10])).await.expect("outcomes");
    assert!(matches!(&reply.outcomes[..], [Produced::TopicRefused(_), Produced::TopicRefused(_)]));
    // What the brokers get over, the client library repeats by itself.
    let busy = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS;
    cluster.request_errors(RDKafkaApiKey::Produce, &[busy, busy]);
    delivered(&wire).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_listens_nothing_was_sent_and_the_next_attempt_begins_anew() {
    let cluster = cluster();
    let nobody = KafkaWire::new("k", &connection("127.0.0.1:1")).expect("a wire");
    for _ in 0..2 {
        let error = nobody.call(request(&[10])).await.expect_err("nobody listens");
        let WireError::NotSent(why) = &error else { panic!("{error}") };
        assert!(why.contains("refused"), "{why}");
    }
    drop(cluster);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_outlasts_the_time_out_is_unsettled() {
    let cluster = cluster();
    let brief = KafkaConnection {
        timeout: Duration::from_millis(1_500),
        ..connection(&cluster.bootstrap_servers())
    };
    let wire = KafkaWire::new("k", &brief).expect("a wire");
    wire.call(request(&[10])).await.expect("delivered");
    cluster.broker_down(1).expect("it goes down");
    let reply = wire.call(request(&[10])).await.expect("an outcome");
    let [Produced::Unsettled(why)] = &reply.outcomes[..] else { panic!("{reply:?}") };
    assert!(why.starts_with("no broker has confirmed it within 1.5s"), "{why}");
    cluster.broker_up(1).expect("it comes up");
    delivered(&wire).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_is_told_at_once() {
    let tls =
        sidearm_sinks::contract::Tls { ca: Some("/no/such/ca.crt".into()), ..Default::default() };
    let connection = KafkaConnection { tls: Some(tls), ..connection("127.0.0.1:1") };
    let error = KafkaWire::new("k", &connection).expect_err("no file");
    assert!(
        matches!(&error, WireError::Unusable(why) if why.contains("/no/such/ca.crt")),
        "{error}"
    );
}
