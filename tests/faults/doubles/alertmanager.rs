//! Alertmanager's API v2: what makes an alert, and which of a request are kept.
//!
//! By `api/v2/openapi.yaml` and `api/v2/api.go` of <https://github.com/prometheus/alertmanager>, with
//! names of labels by the classic rule, which the UTF-8 one includes. A request of the wrong form
//! is refused whole (400, 415, 422); of one with invalid alerts the valid ones are kept, and the
//! others told (400). It asks for no credentials; a proxy before it does.

use std::collections::BTreeMap;

use http::{Method, Request, Response, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// `resolve_timeout` where nobody has set it.
const RESOLVE_TIMEOUT: SignedDuration = SignedDuration::from_mins(5);

type Texts = BTreeMap<String, String>;

/// One Alertmanager, at a moment that stands.
pub(crate) struct Alertmanager {
    /// The token that the proxy before it asks for.
    token: &'static str,
    now: Timestamp,
    /// An alert that holds this text is invalid.
    pub(crate) poison: Option<String>,
    /// The alerts that fire, by their labels: the annotation `event_id` each was last told with.
    pub(crate) firing: BTreeMap<Texts, String>,
    /// The annotation `event_id` of every alert kept, in order.
    pub(crate) taken: Vec<String>,
}

/// An alert of the right form.
struct Alert {
    labels: Texts,
    annotations: Texts,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    is_poison: bool,
}

impl Alertmanager {
    pub(crate) fn new(token: &'static str, now: Timestamp) -> Self {
        Self { token, now, poison: None, firing: BTreeMap::new(), taken: Vec::new() }
    }

    /// What it says to a request.
    pub(crate) fn answer(&mut self, request: &Request<Vec<u8>>) -> Response<String> {
        let header = |name| request.headers().get(name).map(|value| value.as_bytes());
        let path = request.uri().path();
        let authorization = format!("Bearer {}", self.token);
        if header(header::AUTHORIZATION) != Some(authorization.as_bytes()) {
            return response(401, "Unauthorized\n".to_owned());
        }
        if path != "/api/v2/alerts" {
            return refusal(404, 404, &format!("path {path} was not found"));
        }
        if request.method() != Method::POST {
            return refusal(405, 405, &format!("method {} is not allowed", request.method()));
        }
        if header(header::CONTENT_TYPE) != Some(b"application/json") {
            let why = "unsupported media type, only [application/json] are allowed";
            return refusal(415, 415, why);
        }
        let alerts = match serde_json::from_slice::<Vec<Map<String, Value>>>(request.body()) {
            Ok(alerts) => alerts,
            Err(error) => {
                let why = format!("parsing alerts body from \"\" failed, because {error}");
                return refusal(400, 400, &why);
            }
        };
        let alerts = alerts.into_iter().enumerate().map(|(number, alert)| {
            self.formed(Value::Object(alert)).map_err(|what| format!("{number}.{what}"))
        });
        match alerts.collect::<Result<Vec<_>, _>>() {
            Ok(alerts) => self.keep(alerts),
            Err(what) => refusal(422, 602, &format!("validation failure list:\n{what}")),
        }
    }

    /// What `openapi.yaml` asks of an alert.
    fn formed(&self, alert: Value) -> Result<Alert, String> {
        let link = &alert["generatorURL"];
        let is_link = link.as_str().is_some_and(|it| it.parse::<http::Uri>().is_ok());
        if !link.is_null() && !is_link {
            return Err("generatorURL in body must be of type uri".to_owned());
        }
        let text = alert.to_string();
        Ok(Alert {
            labels: texts(&alert["labels"], "labels")?.ok_or("labels in body is required")?,
            annotations: texts(&alert["annotations"], "annotations")?.unwrap_or_default(),
            start: moment(&alert["startsAt"], "startsAt")?,
            end: moment(&alert["endsAt"], "endsAt")?,
            is_poison: self.poison.as_ref().is_some_and(|poison| text.contains(poison)),
        })
    }

    /// Keeps what is valid and tells what is not.
    fn keep(&mut self, alerts: Vec<Alert>) -> Response<String> {
        let mut faults = Vec::new();
        for mut alert in alerts {
            alert.labels.retain(|_, value| !value.is_empty());
            let start = alert.start.or(alert.end).unwrap_or(self.now);
            let lasts = self.now.checked_add(RESOLVE_TIMEOUT).unwrap_or(Timestamp::MAX);
            let end = alert.end.unwrap_or(lasts);
            match invalid(&alert, start, end) {
                Some(fault) => faults.push(fault),
                None => self.take(alert, end),
            }
        }
        match faults.is_empty() {
            true => response(200, String::new()),
            false => response(400, Value::String(faults.join("; ")).to_string()),
        }
    }

    fn take(&mut self, alert: Alert, end: Timestamp) {
        let id = alert.annotations.get("event_id").cloned().unwrap_or_default();
        self.taken.push(id.clone());
        match end > self.now {
            true => drop(self.firing.insert(alert.labels, id)),
            false => drop(self.firing.remove(&alert.labels)),
        }
    }
}

fn response(status: u16, body: String) -> Response<String> {
    Response::builder().status(status).body(body).expect("a response")
}

fn refusal(status: u16, code: u16, message: &str) -> Response<String> {
    response(status, json!({ "code": code, "message": message }).to_string())
}

/// Why `Alert.Validate` refuses it.
fn invalid(alert: &Alert, start: Timestamp, end: Timestamp) -> Option<String> {
    if end < start {
        return Some("start time must be before end time".to_owned());
    }
    if alert.labels.is_empty() {
        return Some("at least one label pair required".to_owned());
    }
    let bad_name = |texts: &Texts| texts.keys().find(|name| !is_name(name)).cloned();
    match (bad_name(&alert.labels), bad_name(&alert.annotations), alert.is_poison) {
        (Some(name), ..) => Some(format!("invalid label set: invalid name \"{name}\"")),
        (_, Some(name), _) => Some(format!("invalid annotations: invalid name \"{name}\"")),
        (.., true) => Some("invalid annotations: invalid value".to_owned()),
        _ => None,
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// An object of texts, where there is one.
fn texts(value: &Value, name: &str) -> Result<Option<Texts>, String> {
    match value {
        Value::Null => Ok(None),
        value => serde_json::from_value(value.clone())
            .map(Some)
            .map_err(|_| format!("{name} in body must be of type map[string]string")),
    }
}

/// A moment, where there is one.
fn moment(value: &Value, name: &str) -> Result<Option<Timestamp>, String> {
    let told = value.as_str().map(str::parse::<Timestamp>);
    match (value, told) {
        (Value::Null, _) => Ok(None),
        (_, Some(Ok(moment))) => Ok(Some(moment)),
        _ => Err(format!("{name} in body must be of type date-time")),
    }
}
