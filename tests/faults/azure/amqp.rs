//! The AMQP wire against a hub that accepts, refuses, hangs up or says nothing: only *accepted* is
//! accepted, and the next attempt finds its way by itself.

use std::{net::TcpListener, time::Duration};

use bytes::Bytes;
use sidearm::wire::{AmqpWire, Wire as _, WireError};
use sidearm_sinks::contract::{
    Amqp, AmqpConnection, AmqpMessage, AmqpReply, AmqpRequest, AmqpState, Credential,
    Protocol as _, Secret, SharedAccess, Verdict,
};

use crate::doubles::{
    azure::KEY,
    event_hubs::{Act, Hub},
};

const LIMIT: u64 = 1024 * 1024;
const SHORT: Duration = Duration::from_millis(700);
const LONG: Duration = Duration::from_secs(30);

fn connection(endpoint: String, timeout: Duration) -> AmqpConnection {
    AmqpConnection {
        namespace: "ns.servicebus.windows.net".to_owned(),
        hub: "kubearmor".to_owned(),
        endpoint: Some(endpoint),
        credential: signed_for("kubearmor"),
        timeout,
        ..AmqpConnection::default()
    }
}

fn signed_for(hub: &str) -> Credential {
    Credential::SharedAccess(SharedAccess::Key {
        resource: format!("amqps://ns.servicebus.windows.net/{hub}"),
        name: "send".to_owned(),
        key: Secret::new(KEY),
    })
}

fn wire(hub: &Hub, timeout: Duration) -> AmqpWire {
    AmqpWire::new(&connection(format!("amqp://{}", hub.address), timeout)).expect("an address")
}

fn request(keys: &[&str]) -> AmqpRequest {
    let messages = keys.iter().enumerate().map(|(number, key)| AmqpMessage {
        id: format!("{number:032x}"),
        partition_key: (*key).to_owned(),
        body: Bytes::from(format!("{{\"n\":{number}}}")),
    });
    AmqpRequest { messages: messages.collect() }
}

fn names(reply: &AmqpReply) -> Vec<&'static str> {
    match Amqp::verdict(reply) {
        Verdict::Each(each) => each.iter().map(Verdict::name).collect(),
        one => vec![one.name()],
    }
}

async fn once(act: Act, timeout: Duration) -> (Hub, Result<AmqpReply, WireError>) {
    let hub = Hub::start(LIMIT).await;
    hub.script(&[act]);
    let answer = wire(&hub, timeout).call(request(&["", ""])).await;
    (hub, answer)
}

#[tokio::test]
async fn messages_arrive_with_their_ids_and_keys_one_transfer_a_key() {
    let hub = Hub::start(LIMIT).await;
    let wire = wire(&hub, LONG);
    for _ in 0..2 {
        let reply = wire.call(request(&["", "ka-a", "", "ka-b", "ka-a"])).await.expect("an answer");
        assert_eq!(names(&reply), ["accepted"]);
    }
    assert_eq!((hub.transfers(), hub.connections()), (6, 1), "one link for all");
    let taken = hub.taken();
    assert_eq!(taken.len(), 10);
    for message in &taken {
        assert_eq!(message.id, message.event_id);
        let number = u64::from_str_radix(&message.id, 16).expect("a number");
        assert_eq!(message.body, format!("{{\"n\":{number}}}").into_bytes());
        let (key, company) = [("", 2), ("ka-a", 2), ("", 2), ("ka-b", 1), ("ka-a", 2)]
            [usize::try_from(number).expect("a few")];
        assert_eq!((message.key.as_str(), message.company), (key, company));
    }
}

#[tokio::test]
async fn a_signature_for_the_very_hub_is_put_first() {
    let hub = Hub::start(LIMIT).await;
    wire(&hub, LONG).call(request(&[""])).await.expect("an answer");
    let puts = hub.puts();
    assert_eq!(puts.len(), 1);
    assert_eq!(puts[0].kind, "servicebus.windows.net:sastoken");
    assert_eq!(puts[0].name, "amqps://ns.servicebus.windows.net/kubearmor");
    let token = &puts[0].token;
    assert!(token.starts_with("SharedAccessSignature sr=amqps%3A%2F%2Fns."), "{token}");
    assert!(token.contains("&skn=send") && !token.contains("hunter2"), "{token}");
}

#[tokio::test]
async fn what_is_released_or_modified_was_not_taken() {
    for act in [Act::Release, Act::Modify] {
        let (hub, answer) = once(act, LONG).await;
        assert_eq!(names(&answer.expect("an answer")), ["later", "later"], "{act:?}");
        assert_eq!(hub.taken(), []);
    }
}

#[tokio::test]
async fn the_link_goes_on_after_whatever_outcome() {
    for act in [Act::Release, Act::Modify, Act::Reject(None), Act::Reject(Some("x:y"))] {
        let hub = Hub::start(LIMIT).await;
        hub.script(&[act]);
        let wire = wire(&hub, Duration::from_secs(5));
        wire.call(request(&["", ""])).await.expect("an answer");
        for _ in 0..300 {
            let reply = wire.call(request(&[""])).await;
            assert_eq!(names(&reply.expect("an answer")), ["accepted"], "{act:?}");
        }
        assert_eq!(hub.connections(), 1, "{act:?}");
    }
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    for (act, expected) in [
        (Act::Reject(Some("com.microsoft:server-busy")), vec!["later", "later"]),
        (Act::Reject(Some("amqp:link:message-size-exceeded")), vec!["smaller"]),
        (Act::Reject(Some("amqp:invalid-field")), vec!["never"]),
        (Act::Reject(None), vec!["never"]),
    ] {
        let (_hub, answer) = once(act, LONG).await;
        let answer = answer.expect("an answer");
        assert_eq!(names(&answer), expected, "{act:?}: {answer:?}");
        // The service answers in words, and people read them.
        if let Act::Reject(Some(condition)) = act {
            assert!(answer.summary().contains(condition), "{}", answer.summary());
        }
    }
}

#[tokio::test]
async fn a_link_that_closes_under_a_transfer_is_made_anew() {
    let hub = Hub::start(LIMIT).await;
    hub.script(&[Act::Detach("amqp:link:detach-forced")]);
    let wire = wire(&hub, LONG);
    let answer = wire.call(request(&["", ""])).await.expect("an answer");
    assert_eq!(names(&answer), ["later", "later"]);
    assert!(answer.summary().contains("amqp:link:detach-forced"), "{}", answer.summary());
    let reply = wire.call(request(&["", ""])).await.expect("an answer");
    assert_eq!(names(&reply), ["accepted"]);
    assert_eq!((hub.taken().len(), hub.connections()), (2, 2));
}

#[tokio::test]
async fn one_bad_message_is_found_among_its_neighbours() {
    let hub = Hub::start(LIMIT).await;
    hub.poison("\"n\":2}");
    let wire = wire(&hub, LONG);
    let of = |range: std::ops::Range<usize>| {
        let all = request(&[""; 4]).messages;
        AmqpRequest { messages: all[range].to_vec() }
    };
    // As the engine halves what is refused together.
    for (range, expected) in
        [(0..4, "never"), (0..2, "accepted"), (2..4, "never"), (3..4, "accepted")]
    {
        assert_eq!(names(&wire.call(of(range)).await.expect("an answer")), [expected]);
    }
    assert_eq!(names(&wire.call(of(2..3)).await.expect("an answer")), ["never"]);
    assert_eq!(hub.taken().len(), 3);
}

#[tokio::test]
async fn a_lost_outcome_is_told_from_an_unsent_transfer() {
    for act in [Act::Drop, Act::Silent] {
        let (hub, answer) = once(act, SHORT).await;
        assert!(matches!(answer, Err(WireError::ReplyLost(_))), "{act:?}: {answer:?}");
        assert_eq!(hub.taken().len(), 2);
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let gone = format!("amqp://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let wire = AmqpWire::new(&connection(gone, LONG)).expect("an address");
    let answer = wire.call(request(&[""])).await;
    assert!(matches!(answer, Err(WireError::NotSent(_))), "{answer:?}");
}

#[tokio::test]
async fn a_server_that_never_greets_is_left_in_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    for scheme in ["amqp", "amqps"] {
        let endpoint = format!("{scheme}://localhost:{}", address.port());
        let wire = AmqpWire::new(&connection(endpoint, SHORT)).expect("an address");
        let answer = wire.call(request(&[""])).await;
        assert!(matches!(answer, Err(WireError::NotSent(_))), "{scheme}: {answer:?}");
    }
}

#[tokio::test]
async fn after_a_cut_the_next_attempt_connects_anew() {
    let hub = Hub::start(LIMIT).await;
    let wire = wire(&hub, SHORT);
    assert_eq!(names(&wire.call(request(&[""])).await.expect("an answer")), ["accepted"]);
    hub.cut();
    let mut failures = 0;
    loop {
        match wire.call(request(&[""])).await {
            Ok(reply) => break assert_eq!(names(&reply), ["accepted"]),
            Err(WireError::Unusable(why)) => panic!("{why}"),
            Err(_) => failures += 1,
        }
        assert!(failures < 3, "it comes back at once");
    }
    assert_eq!(hub.connections(), 2);
}

#[tokio::test]
async fn what_was_accepted_before_a_break_stands() {
    let hub = Hub::start(LIMIT).await;
    hub.script(&[Act::Accept, Act::Drop]);
    let reply = wire(&hub, SHORT).call(request(&["ka-a", "ka-b", "ka-c"])).await;
    let reply = reply.expect("an answer");
    assert_eq!(names(&reply), ["accepted", "later", "later"]);
    assert!(matches!(reply.outcomes[2].state, AmqpState::Unanswered(_)), "{reply:?}");
}

#[tokio::test]
async fn a_refused_token_or_hub_blocks_and_shows_no_key() {
    let hub = Hub::start(LIMIT).await;
    hub.answer_tokens(401);
    let reply = wire(&hub, LONG).call(request(&["", ""])).await.expect("an answer");
    assert_eq!(names(&reply), ["blocked", "blocked"]);
    assert!(!format!("{reply:?}").contains("hunter2"), "{reply:?}");

    hub.answer_tokens(202);
    let endpoint = format!("amqp://{}", hub.address);
    let mut elsewhere = AmqpConnection { hub: "gone".to_owned(), ..connection(endpoint, LONG) };
    let wire = AmqpWire::new(&elsewhere).expect("an address");
    let reply = wire.call(request(&[""])).await.expect("an answer");
    assert_eq!(names(&reply), ["blocked"], "another hub's signature: {reply:?}");
    assert!(reply.summary().contains("amqp:unauthorized-access"), "{}", reply.summary());

    elsewhere.credential = signed_for("gone");
    let wire = AmqpWire::new(&elsewhere).expect("an address");
    let reply = wire.call(request(&[""])).await.expect("an answer");
    assert_eq!(names(&reply), ["blocked"]);
    assert!(reply.summary().contains("amqp:not-found"), "{}", reply.summary());

    hub.answer_tokens(503);
    let reply = self::wire(&hub, LONG).call(request(&[""])).await.expect("an answer");
    assert_eq!(names(&reply), ["later"]);
}

#[tokio::test]
async fn transfers_stay_within_the_hub_s_limit() {
    let hub = Hub::start(4096).await;
    let messages = (0..40).map(|number| AmqpMessage {
        id: format!("{number:032x}"),
        partition_key: String::new(),
        body: Bytes::from("x".repeat(if number == 7 { 5000 } else { 300 })),
    });
    let reply = wire(&hub, LONG).call(AmqpRequest { messages: messages.collect() }).await;
    let reply = reply.expect("an answer");
    let expected: Vec<&str> =
        (0..40).map(|number| if number == 7 { "smaller" } else { "accepted" }).collect();
    assert_eq!(names(&reply), expected);
    assert_eq!(hub.taken().len(), 39);
}
