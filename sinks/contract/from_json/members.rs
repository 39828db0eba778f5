//! The members of a JSON object, taken out by name and type; none may be left over.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::contract::did_you_mean;

/// The members not taken yet, and every name that was asked for.
pub(super) struct Members {
    left: Map<String, Value>,
    known: Vec<&'static str>,
    /// The name of this object within its own; empty at the top.
    name: &'static str,
}

impl Members {
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        match serde_json::from_str(line) {
            Ok(Value::Object(left)) => Ok(Self { left, known: Vec::new(), name: "" }),
            Ok(other) => Err(format!(
                "reading an event: expected one object of KubeArmor's JSON, found {}",
                kind_of(&other)
            )),
            Err(error) => Err(format!(
                "reading an event: expected one object of KubeArmor's JSON on one line: {error}"
            )),
        }
    }

    /// A text, without taking it.
    pub(super) fn peek(&self, name: &str) -> Option<&str> {
        self.left.get(name)?.as_str()
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<String, String> {
        match self.take(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(self.wrong(name, "text", &other)),
        }
    }

    pub(super) fn number<N: TryFrom<i64> + Default>(
        &mut self,
        name: &'static str,
    ) -> Result<N, String> {
        let Some(value) = self.take(name) else { return Ok(N::default()) };
        let number = value.as_i64().and_then(|number| N::try_from(number).ok());
        number.ok_or_else(|| {
            let expected = format!("a whole number of {} bits", size_of::<N>() * 8);
            self.wrong(name, &expected, &value)
        })
    }

    pub(super) fn texts(&mut self, name: &'static str) -> Result<Vec<String>, String> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => {
                values.into_iter().map(|value| self.item(name, "a list of texts", value)).collect()
            }
            Some(other) => Err(self.wrong(name, "a list of texts", &other)),
        }
    }

    pub(super) fn texts_by_name<H: std::hash::BuildHasher + Default>(
        &mut self,
        name: &'static str,
    ) -> Result<HashMap<String, String, H>, String> {
        match self.take(name) {
            None => Ok(HashMap::default()),
            Some(Value::Object(values)) => values
                .into_iter()
                .map(|(key, value)| Ok((key, self.item(name, "an object of texts", value)?)))
                .collect(),
            Some(other) => Err(self.wrong(name, "an object of texts", &other)),
        }
    }

    pub(super) fn object<T>(
        &mut self,
        name: &'static str,
        read: fn(&mut Members) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(left)) => {
                let mut members = Members { left, known: Vec::new(), name };
                let object = read(&mut members)?;
                members.finish()?;
                Ok(Some(object))
            }
            Some(other) => Err(self.wrong(name, "an object", &other)),
        }
    }

    /// Complains of the first member nobody asked for.
    pub(super) fn finish(self) -> Result<(), String> {
        let Some(unknown) = self.left.keys().next() else { return Ok(()) };
        let of = self.of();
        let hint = did_you_mean(unknown, self.known.iter().copied());
        Err(format!("reading an event: unknown key \"{unknown}\"{of}{hint}"))
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.left.remove(name)
    }

    fn item(&self, name: &str, expected: &str, value: Value) -> Result<String, String> {
        match value {
            Value::String(text) => Ok(text),
            other => Err(self.wrong(name, expected, &other)),
        }
    }

    fn of(&self) -> String {
        if self.name.is_empty() { String::new() } else { format!(" of {}", self.name) }
    }

    fn wrong(&self, name: &str, expected: &str, found: &Value) -> String {
        let of = self.of();
        let kind = kind_of(found);
        format!("reading an event: expected \"{name}\"{of} to be {expected}, found {kind}")
    }
}

fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
