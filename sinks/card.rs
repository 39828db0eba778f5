//! What a person is told of an event, whatever the channel: chats, mail, pagers.
//!
//! One description of a message: a title, sentences, facts by label, the event's id. Every text is
//! cut, on one line, and with each character visible. It knows no product: a product writes it in
//! its own form, escapes it by its own rules and shortens it further where it has less room.

pub(crate) mod attachment;
pub(crate) mod chat;
mod fit;
pub(crate) mod guise;
pub(crate) mod hook;
mod telling;
mod words;

use jiff::{Timestamp, tz::TimeZone};

use crate::contract::{Event, Gravity};

pub(crate) use fit::{fitted, push_html, utf16_len};

/// A title is no longer, in characters; the shortest that any product takes (Slack's header).
pub(crate) const TITLE_CHARS_MAX: usize = 140;
/// What is said beside the title, in characters.
pub(crate) const TEXT_CHARS_MAX: usize = 1_000;
/// Facts of a card at most.
pub(crate) const FACTS_MAX: usize = 24;
/// The longest value of a fact, in characters.
pub(crate) const VALUE_CHARS_MAX: usize = 600;

/// A message about an event, before any product's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Card {
    /// What happened, to what, where. Empty where the text was given by a template.
    pub(crate) title: String,
    /// What it is about, in a word: the policy. Stands where a title would be told twice.
    pub(crate) subject: String,
    /// Sentences: the policy's message, what a notice means. May be empty. What a template wrote
    /// may be of several lines.
    pub(crate) text: String,
    /// How grave it is; the colour.
    pub(crate) gravity: Gravity,
    /// What is known, the most telling first.
    pub(crate) facts: Vec<Fact>,
    /// Finds the whole record in the destinations that keep every event.
    pub(crate) id: String,
    /// When it happened, in microseconds since 1970.
    pub(crate) time_us: i64,
    /// Where there is more of it: an address of the configuration's.
    pub(crate) link: Option<String>,
}

/// What a link is called.
pub(crate) const LINK_TEXT: &str = "Open the event";

/// One thing known of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    /// What it is, in a word or two of ours.
    pub(crate) label: &'static str,
    /// What the event says; not empty.
    pub(crate) value: String,
    /// Whether it is a name, a path or a command, as the event has it, and no words of ours.
    pub(crate) literal: bool,
}

impl Card {
    /// What is told of an event: of it alone, or of those it stands for.
    pub(crate) fn of(event: &Event<'_>) -> Self {
        let mut card = words::card(event);
        if let Some(digest) = event.digest() {
            telling::tell(&mut card, digest);
        }
        debug_assert!(card.facts.len() <= FACTS_MAX);
        card
    }

    /// A message whose text somebody else wrote: lines stay lines. What it stands for is told
    /// before it, unless the text `counts` by itself.
    pub(crate) fn of_text(event: &Event<'_>, text: &str, counts: bool) -> Self {
        let text = text.trim_end();
        let told = event.digest().filter(|_| !counts).map(telling::line);
        let text = told.map_or_else(|| text.to_owned(), |line| format!("{line}: {text}"));
        Self {
            title: String::new(),
            subject: subject(event),
            text: fit::visible_lines(&text, TEMPLATE_CHARS_MAX),
            gravity: event.gravity(),
            facts: Vec::new(),
            id: event.shown_id().to_string(),
            time_us: event.time_us(),
            link: None,
        }
    }

    /// The same with a link.
    pub(crate) fn linked(self, link: Option<String>) -> Self {
        Self { link, ..self }
    }

    /// The title with a mark for its gravity, which colour alone does not tell everybody; where
    /// there is none, the beginning of the text. For where the text itself does not stand beneath
    /// it.
    pub(crate) fn headline(&self) -> String {
        let first = self.text.lines().next().unwrap_or_default();
        self.marked(if self.title.is_empty() { first } else { &self.title })
    }

    /// The title with its mark; where there is none, the subject. For above the text.
    pub(crate) fn caption(&self) -> String {
        self.marked(if self.title.is_empty() { &self.subject } else { &self.title })
    }

    fn marked(&self, title: &str) -> String {
        let title = fitted(title, TITLE_CHARS_MAX, |c, out| out.push(c));
        format!("{} {title}", mark(self.gravity)).trim_end().to_owned()
    }

    /// What stands under a message.
    pub(crate) fn footer(&self) -> String {
        format!("event {}", self.id)
    }

    /// The same with no text longer than `most` characters.
    pub(crate) fn within(&self, most: usize) -> Self {
        let cut = |text: &str, most| fitted(text, most, |c, out| out.push(c));
        let facts = self.facts.iter().map(|fact| Fact { value: cut(&fact.value, most), ..*fact });
        Self {
            title: cut(&self.title, most),
            subject: cut(&self.subject, most),
            text: cut(&self.text, most),
            facts: facts.collect(),
            id: self.id.clone(),
            link: self.link.clone(),
            ..*self
        }
    }

    /// All of it as plain lines, as a mail without HTML has it.
    pub(crate) fn plain(&self) -> String {
        let mut lines = Vec::with_capacity(self.facts.len() + 4);
        lines.extend([&self.title, &self.text].into_iter().filter(|t| !t.is_empty()).cloned());
        lines.push(String::new());
        lines.extend(self.facts.iter().map(|fact| format!("{}: {}", fact.label, fact.value)));
        lines.push(self.footer());
        lines.extend(self.link.clone());
        lines.join("\n")
    }

    fn fact(&mut self, label: &'static str, value: &str, most: usize, literal: bool) {
        let value = fit::visible(value, most);
        if !value.is_empty() {
            self.facts.push(Fact { label, value, literal });
        }
    }

    /// A fact as the event has it.
    fn literal(&mut self, label: &'static str, value: &str, most: usize) {
        self.fact(label, value, most, true);
    }

    /// A fact in our words.
    fn words(&mut self, label: &'static str, value: &str) {
        self.fact(label, value, VALUE_CHARS_MAX, false);
    }
}

/// The policy; for what has none, who speaks.
fn subject(event: &Event<'_>) -> String {
    match fit::visible(event.policy(), TITLE_CHARS_MAX) {
        policy if policy.is_empty() => "KubeArmor".to_owned(),
        policy => policy,
    }
}

/// What a template may write, in characters; products cut it further.
const TEMPLATE_CHARS_MAX: usize = 12_000;

/// A mark that tells gravity without colour of its own.
pub(crate) fn mark(gravity: Gravity) -> &'static str {
    match gravity {
        Gravity::Critical => "🔴",
        Gravity::High => "🟠",
        Gravity::Medium => "🟡",
        Gravity::Low => "🔵",
        Gravity::Info => "⚪",
    }
}

/// The colour of a gravity, as 0xRRGGBB.
pub(crate) fn colour(gravity: Gravity) -> u32 {
    match gravity {
        Gravity::Critical => 0xb7_1c1c,
        Gravity::High => 0xe6_5100,
        Gravity::Medium => 0xf9_a825,
        Gravity::Low => 0x15_65c0,
        Gravity::Info => 0x75_7575,
    }
}

/// A moment as people read it, in UTC.
pub(crate) fn moment(time_us: i64) -> String {
    let end = if time_us < 0 { Timestamp::MIN } else { Timestamp::MAX };
    let time = Timestamp::from_microsecond(time_us).unwrap_or(end).to_zoned(TimeZone::UTC);
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
pub(crate) mod against_doubles;
#[cfg(test)]
mod tests;
