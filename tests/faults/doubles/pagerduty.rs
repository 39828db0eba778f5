//! PagerDuty's Events API v2: what an event must hold, how long its texts may be, and the alerts
//! that stand open by their keys.
//!
//! By <https://developer.pagerduty.com/docs/events-api-v2-overview> and the schema
//! <https://github.com/PagerDuty/api-schema> (`reference/events-v2`). A refusal's words are those
//! of the documented examples.

use std::collections::BTreeMap;

use http::{Method, Request, Response, header};
use serde_json::{Map, Value, json};

/// Of a request: "512 KB", taken at its smaller meaning.
const MAX_BODY_BYTES: usize = 512_000;
const MAX_SUMMARY_CHARS: usize = 1_024;
const MAX_DEDUP_KEY_CHARS: usize = 255;
const ROUTING_KEY_CHARS: usize = 32;

/// A service with one integration key.
pub(crate) struct PagerDuty {
    routing_key: &'static str,
    /// An event that holds this text is refused.
    pub(crate) poison: Option<String>,
    /// The alerts that are open: by key of deduplication, the `event_id` of each trigger.
    pub(crate) open: BTreeMap<String, Vec<String>>,
    /// The `event_id` of every trigger taken, in order.
    pub(crate) taken: Vec<String>,
}

impl PagerDuty {
    pub(crate) fn new(routing_key: &'static str) -> Self {
        Self { routing_key, poison: None, open: BTreeMap::new(), taken: Vec::new() }
    }

    /// What PagerDuty says to a request.
    pub(crate) fn answer(&mut self, request: &Request<Vec<u8>>) -> Response<String> {
        let is_change = request.uri().path() == "/v2/change/enqueue";
        if !is_change && request.uri().path() != "/v2/enqueue" {
            return response(404, &json!({ "status": "error", "message": "Not Found" }));
        }
        if request.method() != Method::POST {
            return response(405, &json!({ "status": "error", "message": "Method Not Allowed" }));
        }
        if request.body().len() > MAX_BODY_BYTES {
            return response(413, &json!({ "status": "error", "message": "Payload Too Large" }));
        }
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        let event = serde_json::from_slice::<Map<String, Value>>(request.body());
        let (true, Ok(event)) = (is_json, event) else {
            return invalid(&["the body is no JSON object".to_owned()]);
        };
        let event = Value::Object(event);
        let key = event["routing_key"].as_str().unwrap_or_default();
        if key.len() != ROUTING_KEY_CHARS {
            return invalid(&[format!(
                "Length of 'routing_key' is incorrect (should be {ROUTING_KEY_CHARS} characters)"
            )]);
        }
        if key != self.routing_key {
            let answer = json!({ "status": "invalid key", "message": "Invalid routing key" });
            return response(400, &answer);
        }
        let mut faults = if is_change { change_faults(&event) } else { faults(&event) };
        let text = String::from_utf8_lossy(request.body());
        if self.poison.as_ref().is_some_and(|poison| text.contains(poison)) {
            faults.push("'payload.custom_details' is invalid".to_owned());
        }
        if !faults.is_empty() {
            return invalid(&faults);
        }
        if is_change {
            let answer = json!({ "status": "success", "message": "Change event processed" });
            return response(202, &answer);
        }
        let dedup_key = self.take(&event);
        let answer =
            json!({ "status": "success", "message": "Event processed", "dedup_key": dedup_key });
        response(202, &answer)
    }

    /// A trigger joins the open alert of its key or opens one; a resolve closes it.
    fn take(&mut self, event: &Value) -> String {
        let id = event["payload"]["custom_details"]["event_id"].as_str().unwrap_or_default();
        let made = format!("made-{}", self.taken.len());
        let key = event["dedup_key"].as_str().map_or(made, str::to_owned);
        match event["event_action"].as_str() {
            Some("trigger") => {
                self.open.entry(key.clone()).or_default().push(id.to_owned());
                self.taken.push(id.to_owned());
            }
            Some("resolve") => drop(self.open.remove(&key)),
            _ => {}
        }
        key
    }
}

fn response(status: u16, body: &Value) -> Response<String> {
    Response::builder().status(status).body(body.to_string()).expect("a response")
}

fn invalid(errors: &[String]) -> Response<String> {
    let body = json!({
        "status": "invalid event", "message": "Event object is invalid", "errors": errors
    });
    response(400, &body)
}

/// A change needs a summary; it opens no alert, so it has neither action nor key.
fn change_faults(event: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let summary = event["payload"]["summary"].as_str().unwrap_or_default().chars().count();
    if !(1..=MAX_SUMMARY_CHARS).contains(&summary) {
        faults.push("'payload.summary' is missing or too long".to_owned());
    }
    for key in ["event_action", "dedup_key"] {
        if !event[key].is_null() {
            faults.push(format!("'{key}' is no part of a change event"));
        }
    }
    faults
}

fn faults(event: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let action = event["event_action"].as_str().unwrap_or_default();
    if !["trigger", "acknowledge", "resolve"].contains(&action) {
        faults.push("'event_action' is invalid".to_owned());
    }
    match &event["dedup_key"] {
        Value::Null if action == "trigger" => {}
        Value::String(key) if (1..=MAX_DEDUP_KEY_CHARS).contains(&key.chars().count()) => {}
        Value::String(key) if !key.is_empty() => {
            faults.push(format!(
                "'dedup_key' is too long (maximum is {MAX_DEDUP_KEY_CHARS} characters)"
            ));
        }
        _ => faults.push("'dedup_key' is missing or blank".to_owned()),
    }
    for name in ["client", "client_url"] {
        text(&event[name], name, false, &mut faults);
    }
    for (name, member) in [("links", "href"), ("images", "src")] {
        let objects = |list: &Vec<Value>| list.iter().all(|one| one[member].is_string());
        if !event[name].is_null() && !event[name].as_array().is_some_and(objects) {
            faults.push(format!("'{name}' is invalid"));
        }
    }
    if action == "trigger" {
        check_payload(&event["payload"], &mut faults);
    }
    faults
}

fn check_payload(payload: &Value, faults: &mut Vec<String>) {
    for (name, is_required) in [
        ("summary", true),
        ("source", true),
        ("component", false),
        ("group", false),
        ("class", false),
    ] {
        text(&payload[name], &format!("payload.{name}"), is_required, faults);
    }
    if payload["summary"].as_str().is_some_and(|it| it.chars().count() > MAX_SUMMARY_CHARS) {
        faults.push(format!("'summary' is too long (maximum is {MAX_SUMMARY_CHARS} characters)"));
    }
    let severity = payload["severity"].as_str().unwrap_or_default();
    if !["critical", "error", "warning", "info"].contains(&severity) {
        faults.push(
            "'payload.severity' is invalid (must be one of the following: 'critical', \
                     'warning', 'error' or 'info')"
                .to_owned(),
        );
    }
    let time = &payload["timestamp"];
    let is_time = time.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok());
    if !time.is_null() && !is_time {
        faults.push("'payload.timestamp' is invalid (must be ISO 8601)".to_owned());
    }
    if !payload["custom_details"].is_null() && !payload["custom_details"].is_object() {
        faults.push("'payload.custom_details' is invalid (must be an object)".to_owned());
    }
}

fn text(value: &Value, name: &str, is_required: bool, faults: &mut Vec<String>) {
    let is_text = value.as_str().is_some_and(|text| !is_required || !text.trim().is_empty());
    if !is_text && (is_required || !value.is_null()) {
        faults.push(format!("'{name}' is missing or blank"));
    }
}
