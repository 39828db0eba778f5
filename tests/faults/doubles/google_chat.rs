//! A webhook of a Google Chat space: fields it knows, sizes, and the HTML its cards take.

use http::{Request, Response, header};
use serde_json::{Map, Value, json};

/// What Google Chat says to a request.
pub(crate) fn answer(request: &Request<Vec<u8>>) -> Response<String> {
    let query = request.uri().query().unwrap_or_default();
    let has = |key: &str| query.split('&').any(|p| p.starts_with(key) && p.len() > key.len());
    let parts: Vec<_> = request.uri().path().split('/').collect();
    match parts[..] {
        ["", "v1", "spaces", space, "messages"] if !space.is_empty() => {}
        _ => return error(404, "NOT_FOUND"),
    }
    if !has("key=") || !has("token=") {
        return error(403, "PERMISSION_DENIED");
    }
    let is_json = request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| {
        kind.to_str().is_ok_and(|kind| kind.to_lowercase() == "application/json; charset=utf-8")
    });
    let body = serde_json::from_slice::<Map<String, Value>>(request.body());
    match body {
        Ok(body) if is_json && request.body().len() <= 32_000 && is_message(&body) => {
            let name = format!("spaces/{}/messages/sample.sample", parts[3]);
            let message = json!({ "name": name }).to_string();
            Response::builder().status(200).body(message).expect("a response")
        }
        _ => error(400, "INVALID_ARGUMENT"),
    }
}

fn error(code: u16, status: &str) -> Response<String> {
    let body = json!({ "error": { "code": code, "status": status } }).to_string();
    Response::builder().status(code).body(body).expect("a response")
}

fn is_message(body: &Map<String, Value>) -> bool {
    let known = ["text", "fallbackText", "cardsV2", "thread"];
    let text = body.get("text").and_then(Value::as_str).unwrap_or_default();
    let cards = body.get("cardsV2").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    body.keys().all(|key| known.contains(&key.as_str()))
        && (!text.is_empty() || !cards.is_empty())
        && text.chars().count() <= 4_096
        && cards.iter().all(|card| is_card(&card["card"]))
}

fn is_card(card: &Value) -> bool {
    let header = &card["header"];
    let sections = card["sections"].as_array().map_or(&[][..], Vec::as_slice);
    let widgets = |section: &Value| section["widgets"].as_array().map_or(0, Vec::len);
    (header.is_null() || header["title"].as_str().is_some_and(|title| !title.is_empty()))
        && !sections.is_empty()
        && sections.iter().map(widgets).sum::<usize>() <= 100
        && sections.iter().all(|section| {
            section["widgets"].as_array().is_some_and(|w| !w.is_empty() && w.iter().all(is_widget))
        })
}

fn is_widget(widget: &Value) -> bool {
    let Some(kinds) = widget.as_object().filter(|kinds| kinds.len() == 1) else { return false };
    kinds.iter().all(|(kind, content)| match kind.as_str() {
        "textParagraph" | "decoratedText" => {
            content["text"].as_str().is_some_and(|text| !text.is_empty() && is_html(text))
        }
        "buttonList" => {
            let buttons = content["buttons"].as_array();
            buttons.is_some_and(|all| !all.is_empty() && all.iter().all(is_button))
        }
        _ => false,
    })
}

/// A button with a text that opens an address.
fn is_button(button: &Value) -> bool {
    let url = button["onClick"]["openLink"]["url"].as_str().unwrap_or_default();
    button["text"].as_str().is_some_and(|text| !text.is_empty())
        && (url.starts_with("https://") || url.starts_with("http://"))
}

/// Tags and entities that cards know, each tag closed.
fn is_html(text: &str) -> bool {
    let mut open = Vec::new();
    for rest in text.split('<').skip(1) {
        let Some((tag, _)) = rest.split_once('>') else { return false };
        match tag.strip_prefix('/') {
            Some(end) if open.pop() == Some(end) => {}
            Some(_) => return false,
            None if tag == "br" => {}
            None => match tag.split(' ').next() {
                Some(name @ ("b" | "i" | "u" | "s" | "font" | "a")) => open.push(name),
                _ => return false,
            },
        }
    }
    let entity = |rest: &str| ["amp;", "lt;", "gt;", "quot;"].iter().any(|e| rest.starts_with(e));
    open.is_empty() && text.split('&').skip(1).all(entity)
}
