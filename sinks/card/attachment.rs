//! A card in the shape that Slack once had and others took over: a text, and under a coloured bar
//! an attachment with fields.
//!
//! Those who took it over read Markdown and mentions in all of it, so what an event says stands
//! as code, or escaped, and has no `@`.

use serde_json::{Value, json};

use super::{
    Card, Fact, LINK_TEXT,
    chat::{Object, defanged},
    colour, fitted, utf16_len,
};

/// The text over the attachment, in UTF-16 units.
const HEADLINE_MAX: usize = 1_000;
/// The attachment's text.
const TEXT_MAX: usize = 4_000;
/// A field's value.
const VALUE_MAX: usize = 2_000;
/// Fields longer than this take a line of their own.
const SHORT_MAX: usize = 40;

pub(crate) fn write(card: &Card) -> Object {
    let mut attachment = json!({
        "fallback": escaped(&card.headline(), HEADLINE_MAX),
        "color": format!("#{:06x}", colour(card.gravity)),
        "footer": card.footer(),
        "fields": card.facts.iter().map(field).collect::<Vec<_>>(),
    });
    if !card.text.is_empty() {
        attachment["text"] = escaped(&card.text, TEXT_MAX).into();
    }
    if let Some(link) = &card.link {
        attachment["title"] = LINK_TEXT.into();
        attachment["title_link"] = link.as_str().into();
    }
    let mut body = Object::new();
    body.insert("text".into(), escaped(&card.caption(), HEADLINE_MAX).into());
    body.insert("attachments".into(), json!([attachment]));
    body
}

fn field(fact: &Fact) -> Value {
    let value = match fact.literal {
        true => format!("`{}`", code(&fact.value, VALUE_MAX)),
        false => escaped(&fact.value, VALUE_MAX),
    };
    json!({ "title": fact.label, "short": utf16_len(&value) <= SHORT_MAX, "value": value })
}

/// An at sign that calls nobody, beside which all is code.
fn code(text: &str, most: usize) -> String {
    fitted(text, most, |c, out| {
        out.push(match c {
            '`' => '\u{2cb}',
            '@' => '＠',
            c => c,
        });
    })
}

/// Every mark of Markdown behind a backslash; those that no backslash takes the meaning from are
/// shown by their like.
fn escaped(text: &str, most: usize) -> String {
    fitted(&defanged(text), most, |c, out| match c {
        '@' => out.push('＠'),
        '&' => out.push('＆'),
        '<' => out.push('‹'),
        '>' => out.push('›'),
        '$' => out.push('＄'),
        '\\' | '`' | '*' | '_' | '~' | '#' | '|' | '[' | ']' => {
            out.push('\\');
            out.push(c);
        }
        c => out.push(c),
    })
}
