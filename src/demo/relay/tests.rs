//! The built-in relay has the real one's habits.

use std::{future::Future, time::Duration};

use buffa::Message as _;
use bytes::{Buf as _, Bytes};
use http_body_util::BodyExt as _;
use sidearm_proto::feeder::{NonceMessage, ReplyMessage, RequestMessage};
use sidearm_sinks::contract::Stream;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, Request, Status, Streaming, client::Grpc, transport::Channel};

use super::{BuiltInRelay, SubscriberReport};
use crate::{
    grpc::Raw,
    relay::protocol::{HEALTH_CHECK, path, watch_path},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A relay on loopback and a caller connected to it.
async fn relay() -> (BuiltInRelay, Grpc<Channel>, DropGuard) {
    let (relay, channel, stop) = relay_and_channel().await;
    (relay, Grpc::new(channel), stop)
}

async fn relay_and_channel() -> (BuiltInRelay, Channel, DropGuard) {
    let relay = BuiltInRelay::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let stop = CancellationToken::new();
    let (served, token) = (relay.clone(), stop.clone());
    tokio::spawn(async move { served.serve_tcp(listener, token).await });
    let channel = Channel::from_shared(format!("http://{address}")).expect("a URI");
    (relay, channel.connect().await.expect("it listens"), stop.drop_guard())
}

async fn watch(
    mut client: Grpc<Channel>,
    stream: Stream,
    filter: &str,
) -> Result<Streaming<Bytes>, Status> {
    client.ready().await.expect("connected");
    let request = RequestMessage { Filter: filter.to_owned() };
    let request = Request::new(request.encode_to_bytes());
    client.server_streaming(request, path(watch_path(stream)), Raw).await.map(|r| r.into_inner())
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it takes no such time")
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let polled = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, polled).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn headers_come_with_the_first_event() {
    let (relay, client, _stop) = relay().await;
    let mut opening = tokio::spawn(watch(client, Stream::Alert, "policy"));
    eventually("subscribed", || relay.subscribed(Stream::Alert) == 1).await;
    let quiet = tokio::time::timeout(Duration::from_millis(50), &mut opening).await;
    assert!(quiet.is_err(), "the call resolved without an event");
    relay.publish(Stream::Log, Bytes::from_static(b"for others"));
    relay.publish(Stream::Alert, Bytes::from_static(b"\xff not protobuf"));
    let mut events = soon(opening).await.expect("no panic").expect("opened");
    let event = soon(events.message()).await.expect("an event").expect("an event");
    assert_eq!(event, b"\xff not protobuf"[..]);
}

#[tokio::test]
async fn a_filter_it_does_not_know_ends_the_stream_at_once() {
    let (relay, client, _stop) = relay().await;
    for (stream, filter) in [(Stream::Alert, ""), (Stream::Alert, "system"), (Stream::Log, "")] {
        let mut events = soon(watch(client.clone(), stream, filter)).await.expect("status OK");
        assert_eq!(soon(events.message()).await.expect("status OK"), None);
    }
    assert_eq!(relay.subscribers(), []);
}

#[tokio::test]
async fn a_full_queue_loses_the_newest_and_counts_them() {
    let (relay, client, _stop) = relay().await;
    let opening = tokio::spawn(watch(client, Stream::Alert, "all"));
    eventually("subscribed", || relay.subscribed(Stream::Alert) == 1).await;
    // The test's runtime has one thread: nobody takes from the queue in between.
    for number in 0..1_500_u32 {
        relay.publish(Stream::Alert, Bytes::copy_from_slice(&number.to_be_bytes()));
    }
    relay.end_streams(Status::unavailable("so long"));
    let mut events = soon(opening).await.expect("no panic").expect("opened");
    for number in 0..1_000_u32 {
        let mut event = soon(events.message()).await.expect("an event").expect("an event");
        assert_eq!(event.get_u32(), number);
    }
    assert_eq!(soon(events.message()).await.expect_err("the status").code(), Code::Unavailable);
    let report = SubscriberReport { stream: Stream::Alert, sent: 1_000, lost: 500 };
    assert_eq!(relay.subscribers(), [report]);
}

#[tokio::test]
async fn every_message_has_its_own_data_frame() {
    let (relay, channel, _stop) = relay_and_channel().await;
    let framed = Bytes::from_static(b"\0\0\0\0\x05\x0a\x03all");
    let request = http::Request::post(watch_path(Stream::Log))
        .header("content-type", "application/grpc")
        .body(tonic::body::Body::new(http_body_util::Full::new(framed)))
        .expect("a request");
    let call = tokio::spawn(tower::ServiceExt::oneshot(channel, request));
    eventually("subscribed", || relay.subscribed(Stream::Log) == 1).await;
    for _ in 0..20 {
        relay.publish(Stream::Log, Bytes::from_static(b"twelve bytes"));
    }
    relay.end_streams(Status::ok(""));
    let mut body = soon(call).await.expect("no panic").expect("an answer").into_body();
    let mut lengths = Vec::new();
    while let Some(frame) = soon(body.frame()).await {
        if let Ok(data) = frame.expect("no error").into_data() {
            lengths.push(data.len());
        }
    }
    assert_eq!(lengths, [5 + 12; 20]);
}

#[tokio::test]
async fn a_health_check_is_an_echo_unless_held_back() {
    let (relay, mut client, _stop) = relay().await;
    let mut ask = async |nonce| {
        let request = Request::new(NonceMessage { nonce }.encode_to_bytes());
        client.ready().await.expect("connected");
        let reply = client.unary(request, path(HEALTH_CHECK), Raw).await.expect("answered");
        ReplyMessage::decode_from_slice(&reply.into_inner()).expect("a reply").Retval
    };
    assert_eq!(soon(ask(-42)).await, -42);
    relay.answer_health_checks(false);
    let held = tokio::time::timeout(Duration::from_millis(50), ask(7)).await;
    assert!(held.is_err(), "it was answered");
    relay.answer_health_checks(true);
    assert_eq!(soon(ask(8)).await, 8);
}

#[tokio::test]
async fn whoever_hangs_up_is_unsubscribed_and_cut_lines_end_in_an_error() {
    let (relay, client, _stop) = relay().await;
    let opening = tokio::spawn(watch(client.clone(), Stream::Message, "whatever"));
    eventually("subscribed", || relay.subscribed(Stream::Message) == 1).await;
    opening.abort();
    eventually("unsubscribed", || relay.subscribed(Stream::Message) == 0).await;

    let opening = tokio::spawn(watch(client, Stream::Message, ""));
    eventually("subscribed", || relay.subscribed(Stream::Message) == 1).await;
    relay.cut_lines();
    soon(opening).await.expect("no panic").expect_err("a cut line");
    assert_eq!(relay.openings(Stream::Message), 2);
}
