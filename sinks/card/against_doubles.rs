//! Every chat against a double of its vendor that refuses what the vendor refuses, and that loses
//! what the vendor loses: any event, any template, each form of a digest.

#[path = "../../tests/faults/doubles/discord.rs"]
mod discord;
#[path = "../../tests/faults/doubles/google_chat.rs"]
mod google_chat;
#[path = "../../tests/faults/doubles/mattermost.rs"]
mod mattermost;
#[path = "../../tests/faults/doubles/rocket_chat.rs"]
mod rocket_chat;
#[path = "../../tests/faults/doubles/slack.rs"]
mod slack;
#[path = "../../tests/faults/doubles/teams.rs"]
mod teams;

use std::sync::LazyLock;

use http::{Request, Response};
use serde_json::{Value, json};

use crate::{
    CATALOGUE,
    contract::{
        BatchBuilder, Body, Destination, Digest, Event, Format, Http, HttpRequest, SettingError,
        Sink, Telling, Verdict, acts, samples,
        testing::{answered, asked, table, with_digest, with_sample},
    },
};

/// A vendor's answer to a request.
type Answers = fn(&Request<Vec<u8>>) -> Response<String>;

/// A chat, and the double of its vendor.
struct Pair {
    name: &'static str,
    sink: Box<dyn Sink<Http>>,
    answers: Answers,
}

const DOUBLES: [(&str, Answers); 6] = [
    ("slack", slack::answer),
    ("teams", teams::answer),
    ("discord", discord::answer),
    ("google_chat", google_chat::answer),
    ("mattermost", mattermost::answer),
    ("rocket_chat", rocket_chat::answer),
];

/// A chat by its own example, with further lines.
fn built(name: &str, more: &str) -> Result<Box<dyn Sink<Http>>, SettingError> {
    let entry = CATALOGUE.iter().find(|entry| (entry.facts)().name == name).expect(name);
    let facts = (entry.facts)();
    let lines =
        facts.sample_secrets.iter().fold(facts.example.to_owned(), |lines, (key, value)| {
            lines.replace(&format!("${{env:{key}}}"), value)
        });
    match (entry.build)(table(&format!("{lines}{more}")))? {
        Destination::Http(sink) => Ok(sink),
        _ => panic!("{name} is spoken to by HTTP"),
    }
}

fn pairs(more: &str) -> Vec<Pair> {
    DOUBLES.iter().map(|(name, answers)| pair(name, *answers, more)).collect()
}

fn pair(name: &'static str, answers: Answers, more: &str) -> Pair {
    let sink = built(name, more).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    Pair { name, sink, answers }
}

impl Pair {
    fn request(&self, event: &Event<'_>, format: Format, text: &str) -> HttpRequest {
        let mut batch = BatchBuilder::new(event.stream());
        let body = Body::new(format, text.as_bytes());
        batch.push(event.id(), 1, 0, |record| self.sink.record(event, body, record));
        self.sink.request(&batch.finish().expect("a record"))
    }

    /// What the vendor answers, and what the sink makes of it.
    fn sent(&self, request: &HttpRequest) -> (Verdict<Http>, Response<String>) {
        let answer = (self.answers)(&asked(request));
        let reply = answered(&answer);
        let mut batch = BatchBuilder::new(crate::contract::Stream::Alert);
        batch.push(crate::contract::EventId(1), 1, 0, |_| {});
        (self.sink.verdict(&batch.finish().expect("a record"), &reply), answer)
    }

    /// Taken, and not lost behind the answer; else why.
    fn taken(&self, request: &HttpRequest) -> Result<(), String> {
        let (verdict, answer) = self.sent(request);
        let lost = answer.headers().get(teams::LOST);
        match (&verdict, lost) {
            (Verdict::Accepted, None) => Ok(()),
            _ => Err(format!(
                "{}: {verdict:?} {answer:?} for {}",
                self.name,
                String::from_utf8_lossy(&request.body)
            )),
        }
    }

    /// Nothing in it calls, links or styles.
    fn harmless(&self, request: &HttpRequest) -> Result<(), String> {
        let body: Value = serde_json::from_slice(&request.body).map_err(|e| e.to_string())?;
        let mut texts = Vec::new();
        strings(&body, &mut texts);
        match texts.into_iter().find(|text| self.acts(text)) {
            Some(text) => Err(format!("{}: {text:?}", self.name)),
            None => Ok(()),
        }
    }

    fn acts(&self, text: &str) -> bool {
        if text.starts_with("http://adaptivecards.io/") {
            return false;
        }
        if text.chars().any(|c| c != '\n' && c != '\t' && acts(c)) {
            return true;
        }
        // Discord and the two of Slack's old shape read nothing within a span of code.
        let shown: String = match (self.name, text.strip_prefix('`')) {
            ("discord" | "mattermost" | "rocket_chat", Some(code)) => {
                let Some(code) = code.strip_suffix('`') else { return true };
                if code.contains('`') {
                    return true;
                }
                if self.name == "discord" { String::new() } else { code.replace("://", "") }
            }
            _ => text.to_owned(),
        };
        let unescaped = unescaped(&shown);
        match self.name {
            "slack" => shown.contains(['<', '>']),
            "teams" => shown.contains("://") || unescaped.contains(['[', ']', '*', '_', '`', '&']),
            "discord" => unescaped.contains(['@', '<', '[', ']', '*', '_', '`', '~', '|', '#']),
            "google_chat" => shown.contains("<users") || shown.contains("://"),
            _ => shown.contains('@') || shown.contains("://"),
        }
    }
}

/// Whether this chat takes a request, and nothing in it acts.
pub(crate) fn read(name: &str, request: &HttpRequest) -> Result<(), String> {
    static PAIRS: LazyLock<Vec<Pair>> = LazyLock::new(|| pairs(""));
    let pair = PAIRS.iter().find(|pair| pair.name == name).expect(name);
    pair.taken(request)?;
    pair.harmless(request)
}

/// What stands there without a backslash before it.
fn unescaped(text: &str) -> String {
    let mut rest = text.chars();
    let mut bare = String::new();
    while let Some(c) = rest.next() {
        match c {
            '\\' => drop(rest.next()),
            c => bare.push(c),
        }
    }
    bare
}

/// Every text that people see, not the words of the vendor's own format.
fn strings<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    const OURS: [&str; 8] =
        ["type", "contentType", "cardId", "color", "timestamp", "style", "size", "weight"];
    match value {
        Value::String(text) => found.push(text),
        Value::Array(values) => values.iter().for_each(|value| strings(value, found)),
        Value::Object(members) => members
            .iter()
            .filter(|(key, _)| !OURS.contains(&key.as_str()))
            .for_each(|(_, value)| strings(value, found)),
        _ => {}
    }
}

fn digest(telling: Telling) -> Digest {
    Digest {
        telling,
        events: 137,
        incidents: if telling == Telling::Held { 5 } else { 1 },
        first_us: 1_772_442_850_000_000,
        last_us: 1_772_443_449_500_000,
        pods: vec![("checkout-1".into(), 80), ("<@everyone>".into(), 57)],
        processes: vec![("/usr/bin/apt".into(), 137)],
    }
}

#[test]
fn every_sample_and_every_telling_is_taken() {
    for pair in pairs("") {
        for (name, _) in samples() {
            with_sample(name, |event| {
                let request = pair.request(event, Format::Native, "");
                pair.taken(&request).expect(name);
                pair.harmless(&request).expect(name);
            });
            for telling in [Telling::Repeats, Telling::Quiet, Telling::Held] {
                with_digest(name, &digest(telling), |event| {
                    pair.taken(&pair.request(event, Format::Native, "")).expect(name);
                });
            }
        }
    }
}

/// Bodies that the vendor refuses for the size of a part.
fn too_large(name: &str) -> Vec<Value> {
    let text = |length: usize| "x".repeat(length);
    let plain = |length| json!({ "type": "plain_text", "text": text(length) });
    let section = |fields: usize| {
        let fields: Vec<_> = (0..fields).map(|_| plain(9)).collect();
        json!({ "type": "section", "fields": fields })
    };
    let embed = |key: &str, value: Value| json!({ "embeds": [{ key: value }] });
    let field =
        |name, value| embed("fields", json!([{ "name": text(name), "value": text(value) }]));
    match name {
        "slack" => vec![
            json!({ "text": text(40_001) }),
            json!({ "blocks": [{ "type": "header", "text": plain(151) }] }),
            json!({ "blocks": [{ "type": "section", "text": plain(3_001) }] }),
            json!({ "blocks": [section(11)] }),
            json!({ "blocks": [{ "type": "section", "fields": [plain(2_001)] }] }),
            json!({ "blocks": vec![section(1); 51] }),
            json!({ "attachments": [{ "blocks": vec![section(1); 51] }] }),
            json!({ "attachments": vec![json!({ "text": "x" }); 101] }),
        ],
        "discord" => vec![
            json!({ "content": text(2_001) }),
            json!({ "embeds": vec![json!({ "title": "x" }); 11] }),
            embed("title", text(257).into()),
            embed("description", text(4_097).into()),
            embed("footer", json!({ "text": text(2_049) })),
            embed("author", json!({ "name": text(257) })),
            field(257, 9),
            field(9, 1_025),
            embed("fields", vec![json!({ "name": "x", "value": "y" }); 26].into()),
            json!({ "embeds": vec![json!({ "description": text(3_001) }); 2] }),
        ],
        "google_chat" => vec![json!({ "text": text(4_097) })],
        "mattermost" => vec![json!({ "attachments": [{ "fallback": text(7_901) }] })],
        "rocket_chat" => vec![json!({ "text": text(5_001) })],
        _ => Vec::new(),
    }
}

#[test]
fn a_long_attachment_is_no_long_message_for_rocket_chat() {
    let pairs = pairs("body = \"whole\"\n");
    let pair = pairs.iter().find(|pair| pair.name == "rocket_chat").expect("a chat");
    with_sample("alert-process-block", |event| {
        let body = json!({ "text": "mine", "attachments": [{ "text": "x".repeat(20_000) }] });
        let request = pair.request(event, Format::Template, &body.to_string());
        assert_eq!(serde_json::from_slice::<Value>(&request.body).expect("JSON"), body);
        pair.taken(&request).expect("it takes long attachments");
    });
}

#[test]
fn a_whole_body_goes_as_it_is_and_what_is_none_as_text() {
    let whole = |name: &str| match name {
        "teams" => {
            r#"{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","content":{"type":"AdaptiveCard","version":"1.5","body":[{"type":"TextBlock","text":"mine"}]}}]}"#
        }
        "discord" => r#"{"content":"mine"}"#,
        _ => r#"{"text":"mine"}"#,
    };
    for pair in pairs("body = \"whole\"\n") {
        with_sample("alert-process-block", |event| {
            let sent = |text: &str| {
                let request = pair.request(event, Format::Template, text);
                pair.taken(&request).expect(pair.name);
                String::from_utf8(request.body.to_vec()).expect("UTF-8")
            };
            let mine = sent(whole(pair.name));
            assert!(mine.contains("mine") && !mine.contains("What the template"), "{mine}");
            assert!(sent("mine, in words").contains("is no JSON object"), "{}", pair.name);
            for large in too_large(pair.name) {
                let whole = HttpRequest {
                    body: large.to_string().into(),
                    ..pair.request(event, Format::Native, "")
                };
                assert!(pair.taken(&whole).is_err(), "{} takes {large}", pair.name);
                assert!(sent(&large.to_string()).contains("is too large"), "{}", pair.name);
            }
            // These two measure all of it.
            if matches!(pair.name, "teams" | "google_chat") {
                let part = whole(pair.name).trim_end_matches('}');
                let closed = whole(pair.name).len() - part.len();
                let huge =
                    format!("{part},\"more\":\"{}\"{}", "x".repeat(40_000), "}".repeat(closed));
                assert!(sent(&huge).contains("is too large"), "{}", pair.name);
            }
        });
    }
}

#[test]
fn a_chat_shows_a_message_as_it_is_told_where_its_product_has_a_place_for_that() {
    const NAMED: &str = "username = \"KubeArmor\"\nicon = \"https://example.com/i.png\"\n";
    const ELSEWHERE: &str = "channel = \"soc\"\nicon = \":shield:\"\n";
    const PICTURE: &str = "https://example.com/i.png";
    for ((name, answers), more, members) in [
        (DOUBLES[2], NAMED, [("username", "KubeArmor"), ("avatar_url", PICTURE)]),
        (DOUBLES[4], NAMED, [("username", "KubeArmor"), ("icon_url", PICTURE)]),
        (DOUBLES[4], ELSEWHERE, [("channel", "soc"), ("icon_emoji", ":shield:")]),
        (DOUBLES[5], ELSEWHERE, [("channel", "soc"), ("icon_emoji", ":shield:")]),
    ] {
        with_sample("alert-nasty-text", |event| {
            let pair = pair(name, answers, more);
            let request = pair.request(event, Format::Native, "");
            assert_eq!(pair.taken(&request), Ok(()));
            let body: Value = serde_json::from_slice(&request.body).expect("JSON");
            for (member, value) in members {
                assert_eq!(body[member], value, "{name}");
            }
        });
    }
    for (name, more, key) in [
        ("teams", NAMED, "username"),
        ("google_chat", ELSEWHERE, "channel"),
        ("discord", "icon = \":shield:\"", "icon"),
        ("slack", "username = \"KubeArmor\"", "username"),
        ("mattermost", "icon = \"http://example.com/i.png\"", "icon"),
        ("mattermost", "channel = \"\"", "channel"),
    ] {
        assert_eq!(built(name, more).err().expect(name).path, key, "{name}");
    }
}

#[test]
fn a_link_leads_to_the_event_in_every_chat_that_is_told_where() {
    const SIEM: &str = "link = \"https://siem.example.com/?a=1&q=(id:'{{ id }}')\"\n";
    with_sample("alert-nasty-text", |event| {
        let id = event.id();
        for pair in pairs(SIEM) {
            for (format, text) in [(Format::Native, ""), (Format::Template, "a line")] {
                let request = pair.request(event, format, text);
                assert_eq!(pair.taken(&request), Ok(()));
                let body: Value = serde_json::from_slice(&request.body).expect("JSON");
                let mut texts = Vec::new();
                strings(&body, &mut texts);
                let link = format!("https://siem.example.com/?a=1&q=(id:'{id}')");
                let expected = match pair.name {
                    "slack" => format!("<{}|Open the event>", link.replace('&', "&amp;")),
                    _ => link,
                };
                let found = texts.iter().filter(|text| **text == expected).count();
                assert_eq!(found, 1, "{}: {body}", pair.name);
            }
        }
        for pair in pairs("") {
            let request = pair.request(event, Format::Native, "");
            assert!(!String::from_utf8_lossy(&request.body).contains("Open the event"));
        }
    });
}
