//! A card in Slack's Block Kit: a header, and under a coloured bar the text, the facts in two
//! columns and a footer.
//!
//! What an event says stands as code, or as plain text, and `&`, `<`, `>` are escaped everywhere:
//! no mention, link or style comes from it. <https://docs.slack.dev/reference/block-kit/blocks>

use serde_json::{Value, json};

use crate::card::{Card, Fact, LINK_TEXT, chat::Object, colour, fitted, mark, utf16_len};

/// A header's text, in characters.
const HEADER_MAX: usize = 150;
/// A section's text.
const SECTION_MAX: usize = 3_000;
/// A field of a section.
const FIELD_MAX: usize = 2_000;
/// Fields of a section.
const FIELDS_MAX: usize = 10;
/// The text beside the blocks, which notifications show.
const FALLBACK_MAX: usize = 300;
/// Texts of all blocks together. Slack documents none and refuses about 13,200 characters with
/// `msg_blocks_too_long`.
const BLOCKS_MAX: usize = 12_000;

pub(super) fn write(card: &Card) -> Object {
    let mut body = Object::new();
    body.insert("text".into(), escaped(&card.headline(), FALLBACK_MAX).into());
    for markup in ["mrkdwn", "unfurl_links", "unfurl_media"] {
        body.insert(markup.into(), false.into());
    }
    if !card.title.is_empty() {
        let title = format!("{} {}", mark(card.gravity), card.title);
        let header = json!({ "type": "header", "text": plain(&title, HEADER_MAX) });
        body.insert("blocks".into(), json!([header]));
    }
    let color = format!("#{:06x}", colour(card.gravity));
    body.insert("attachments".into(), json!([{ "color": color, "blocks": details(card) }]));
    body
}

fn details(card: &Card) -> Vec<Value> {
    let mut blocks = Vec::new();
    if !card.text.is_empty() {
        blocks.push(json!({ "type": "section", "text": plain(&card.text, SECTION_MAX) }));
    }
    for facts in card.facts.chunks(FIELDS_MAX) {
        let fields: Vec<_> = facts.iter().map(field).collect();
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    let mut footer = vec![plain(&card.footer(), SECTION_MAX)];
    if let Some(link) = &card.link {
        let text = format!("<{}|{LINK_TEXT}>", escaped(link, SECTION_MAX));
        footer.push(json!({ "type": "mrkdwn", "text": text, "verbatim": true }));
    }
    blocks.push(json!({ "type": "context", "elements": footer }));
    blocks
}

fn plain(text: &str, most: usize) -> Value {
    json!({ "type": "plain_text", "text": escaped(text, most), "emoji": false })
}

fn field(fact: &Fact) -> Value {
    let Fact { label, value, literal } = fact;
    let room = FIELD_MAX - label.len() - "**\n``".len();
    let value = escaped(value, room);
    let is_code = *literal || value.contains(['*', '_', '~']);
    let text = match is_code {
        true => format!("*{label}*\n`{value}`"),
        false => format!("*{label}*\n{value}"),
    };
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

/// The three characters that Slack reads as markup's, as it asks for them to be escaped; and the
/// grave accent, which would end a span of code.
fn escaped(text: &str, most: usize) -> String {
    fitted(text, most, |c, out| match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '`' => out.push('\u{2cb}'),
        c => out.push(c),
    })
}

/// Whether Slack takes the blocks of a body.
pub(super) fn fits(body: &Object) -> bool {
    let whole: usize = body.iter().filter(|(key, _)| *key != "text").map(|(_, v)| texts(v)).sum();
    whole <= BLOCKS_MAX
}

/// The characters of every `text` in it.
fn texts(value: &Value) -> usize {
    match value {
        Value::Array(values) => values.iter().map(texts).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| match value {
                Value::String(text) if key == "text" => utf16_len(text),
                value => texts(value),
            })
            .sum(),
        _ => 0,
    }
}
