//! Splunk's stand-in: it reads what comes and discards it, or looks how long it was under way.

use std::{
    io::{Read as _, stdin},
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, body::Bytes, extract::DefaultBodyLimit, routing::post};
use sidearm::demo::hec::{Hec, Settings};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Failure, part::end_with_director, relay::now_us};

/// How long each event was under way, in microseconds.
type UnderWay = Arc<Mutex<Vec<i64>>>;

/// What every HEC object begins with: the event's time, in seconds and microseconds.
const TIME: &[u8] = b"{\"time\":";

/// `discard PORT` or `timed PORT`; zero takes any port. Says its address; one that is `timed`
/// answers a line with `EVENTS P50 P99`, in microseconds.
pub(crate) fn run(words: &[&str]) -> Result<(), Failure> {
    let [way, port] = words else { return Err("expected discard or timed, and PORT".into()) };
    let port: u16 = port.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, port)))?;
    println!("{}", listener.local_addr()?);
    if *way == "discard" {
        end_with_director();
        let hec = Hec::new(Settings { discard: true, ..Settings::default() });
        return Ok(runtime.block_on(hec.serve(listener, CancellationToken::new()))?);
    }
    let under_way = UnderWay::default();
    let taken = under_way.clone();
    std::thread::spawn(move || answer(&taken));
    let take = post(move |body: Bytes| {
        let read = note(&body, &under_way);
        async move { read.map(|()| "{\"text\":\"Success\",\"code\":0}").map_err(|e| e.to_string()) }
    });
    let routes =
        Router::new().route("/services/collector/event", take).layer(DefaultBodyLimit::disable());
    Ok(runtime.block_on(async { axum::serve(listener, routes).await })?)
}

fn note(body: &[u8], under_way: &UnderWay) -> Result<(), Failure> {
    let now_us = now_us();
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut text)?;
    let mut under_way = under_way.lock().unwrap_or_else(PoisonError::into_inner);
    for line in text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(TIME)) {
        let digits = line[TIME.len()..].iter().take_while(|byte| **byte != b',');
        let digits: Vec<u8> = digits.copied().filter(u8::is_ascii_digit).collect();
        under_way.push(now_us - std::str::from_utf8(&digits)?.parse::<i64>()?);
    }
    Ok(())
}

/// Answers until whoever directs this is gone.
fn answer(under_way: &UnderWay) {
    for _ in stdin().lines() {
        let mut all = under_way.lock().unwrap_or_else(PoisonError::into_inner);
        all.sort_unstable();
        let at = |percent: usize| all.get(all.len() * percent / 100).copied().unwrap_or(0);
        println!("{} {} {}", all.len(), at(50), at(99));
    }
    std::process::exit(0);
}
