//! Sysdig Monitor's custom events: `POST /api/v2/events` with a bearer token.
//!
//! By `sdcclient/monitor/_events_v2.py` of <https://github.com/sysdiglabs/sysdig-sdk-python>: the
//! members and their types, a severity from 0 to 7, a scope of labels. Sysdig publishes no limits
//! of length.

use http::{Method, Request, Response, header};
use serde_json::{Value, json};

/// One region's Monitor, with one API token.
pub(crate) struct Monitor {
    token: &'static str,
    /// An event that holds this text is refused.
    pub(crate) poison: Option<String>,
    /// The tag `event_id` of every event taken, in order.
    pub(crate) taken: Vec<String>,
}

impl Monitor {
    pub(crate) fn new(token: &'static str) -> Self {
        Self { token, poison: None, taken: Vec::new() }
    }

    /// What Monitor says to a request.
    pub(crate) fn answer(&mut self, request: &Request<Vec<u8>>) -> Response<String> {
        let header = |name| request.headers().get(name).map(|value| value.as_bytes());
        if request.uri().path() != "/api/v2/events" {
            return refusal(404, "Not found", "no such resource");
        }
        let authorization = format!("Bearer {}", self.token);
        if header(header::AUTHORIZATION) != Some(authorization.as_bytes()) {
            return refusal(401, "Unauthorized", "bad credentials");
        }
        if request.method() != Method::POST {
            return refusal(405, "Method not allowed", "expected POST");
        }
        if header(header::CONTENT_TYPE) != Some(b"application/json") {
            return refusal(415, "Unsupported media type", "expected application/json");
        }
        let body = serde_json::from_slice::<Value>(request.body()).unwrap_or_default();
        let event = &body["event"];
        let text = String::from_utf8_lossy(request.body());
        let is_poison = self.poison.as_ref().is_some_and(|poison| text.contains(poison));
        if is_poison || !is_event(event) {
            return refusal(400, "Validation failed", "the event is not valid");
        }
        self.taken.push(event["tags"]["event_id"].as_str().unwrap_or_default().to_owned());
        let mut created = event.clone();
        created["id"] = self.taken.len().to_string().into();
        response(201, &json!({ "event": created }))
    }
}

fn response(status: u16, body: &Value) -> Response<String> {
    Response::builder().status(status).body(body.to_string()).expect("a response")
}

fn refusal(status: u16, reason: &str, message: &str) -> Response<String> {
    response(status, &json!({ "errors": [{ "reason": reason, "message": message }] }))
}

fn is_event(event: &Value) -> bool {
    let (severity, tags) = (&event["severity"], &event["tags"]);
    let text_or_none = |name: &str| event[name].is_null() || event[name].is_string();
    event["name"].as_str().is_some_and(|name| !name.trim().is_empty())
        && text_or_none("description")
        && (severity.is_null() || severity.as_u64().is_some_and(|it| it <= 7))
        && (event["scope"].is_null() || event["scope"].as_str().is_some_and(is_scope))
        && (tags.is_null()
            || tags.as_object().is_some_and(|tags| tags.values().all(Value::is_string)))
}

/// `kubernetes.pod.name = 'web-0' and host.hostName = 'n1'`; nothing at all is everywhere.
fn is_scope(text: &str) -> bool {
    let is_term = |term: &str| {
        let Some((label, value)) = term.split_once(" = '") else { return false };
        let value = value.strip_suffix('\'').unwrap_or_default();
        !label.is_empty()
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_')
            && !value.is_empty()
            && !value.contains('\'')
    };
    text.is_empty() || text.split(" and ").all(is_term)
}
