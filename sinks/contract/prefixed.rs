//! A setting that an event may complete and never decide: `"kubearmor-{{ NamespaceName }}"`.
//!
//! What an attacker can write into an event must not choose where the event goes, so there is
//! always a literal beginning, and what comes after it is reduced to harmless characters.

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{Event, FIELDS, Field, FieldKind, Value, did_you_mean};

/// A field's value is cut here, in characters.
const MAX_VALUE_CHARS: usize = 128;

/// A literal text, then fields of the event, each `{{ NAME }}`, with literal text between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefixed {
    prefix: String,
    /// A field's name, and the literal text behind it.
    rest: Vec<(&'static str, String)>,
}

impl Prefixed {
    /// Reads a setting; the error says what is wrong with it.
    ///
    /// # Errors
    /// It is empty, begins with a field, names what no event has or what is not a single value,
    /// or uses more of Jinja than `{{ NAME }}`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let whole = Self::read(text)?;
        if whole.prefix.is_empty() {
            return Err("expected a literal text at its beginning, such as \"kubearmor-{{ \
                        NamespaceName }}\": an event must not decide all of it"
                .to_owned());
        }
        Ok(whole)
    }

    fn read(text: &str) -> Result<Self, String> {
        let mut pieces = text.split("{{");
        let prefix = literal(pieces.next().unwrap_or_default())?;
        let field = |piece: &str| {
            let (name, text) = piece.split_once("}}").ok_or_else(plain)?;
            Ok((field_name(name.trim())?, literal(text)?))
        };
        Ok(Self { prefix, rest: pieces.map(field).collect::<Result<_, String>>()? })
    }

    /// Whether it is the same for every event.
    pub fn is_constant(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whether events have no say in it but by their day and stream. What a destination holds
    /// against it is then the configuration's fault, and no event's.
    pub fn is_ours(&self) -> bool {
        self.fields().all(|name| matches!(name, "day" | "stream"))
    }

    /// The literal text it begins with; all of it where it [`is_constant`](Self::is_constant).
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Each piece of literal text, for a destination that has rules for them.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        let rest = self.rest.iter().map(|(_, literal)| literal.as_str());
        std::iter::once(self.prefix.as_str()).chain(rest)
    }

    /// The fields it is completed with.
    pub fn fields(&self) -> impl Iterator<Item = &'static str> {
        self.rest.iter().map(|(name, _)| *name)
    }

    /// The setting for one event. Of the event's own text, every character that `allowed` refuses
    /// becomes `_`.
    pub fn complete(&self, event: &Event<'_>, allowed: fn(char) -> bool) -> String {
        let mut whole = self.prefix.clone();
        for (name, literal) in &self.rest {
            let value = match event.field(name) {
                Some(Value::Str(text)) => text.to_owned(),
                Some(Value::String(text)) => text,
                Some(Value::Int(number)) => number.to_string(),
                Some(Value::Bool(condition)) => condition.to_string(),
                Some(Value::List(_) | Value::Map(_)) | None => String::new(),
            };
            let clean = |c| if allowed(c) { c } else { '_' };
            whole.extend(value.chars().take(MAX_VALUE_CHARS).map(clean));
            whole.push_str(literal);
        }
        whole
    }
}

/// Literal text and fields of the event in any order, for what decides nothing: a key that spreads
/// records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Prefixed);

impl Pattern {
    /// Reads a setting; the error says what is wrong with it.
    ///
    /// # Errors
    /// As [`Prefixed::parse`], but for the beginning, which may be a field.
    pub fn parse(text: &str) -> Result<Self, String> {
        Prefixed::read(text).map(Self)
    }

    /// As [`Prefixed::complete`].
    pub fn complete(&self, event: &Event<'_>, allowed: fn(char) -> bool) -> String {
        self.0.complete(event, allowed)
    }
}

fn literal(text: &str) -> Result<String, String> {
    if ["{%", "{#", "}}"].iter().any(|mark| text.contains(mark)) {
        return Err(plain());
    }
    Ok(text.to_owned())
}

fn field_name(name: &str) -> Result<&'static str, String> {
    let field = Field::named(name).ok_or_else(|| {
        let meant = did_you_mean(name, FIELDS.iter().map(|field| field.name));
        format!("expected the name of a field between {{{{ and }}}}, found \"{name}\"{meant}")
    })?;
    match field.kind() {
        FieldKind::Text | FieldKind::Number | FieldKind::Condition => Ok(field.name),
        FieldKind::List | FieldKind::Map => {
            Err(format!("expected a field of a single value, and \"{name}\" holds several"))
        }
    }
}

fn plain() -> String {
    "expected plain text with fields such as {{ NamespaceName }}".to_owned()
}

impl<'de> Deserialize<'de> for Prefixed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_may_complete_a_setting_and_not_decide_it() {
        assert!(Prefixed::parse("main").expect("a constant").is_constant());
        for (text, is_ours) in
            [("main", true), ("k-{{ day }}-{{ stream }}", true), ("k-{{ NamespaceName }}", false)]
        {
            assert_eq!(Prefixed::parse(text).expect(text).is_ours(), is_ours, "{text}");
        }
        let templated = Prefixed::parse("ka-{{ NamespaceName }}-{{PID}}.x").expect("two fields");
        assert_eq!(templated.prefix, "ka-");
        assert_eq!(templated.rest, [("NamespaceName", "-".to_owned()), ("PID", ".x".to_owned())]);
        for (text, says) in [
            ("", "literal text at its beginning"),
            ("{{ HostName }}", "literal text at its beginning"),
            ("a-{{ HostNam }}", "found \"HostNam\"; did you mean \"HostName\"?"),
            ("a-{{ labels }}", "holds several"),
            ("a-{{ HostName", "plain text"),
            ("a-}}", "plain text"),
            ("a-{% if PID %}b{% endif %}", "plain text"),
            ("a-{{ HostName | lower }}", "found \"HostName | lower\""),
        ] {
            let error = Prefixed::parse(text).expect_err("a mistake");
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
