//! One event's request, made as a lane would make it, with whatever is secret hidden.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use http::HeaderMap;
use serde::Serialize;
use sidearm_sinks::contract::{
    Append, AppendConnection, Arrival, Batch, BatchBuilder, Body, Destination, Event, Http, Kind,
    Sink,
};

use super::events::Given;
use crate::{
    config::{LaneConfig, SinkConfig},
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

/// Shows what a sink would send for an event.
pub(super) fn preview(sink: &SinkConfig, cluster: &str, given: &Given) -> Result<Preview, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let received_us = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
    let arrival = Arrival { stream: given.stream, sequence: 0, received_us };
    let event = Event::decode(Kind::Event, arrival, &given.message, cluster)
        .map_err(|error| format!("{}: {error}", given.name))?;
    let lane = &sink.lane;
    let (taken, why) = verdict(lane, &event)?;
    let mut preview = Preview {
        sink: lane.name.clone(),
        event: given.name.clone(),
        taken,
        why,
        method: None,
        url: None,
        headers: None,
        body: None,
    };
    if taken {
        match body(lane, &event) {
            Ok(body) => preview.fill(&sink.destination, &event, lane, &body)?,
            Err(why) => {
                preview.why = format!("its template fails on it, it becomes a dead letter: {why}");
            }
        }
    }
    Ok(preview)
}

/// Whether a lane takes an event, and why.
fn verdict(lane: &LaneConfig, event: &Event<'_>) -> Result<(bool, String), String> {
    let stream = event.stream();
    if !lane.streams.contains(&stream) {
        let streams: Vec<&str> = lane.streams.iter().map(|stream| stream.name()).collect();
        let why = format!("this is of the stream {stream}, and it takes {}", streams.join(", "));
        return Ok((false, why));
    }
    let Some(when) = &lane.when else {
        return Ok((true, format!("it takes every {stream}")));
    };
    Ok(match Route::compile(Some(when))?.takes(event) {
        Ok(true) => (true, "its `when` says yes".to_owned()),
        Ok(false) => (false, format!("its `when` says no: {when}")),
        Err(why) => (true, format!("its `when` fails on it, which loses no event: {why}")),
    })
}

fn body(lane: &LaneConfig, event: &Event<'_>) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    Renderer::new(lane.format, lane.template.as_deref(), false)?.render(event, &mut body)?;
    Ok(body)
}

impl Preview {
    fn fill(
        &mut self,
        destination: &Destination,
        event: &Event<'_>,
        lane: &LaneConfig,
        body: &[u8],
    ) -> Result<(), String> {
        let body = Body { format: lane.format, bytes: body };
        match destination {
            Destination::Http(sink) => self.fill_http(sink.as_ref(), event, body),
            Destination::Append(sink) => {
                self.fill_append(sink.as_ref(), event, body);
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
        self.body = Some(String::from_utf8_lossy(&request.body).into_owned());
        self.url = Some(request.shown_url);
        Ok(())
    }

    fn fill_append(&mut self, sink: &dyn Sink<Append>, event: &Event<'_>, body: Body<'_>) {
        let batch = batch(event, |record| sink.record(event, body, record));
        self.method = Some("APPEND".to_owned());
        self.headers = Some(BTreeMap::new());
        self.body = Some(String::from_utf8_lossy(&sink.request(&batch).bytes).into_owned());
        self.url = Some(match sink.connection() {
            AppendConnection::Stdout => "stdout".to_owned(),
            AppendConnection::File { path, .. } => path.display().to_string(),
        });
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
