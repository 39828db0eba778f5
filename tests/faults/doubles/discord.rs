//! Discord's "execute webhook": each limit of a message, and the code 50035 it refuses with.

use http::{Request, Response, header};
use serde_json::{Map, Value, json};

/// What Discord says to a request.
pub(crate) fn answer(request: &Request<Vec<u8>>) -> Response<String> {
    let parts: Vec<_> = request.uri().path().split('/').collect();
    let known = match parts[..] {
        ["", "api", "webhooks", id, token] => {
            !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()) && !token.is_empty()
        }
        _ => false,
    };
    if !known {
        return response(404, &json!({ "message": "Unknown Webhook", "code": 10015 }));
    }
    let is_json = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.to_str().is_ok_and(|kind| kind.starts_with("application/json")));
    let body = serde_json::from_slice::<Map<String, Value>>(request.body());
    let (true, Ok(body)) = (is_json, body) else {
        return response(
            400,
            &json!({ "message": "The request body contains invalid JSON.", "code": 50109 }),
        );
    };
    let body = Value::Object(body);
    if body["content"].as_str().unwrap_or_default().is_empty() && list(&body["embeds"]).is_empty() {
        return response(400, &json!({ "message": "Cannot send an empty message", "code": 50006 }));
    }
    let mut faults = Vec::new();
    check(&body, &mut faults);
    if !faults.is_empty() {
        let errors: Map<String, Value> = faults
            .iter()
            .map(|(field, code)| (field.clone(), json!({ "_errors": [{ "code": code }] })))
            .collect();
        return response(
            400,
            &json!({ "message": "Invalid Form Body", "code": 50035, "errors": errors }),
        );
    }
    match request.uri().query() {
        Some(query) if query.split('&').any(|pair| pair == "wait=true") => {
            response(200, &json!({ "id": "1150000000000000001", "type": 0 }))
        }
        _ => Response::builder().status(204).body(String::new()).expect("a response"),
    }
}

fn response(status: u16, body: &Value) -> Response<String> {
    Response::builder().status(status).body(body.to_string()).expect("a response")
}

type Faults = Vec<(String, &'static str)>;

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn check(body: &Value, faults: &mut Faults) {
    text(&body["content"], "content".into(), 2_000, faults);
    let embeds = list(&body["embeds"]);
    if embeds.len() > 10 {
        faults.push(("embeds".into(), "BASE_TYPE_MAX_LENGTH"));
    }
    let total: usize = embeds.iter().enumerate().map(|(n, one)| embed(one, n, faults)).sum();
    if total > 6_000 {
        faults.push(("embeds".into(), "MAX_EMBED_SIZE_EXCEEDED"));
    }
}

/// Checks an embed; its length as it counts for all.
fn embed(embed: &Value, number: usize, faults: &mut Faults) -> usize {
    let at = |field: &str| format!("embeds.{number}.{field}");
    let mut total = text(&embed["title"], at("title"), 256, faults)
        + text(&embed["description"], at("description"), 4_096, faults)
        + text(&embed["footer"]["text"], at("footer.text"), 2_048, faults)
        + text(&embed["author"]["name"], at("author.name"), 256, faults);
    let fields = list(&embed["fields"]);
    if fields.len() > 25 {
        faults.push((at("fields"), "BASE_TYPE_MAX_LENGTH"));
    }
    for (n, field) in fields.iter().enumerate() {
        for (key, most) in [("name", 256), ("value", 1_024)] {
            if field[key].as_str().is_none_or(|text| text.trim().is_empty()) {
                faults.push((at(&format!("fields.{n}.{key}")), "BASE_TYPE_REQUIRED"));
            }
            total += text(&field[key], at(&format!("fields.{n}.{key}")), most, faults);
        }
    }
    if embed["color"].as_u64().is_none_or(|color| color > 0xff_ffff) && !embed["color"].is_null() {
        faults.push((at("color"), "NUMBER_TYPE_MAX"));
    }
    if embed["timestamp"].as_str().is_some_and(|time| !is_time(time)) {
        faults.push((at("timestamp"), "DATE_TIME_TYPE_PARSE"));
    }
    total
}

fn text(value: &Value, field: String, most: usize, faults: &mut Faults) -> usize {
    let length = value.as_str().map_or(0, |text| text.encode_utf16().count());
    if length > most {
        faults.push((field, "BASE_TYPE_BAD_LENGTH"));
    }
    length
}

/// `2026-03-02T09:14:10.523Z`
fn is_time(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    matches!(shape.as_str(), "0000-00-00T00:00:00.000Z" | "0000-00-00T00:00:00Z")
}
