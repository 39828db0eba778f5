//! A card in Slack's Block Kit: a header, and under a coloured bar the text, the facts in two
//! columns and a footer. Beside a header the message's own text is shown in notifications alone.
//!
//! What an event says stands as code, or as plain text, and `&`, `<`, `>` are escaped everywhere:
//! no mention, link or style comes from it. <https://docs.slack.dev/reference/block-kit/blocks>

use serde_json::{Value, json};

use crate::card::{Card, Fact, LINK_TEXT, chat::Object, colour, fitted, utf16_len};

/// A header's text, in characters.
const HEADER_MAX: usize = 150;
/// A section's text.
const SECTION_MAX: usize = 3_000;
/// A field of a section.
const FIELD_MAX: usize = 2_000;
/// Fields of a section, and elements of a context.
const FIELDS_MAX: usize = 10;
/// Blocks of a message, and of an attachment.
const BLOCKS_COUNT_MAX: usize = 50;
/// A message's text (`msg_too_long`).
const TEXT_MAX: usize = 40_000;
/// Attachments of a message (`too_many_attachments`).
const ATTACHMENTS_MAX: usize = 100;
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
    let header = json!({ "type": "header", "text": plain(&card.caption(), HEADER_MAX) });
    body.insert("blocks".into(), json!([header]));
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

/// Whether a body is inside each of Slack's limits of size.
pub(super) fn fits(body: &Object) -> bool {
    let attachments = list(body.get("attachments"));
    let under = attachments.iter().map(|attachment| list(attachment.get("blocks")));
    let mut lists = under.chain([list(body.get("blocks"))]);
    let whole: usize = body.iter().filter(|(key, _)| *key != "text").map(|(_, v)| texts(v)).sum();
    body.get("text").is_none_or(|text| len(text) <= TEXT_MAX)
        && attachments.len() <= ATTACHMENTS_MAX
        && whole <= BLOCKS_MAX
        && lists.all(|blocks| blocks.len() <= BLOCKS_COUNT_MAX && blocks.iter().all(block_fits))
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn block_fits(block: &Value) -> bool {
    let text = len(&block["text"]["text"]);
    let (fields, elements) = (list(block.get("fields")), list(block.get("elements")));
    match block["type"].as_str() {
        Some("header") => text <= HEADER_MAX,
        Some("section") => {
            text <= SECTION_MAX
                && fields.len() <= FIELDS_MAX
                && fields.iter().all(|field| len(&field["text"]) <= FIELD_MAX)
        }
        Some("context") => elements.len() <= FIELDS_MAX,
        _ => true,
    }
}

/// The length of a text, as Slack counts it.
fn len(text: &Value) -> usize {
    text.as_str().map_or(0, utf16_len)
}

/// The characters of every `text` in it.
fn texts(value: &Value) -> usize {
    match value {
        Value::Array(values) => values.iter().map(texts).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| match value {
                Value::String(_) if key == "text" => len(value),
                value => texts(value),
            })
            .sum(),
        _ => 0,
    }
}
