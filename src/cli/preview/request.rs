//! One event's request, made as a lane would make it, with whatever is secret hidden.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use http::HeaderMap;
use serde::Serialize;
use sidearm_sinks::contract::{
    AnySink, Arrival, Batch, BatchBuilder, Body, Destination, Event, Http, Kind, Overrides, Sink,
};

use super::events::Given;
use crate::{
    config::{Config, LaneConfig, SinkConfig},
    render::Renderer,
    route::Route,
    wire::headers_of,
};

/// What one sink makes of one event.
#[derive(Debug, Serialize)]
pub(super) struct Preview {
    pub(super) sink: String,
    /// How the event is called; people see it, programs know the order of their lines.
    #[serde(skip)]
    pub(super) event: String,
    pub(super) taken: bool,
    pub(super) why: String,
    pub(super) method: Option<String>,
    pub(super) url: Option<String>,
    pub(super) headers: Option<BTreeMap<String, String>>,
    pub(super) body: Option<String>,
}

/// A sink made ready to be looked at.
pub(super) struct Subject<'c> {
    lane: &'c LaneConfig,
    destination: &'c Destination,
    overrides: &'c Overrides,
    route: Route,
    renderer: Renderer,
}

impl<'c> Subject<'c> {
    pub(super) fn new(config: &'c Config, sink: &'c SinkConfig) -> Result<Self, String> {
        let SinkConfig { lane, destination, .. } = sink;
        Ok(Self {
            lane,
            destination,
            overrides: &config.overrides,
            route: Route::compile(lane.when.as_deref())?,
            renderer: Renderer::new(lane.format, lane.template.as_deref(), false)?,
        })
    }

    /// Shows what the sink would send for an event.
    pub(super) fn preview(&self, given: &Given) -> Result<Preview, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let received_us = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        let arrival = Arrival { stream: given.stream, sequence: 0, received_us };
        let event = Event::decode(Kind::Event, arrival, &given.message, self.overrides)
            .map_err(|error| format!("{}: {error}", given.name))?;
        let (taken, why) = self.verdict(&event);
        let mut preview = Preview::without_request(self.lane, given, taken, why);
        if taken {
            let mut body = Vec::new();
            match self.renderer.render(&event, &mut body) {
                Ok(()) => preview.fill(self, &event, &body)?,
                Err(why) => {
                    preview.why =
                        format!("its template fails on it, it becomes a dead letter: {why}");
                }
            }
        }
        Ok(preview)
    }

    /// Whether the lane takes an event, and why.
    fn verdict(&self, event: &Event<'_>) -> (bool, String) {
        let (stream, streams) = (event.stream(), &self.lane.streams);
        if !streams.contains(&stream) {
            let streams: Vec<&str> = streams.iter().map(|stream| stream.name()).collect();
            let streams = streams.join(", ");
            return (false, format!("this is of the stream {stream}, and it takes {streams}"));
        }
        let Some(when) = &self.lane.when else {
            return (true, format!("it takes every {stream}"));
        };
        match self.route.takes(event) {
            Ok(true) => (true, "its `when` says yes".to_owned()),
            Ok(false) => (false, format!("its `when` says no: {when}")),
            Err(why) => (true, format!("its `when` fails on it, which loses no event: {why}")),
        }
    }
}

impl Preview {
    fn without_request(lane: &LaneConfig, given: &Given, taken: bool, why: String) -> Self {
        Self {
            sink: lane.name.clone(),
            event: given.name.clone(),
            taken,
            why,
            method: None,
            url: None,
            headers: None,
            body: None,
        }
    }

    fn fill(&mut self, from: &Subject<'_>, event: &Event<'_>, body: &[u8]) -> Result<(), String> {
        let body = Body::new(from.lane.format, body);
        match from.destination {
            Destination::Http(sink) => self.fill_http(sink.as_ref(), event, body),
            other => {
                self.fill_shown(other.any(), event, body);
                Ok(())
            }
        }
    }

    fn fill_http(
        &mut self,
        sink: &dyn Sink<Http>,
        event: &Event<'_>,
        body: Body<'_>,
    ) -> Result<(), String> {
        let batch = batch(event, |record| sink.record(event, body, record));
        let request = sink.request(&batch);
        let headers = headers_of(&request, &sink.connection(), SystemTime::now())?;
        self.method = Some(request.method.to_string());
        self.headers = Some(shown(&headers));
        let body = sink.readable(&batch).unwrap_or(request.body);
        self.body = Some(String::from_utf8_lossy(&body).into_owned());
        self.url = Some(request.shown_url);
        Ok(())
    }

    fn fill_shown(&mut self, sink: &dyn AnySink, event: &Event<'_>, body: Body<'_>) {
        let shown = sink.shown(&batch(event, |record| sink.record(event, body, record)));
        self.method = Some(shown.method);
        self.headers = Some(shown.headers.into_iter().collect());
        self.body = Some(String::from_utf8_lossy(&shown.body).into_owned());
        self.url = Some(shown.address);
    }
}

/// A batch of one.
fn batch(event: &Event<'_>, write: impl FnOnce(&mut Vec<u8>)) -> Batch {
    let mut builder = BatchBuilder::new(event.stream());
    builder.push(event.id(), event.sequence(), event.received_us(), write);
    builder.finish().expect("one record was added")
}

fn shown(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut shown = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let value = match value.is_sensitive() {
            true => "***".into(),
            false => String::from_utf8_lossy(value.as_bytes()),
        };
        let all = shown.entry(name.to_string()).or_default();
        if !all.is_empty() {
            all.push_str(", ");
        }
        all.push_str(&value);
    }
    shown
}
