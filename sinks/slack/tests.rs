use http::header;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::contract::{
    Limits,
    testing::{arbitrary_event, batch, sink, with_sample},
};

const HOOK: &str = "url = \"https://hooks.slack.com/services/T0/B0/hunter2\"";
const TOKEN: &str = "token = \"xoxb-hunter2\"";

fn slack(lines: &str) -> Box<dyn Sink<Http>> {
    match build(crate::contract::testing::table(lines)) {
        Ok(Destination::Http(sink)) => sink,
        Ok(_) => panic!("Slack is spoken to by HTTP"),
        Err(error) => panic!("{error:?}"),
    }
}

fn body(sink: &dyn Sink<Http>, event: &Event<'_>, body: Body<'_>) -> Value {
    let mut record = Vec::new();
    sink.record(event, body, &mut record);
    serde_json::from_slice(&record).expect("JSON")
}

fn native(sink: &dyn Sink<Http>, event: &Event<'_>) -> Value {
    body(sink, event, Body::new(Format::Native, b""))
}

fn templated(sink: &dyn Sink<Http>, text: &str) -> Value {
    with_sample("alert-process-block", |event| {
        body(sink, event, Body::new(Format::Template, text.as_bytes()))
    })
}

#[test]
fn a_message_has_a_header_and_its_facts_under_a_coloured_bar() {
    let message = with_sample("alert-process-block", |event| native(&*slack(HOOK), event));
    assert_eq!(
        message["blocks"][0]["text"]["text"],
        "🟠 Blocked: process /usr/bin/apt install -y netcat in shop/checkout"
    );
    let under = &message["attachments"][0];
    assert_eq!(under["color"], "#e65100");
    assert_eq!(
        under["blocks"][0]["text"]["text"],
        "A package manager was started in a running container"
    );
    assert_eq!(under["blocks"][1]["fields"][0]["text"], "*Policy*\n`shop-no-package-managers`");
    assert_eq!(under["blocks"][1]["fields"][1]["text"], "*Severity*\nhigh (8 of 10)");
}

#[test]
fn either_a_webhook_or_a_token_and_a_channel() {
    for (lines, path) in [
        (String::new(), ""),
        (format!("{HOOK}\n{TOKEN}\nchannel = \"c\""), "token"),
        (format!("{HOOK}\nchannel = \"c\""), "channel"),
        (TOKEN.to_owned(), "token"),
        ("channel = \"c\"".to_owned(), "channel"),
        (format!("{TOKEN}\nchannel = \"{{{{ NamespaceName }}}}\""), "channel"),
        (format!("{HOOK}\nbody = \"all\""), "body"),
        ("token = \"hunter2\\n\"\nchannel = \"c\"".to_owned(), "token"),
        (format!("{HOOK}\ntimeout = \"0s\""), "timeout"),
    ] {
        let error = build(crate::contract::testing::table(&lines)).err().expect(&lines);
        assert_eq!(error.path, path, "{lines}");
        assert!(!error.message.contains("hunter2"), "{}", error.message);
    }
    assert!(sink::<Slack>(HOOK).is_ok());
}

#[test]
fn a_token_goes_to_the_method_and_a_channel_into_the_body() {
    let bot = slack(&format!("{TOKEN}\nchannel = \"ka-{{{{ NamespaceName }}}}\""));
    let request = bot.request(&batch(1, 2));
    assert_eq!(request.url, POST_MESSAGE);
    assert_eq!(request.headers[header::AUTHORIZATION], "Bearer xoxb-hunter2");
    assert!(request.headers[header::AUTHORIZATION].is_sensitive());
    assert_eq!(request.headers[header::CONTENT_TYPE], "application/json; charset=utf-8");
    let message = with_sample("alert-process-block", |event| native(&*bot, event));
    assert_eq!(message["channel"], "ka-shop");
    let hook = slack(HOOK).request(&batch(1, 2));
    assert_eq!(hook.shown_url, "https://hooks.slack.com/***");
    assert!(hook.headers.get(header::AUTHORIZATION).is_none());
}

#[test]
fn a_template_writes_the_text_or_the_whole() {
    let text = templated(&*slack(HOOK), "one <!channel>\ntwo\n");
    // Beside blocks the text is for notifications alone, so nothing stands there twice.
    assert_eq!(text["text"], "🟠 one &lt;!channel&gt;");
    assert_eq!(text["blocks"][0]["text"]["text"], "🟠 shop-no-package-managers");
    let section = &text["attachments"][0]["blocks"][0]["text"];
    assert_eq!(section["text"], "one &lt;!channel&gt;\ntwo");
    assert_eq!(section["type"], "plain_text");

    let whole = format!("{TOKEN}\nchannel = \"C1\"\nbody = \"whole\"");
    let message = templated(&*slack(&whole), r#"{"text":"mine","channel":"theirs"}"#);
    assert_eq!(message, serde_json::json!({ "text": "mine", "channel": "C1" }));
    for (output, says) in [
        ("[1]", "is no JSON object"),
        (&format!("{{\"blocks\":[{{\"text\":\"{}\"}}]}}", "x".repeat(13_000)), "is too large"),
    ] {
        let noted = templated(&*slack(&whole), output);
        let text = noted["attachments"][0]["blocks"][0]["text"]["text"].as_str().expect("a text");
        assert!(text.starts_with(&format!("(What the template wrote {says}")), "{text}");
    }
    // The card stays a card where no template is.
    let card = with_sample("alert-process-block", |event| native(&*slack(&whole), event));
    assert!(card["blocks"].is_array());
}

#[test]
fn one_message_a_request_one_after_the_other() {
    let Limits { events, in_flight, .. } = slack(HOOK).limits(facts().limits);
    assert_eq!((events, in_flight), (1, 1));
    assert_eq!(facts().rate_per_second, Some(1.0));
}

/// Every text of a message that Slack shows.
fn texts<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(members) => {
            found.extend(members.get("text").and_then(Value::as_str));
            members.values().for_each(|value| texts(value, found));
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_event_breaks_a_limit_or_out_of_its_text(owned in arbitrary_event(), text in any::<String>()) {
        let sink = slack(HOOK);
        let event = owned.event();
        for message in [
            native(&*sink, &event),
            body(&*sink, &event, Body::new(Format::Template, text.as_bytes())),
        ] {
            let mut found = Vec::new();
            texts(&message, &mut found);
            for text in found {
                prop_assert!(!text.is_empty() && !text.contains(['<', '>']), "{text}");
                let entities = ["amp;", "lt;", "gt;"];
                let escaped = text.split('&').skip(1).all(|rest| entities.iter().any(|e| rest.starts_with(e)));
                prop_assert!(escaped, "{text}");
                // A field of code is one span: two accents, no more.
                prop_assert!(matches!(text.matches('`').count(), 0 | 2), "{text}");
            }
        }
    }
}
