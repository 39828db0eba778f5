//! A Workflows webhook of Teams. It answers 202 to whatever starts the flow, and what the flow
//! then makes of it shows only in the header [`LOST`], which the vendor does not have.

use http::{Request, Response, header};
use serde_json::{Value, json};

/// Why the flow posted nothing, though it was started.
pub(crate) const LOST: &str = "x-lost-in-the-flow";

/// What Teams takes of a whole message, as UTF-16.
const MESSAGE_BYTES_MAX: usize = 28 * 1024;

/// What the webhook says to a request.
pub(crate) fn answer(request: &Request<Vec<u8>>) -> Response<String> {
    let query = request.uri().query().unwrap_or_default();
    if !query.split('&').any(|pair| pair.starts_with("sig=") && pair.len() > "sig=".len()) {
        let error = json!({ "error": { "code": "DirectApiAuthorizationRequired",
            "message": "The request must be authenticated." } });
        return response(401, &error.to_string());
    }
    let is_json = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.to_str().is_ok_and(|kind| kind.starts_with("application/json")));
    let Ok(body) = serde_json::from_slice::<Value>(request.body()) else {
        let error = json!({ "error": { "code": "InvalidRequestContent",
            "message": "The request content is not valid and could not be deserialized." } });
        return response(400, &error.to_string());
    };
    let text = String::from_utf8_lossy(request.body());
    let lost = match fault(&body) {
        _ if !is_json => Some("the body is not taken for JSON"),
        _ if 2 * text.encode_utf16().count() > MESSAGE_BYTES_MAX => {
            Some("request entity too large")
        }
        fault => fault,
    };
    let mut response = response(202, "");
    if let Some(lost) = lost {
        response.headers_mut().insert(LOST, lost.parse().expect("a header"));
    }
    response
}

fn response(status: u16, body: &str) -> Response<String> {
    Response::builder().status(status).body(body.to_owned()).expect("a response")
}

/// What the flow stumbles over.
fn fault(body: &Value) -> Option<&'static str> {
    let Some(attachments) = body["attachments"].as_array() else {
        return Some("'attachments' is of type 'Null'");
    };
    if body["type"] != "message" || attachments.is_empty() {
        return Some("no message");
    }
    attachments.iter().find_map(|attachment| {
        let card = &attachment["content"];
        if attachment["contentType"] != "application/vnd.microsoft.card.adaptive" {
            return Some("no adaptive card");
        }
        let is_card = card["type"] == "AdaptiveCard"
            && matches!(card["version"].as_str(), Some("1.2" | "1.3" | "1.4" | "1.5"))
            && card["body"].as_array().is_some_and(|body| !body.is_empty() && all(body))
            && card["actions"].as_array().is_none_or(|actions| actions.iter().all(is_action));
        (!is_card).then_some("the card is not valid")
    })
}

/// What a webhook's card may have done: nothing that calls back, an address opened.
fn is_action(action: &Value) -> bool {
    action["type"] == "Action.OpenUrl"
        && action["title"].is_string()
        && action["url"].as_str().is_some_and(|url| url.starts_with("http"))
}

fn all(elements: &[Value]) -> bool {
    elements.iter().all(is_element)
}

fn is_element(element: &Value) -> bool {
    let Some(members) = element.as_object() else { return false };
    let only =
        |known: &[&str]| members.keys().all(|key| key == "type" || known.contains(&key.as_str()));
    let one_of = |key: &str, known: &[&str]| {
        members.get(key).is_none_or(|value| value.as_str().is_some_and(|v| known.contains(&v)))
    };
    match element["type"].as_str() {
        Some("TextBlock") => {
            only(&["text", "wrap", "weight", "size", "isSubtle", "color", "spacing"])
                && element["text"].as_str().is_some_and(|text| !text.is_empty())
                && one_of("weight", &["Lighter", "Default", "Bolder"])
                && one_of("size", &["Small", "Default", "Medium", "Large", "ExtraLarge"])
        }
        Some("Container") => {
            only(&["items", "style", "bleed", "spacing"])
                && one_of(
                    "style",
                    &["default", "emphasis", "good", "attention", "warning", "accent"],
                )
                && element["items"].as_array().is_some_and(|items| !items.is_empty() && all(items))
        }
        Some("FactSet") => {
            only(&["facts", "spacing"])
                && element["facts"].as_array().is_some_and(|facts| {
                    facts.iter().all(|fact| fact["title"].is_string() && fact["value"].is_string())
                })
        }
        _ => false,
    }
}
