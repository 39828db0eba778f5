//! A destination by script: it answers as it is told and remembers what it took.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use sidearm::wire::{Attempt, Wire, WireError, Wires};
use sidearm_sinks::contract::{
    Append, AppendConnection, AppendRequest, Http, HttpConnection, HttpReply, HttpRequest, Written,
};

/// What the destination does with one request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Act {
    /// Takes it.
    Accept,
    /// Answers with this status and body, and takes nothing.
    Refuse(u16, &'static str),
    /// Answers 429 with `Retry-After`, in seconds.
    Throttle(u64),
    /// Cannot be reached.
    Down,
    /// Takes it, and its answer is lost.
    LoseReply,
    /// Takes this long, then takes it.
    Slow(Duration),
    /// Takes what stands before this event, and says that it is the one it will never take.
    Blame(usize),
    /// Our own code panics.
    Panic,
}

const INVALID: &str = r#"{"text":"Invalid data format","code":6}"#;
const WRONG_TOKEN: &str = r#"{"text":"Invalid token","code":4}"#;

/// Decides what becomes of a request: its number (from 0) and its event numbers.
pub(crate) type Decide = Box<dyn FnMut(u64, &[u64]) -> Act + Send>;

/// One destination.
#[derive(Clone)]
pub(crate) struct Script {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    decide: Decide,
    /// Whether this event is never taken, whatever is decided.
    is_poison: fn(u64) -> bool,
    /// The only token that is taken; any where there is none.
    token: Option<String>,
    /// What a question for acknowledgements is answered; none for a destination without them.
    acknowledge: Option<fn() -> (u16, &'static str)>,
    requests: u64,
    /// Numbers taken, in order, twice where it was sent twice.
    taken: Vec<u64>,
    /// Ids of gap records taken.
    gaps: HashSet<String>,
    /// The id each number came with, and whether a number ever came with another.
    ids: HashMap<u64, String>,
    ids_differ: bool,
    /// What each message taken stood for, in order; gap records not among them.
    told: Vec<Told>,
}

/// What one message stood for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// `event` where it was a message of its own, else as the digest calls itself.
    pub(crate) telling: String,
    pub(crate) events: u64,
    pub(crate) incidents: u64,
}

impl Script {
    /// One that does as `decide` says.
    pub(crate) fn new(decide: impl FnMut(u64, &[u64]) -> Act + Send + 'static) -> Self {
        let inner = Inner {
            decide: Box::new(decide),
            is_poison: |_| false,
            token: None,
            acknowledge: None,
            requests: 0,
            taken: Vec::new(),
            gaps: HashSet::new(),
            ids: HashMap::new(),
            ids_differ: false,
            told: Vec::new(),
        };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// One that takes everything.
    pub(crate) fn willing() -> Self {
        Self::new(|_, _| Act::Accept)
    }

    /// Takes everything, and answers questions for acknowledgements like this.
    pub(crate) fn acknowledging(answer: fn() -> (u16, &'static str)) -> Self {
        let script = Self::willing();
        script.acknowledge(answer);
        script
    }

    /// From now on answers questions for acknowledgements like this.
    pub(crate) fn acknowledge(&self, answer: fn() -> (u16, &'static str)) {
        self.inner.lock().unwrap().acknowledge = Some(answer);
    }

    /// Changes its mind.
    pub(crate) fn now(&self, decide: impl FnMut(u64, &[u64]) -> Act + Send + 'static) {
        self.inner.lock().unwrap().decide = Box::new(decide);
    }

    /// Never takes events of such numbers: at one time it says which it is, at another it does not.
    pub(crate) fn poisoned(self, is_poison: fn(u64) -> bool) -> Self {
        self.inner.lock().unwrap().is_poison = is_poison;
        self
    }

    /// From now on takes only this token.
    pub(crate) fn expect(&self, token: &str) {
        self.inner.lock().unwrap().token = Some(token.to_owned());
    }

    /// The numbers of the events it took, in order.
    pub(crate) fn taken(&self) -> Vec<u64> {
        self.inner.lock().unwrap().taken.clone()
    }

    /// What each message it took stood for, in order.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.inner.lock().unwrap().told.clone()
    }

    /// Events that the messages it took stood for, all together.
    pub(crate) fn told_events(&self) -> u64 {
        self.inner.lock().unwrap().told.iter().map(|told| told.events).sum()
    }

    /// The ids of the gap records it took.
    pub(crate) fn gaps(&self) -> HashSet<String> {
        self.inner.lock().unwrap().gaps.clone()
    }

    /// Requests it was sent.
    pub(crate) fn requests(&self) -> u64 {
        self.inner.lock().unwrap().requests
    }

    /// Whether every event came with the same id each time it was sent.
    pub(crate) fn ids_are_stable(&self) -> bool {
        !self.inner.lock().unwrap().ids_differ
    }

    fn act(&self, request: &HttpRequest) -> Act {
        let body = std::str::from_utf8(&request.body).unwrap();
        let events: Vec<Event> = body.lines().map(read).collect();
        let numbers: Vec<u64> = events.iter().filter_map(|event| event.number).collect();
        let mut inner = self.inner.lock().unwrap();
        let place = inner.requests;
        inner.requests += 1;
        let act = (inner.decide)(place, &numbers);
        if !matches!(act, Act::Accept | Act::LoseReply | Act::Slow(_)) {
            return act;
        }
        let proof = request.headers.get("authorization").map(|proof| proof.to_str().unwrap());
        if inner.token.as_ref().is_some_and(|token| proof != Some(&*format!("Splunk {token}"))) {
            return Act::Refuse(403, WRONG_TOKEN);
        }
        let is_poison = inner.is_poison;
        let Some(bad) = events.iter().position(|event| event.number.is_some_and(is_poison)) else {
            inner.take(events);
            return act;
        };
        if place.is_multiple_of(2) {
            return Act::Refuse(400, INVALID);
        }
        inner.take(events.into_iter().take(bad));
        if act == Act::LoseReply { act } else { Act::Blame(bad) }
    }
}

impl Inner {
    fn take(&mut self, events: impl IntoIterator<Item = Event>) {
        for Event { number, id, told } in events {
            let is_gap = told.is_none();
            self.told.extend(told);
            self.taken.extend(number);
            match number {
                Some(number) => {
                    let known = self.ids.entry(number).or_insert_with(|| id.clone()).clone();
                    self.ids_differ |= known != id;
                }
                None if is_gap => drop(self.gaps.insert(id)),
                None => {}
            }
        }
    }
}

struct Event {
    /// None of a gap record, and of a message that stands for many.
    number: Option<u64>,
    id: String,
    told: Option<Told>,
}

/// Reads one line of a HEC body.
fn read(line: &str) -> Event {
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    let number = value["event"]["ExecEvent"]["ExecID"].as_str().map(|id| id.parse().unwrap());
    let is_gap = value["event"]["Type"] == "SidearmGap";
    assert!(number.is_some() != is_gap, "every event but a gap record is numbered: {line}");
    let id = value["fields"]["event_id"].as_str().unwrap().to_owned();
    let digest = &value["event"]["Digest"];
    let Some(telling) = digest["Telling"].as_str() else {
        let told = Told { telling: "event".to_owned(), events: 1, incidents: 1 };
        return Event { number, id, told: number.map(|_| told) };
    };
    let count = |name: &str| digest[name].as_u64().unwrap_or_default();
    let (events, incidents) = (count("Events"), count("Incidents"));
    Event { number: None, id, told: Some(Told { telling: telling.to_owned(), events, incidents }) }
}

impl Wire<Http> for Script {
    fn call(&self, request: HttpRequest) -> Attempt<'_, Http> {
        let acknowledge = self.inner.lock().unwrap().acknowledge;
        let (act, success) = match acknowledge {
            Some(answer) if request.url.contains("/ack") => {
                let (status, body) = answer();
                (Act::Refuse(status, body), "")
            }
            Some(_) => (self.act(&request), r#"{"text":"Success","code":0,"ackId":7}"#),
            None => (self.act(&request), r#"{"text":"Success","code":0}"#),
        };
        Box::pin(async move {
            let reply = |status, body: &str, retry_after| {
                let headers = Default::default();
                let body = Bytes::copy_from_slice(body.as_bytes());
                Ok(HttpReply { status, headers, retry_after, body })
            };
            // A network takes its time; without it a paused clock would never move.
            tokio::time::sleep(Duration::from_millis(1)).await;
            match act {
                Act::Accept => reply(200, success, None),
                Act::Refuse(status, body) => reply(status, body, None),
                Act::Throttle(seconds) => {
                    reply(429, r#"{"text":"busy","code":26}"#, Some(Duration::from_secs(seconds)))
                }
                Act::Down => Err(WireError::NotSent("connection refused".to_owned())),
                Act::LoseReply => Err(WireError::ReplyLost("connection reset".to_owned())),
                Act::Slow(time) => {
                    tokio::time::sleep(time).await;
                    reply(200, success, None)
                }
                Act::Blame(bad) => {
                    let body = format!(
                        r#"{{"text":"Invalid data format","code":6,"invalid-event-number":{bad}}}"#
                    );
                    reply(400, &body, None)
                }
                Act::Panic => panic!("poison"),
            }
        })
    }
}

/// Scripted destinations by the name of their sink.
#[derive(Clone, Default)]
pub(crate) struct ScriptedWires(HashMap<String, Script>);

impl ScriptedWires {
    /// Adds one.
    pub(crate) fn with(mut self, sink: &str, script: &Script) -> Self {
        self.0.insert(sink.to_owned(), script.clone());
        self
    }
}

impl Wires for ScriptedWires {
    fn http(&self, sink: &str, _: &HttpConnection) -> Result<Box<dyn Wire<Http>>, WireError> {
        Ok(Box::new(self.0[sink].clone()))
    }

    fn append(&self, sink: &str, _: &AppendConnection) -> Result<Box<dyn Wire<Append>>, WireError> {
        let _ = sink;
        Ok(Box::new(Nowhere))
    }
}

struct Nowhere;

impl Wire<Append> for Nowhere {
    fn call(&self, _: AppendRequest) -> Attempt<'_, Append> {
        Box::pin(async { Ok(Written) })
    }
}
