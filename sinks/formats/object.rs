//! A JSON object, written member by member straight into the buffer.
//!
//! What is empty leaves no trace: a text, a list, an object without members. Numbers are written
//! as they are; whether 0 says something is the caller's to know. Names are constants of ours.

use crate::contract::json::{write_escaped, write_int};

/// An object that is being written.
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

/// Appends one object, even where it has no members.
pub(super) fn write(out: &mut Vec<u8>, members: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    members(&mut Object { out, empty: true });
    out.push(b'}');
}

impl Object<'_> {
    /// A text.
    #[inline]
    pub(super) fn text(&mut self, name: &'static str, value: &str) {
        if !value.is_empty() {
            self.name(name);
            string(value, self.out);
        }
    }

    /// A text in ASCII lower case.
    pub(super) fn lower(&mut self, name: &'static str, value: &str) {
        if !value.is_empty() {
            self.name(name);
            lower(value, self.out);
        }
    }

    /// A text made of parts; none where all of them are empty.
    pub(super) fn joined(&mut self, name: &'static str, parts: &[&str]) {
        if parts.iter().any(|part| !part.is_empty()) {
            self.name(name);
            joined(parts, self.out);
        }
    }

    /// A text that someone else appends, who needs no escapes.
    pub(super) fn plain(&mut self, name: &'static str, value: impl FnOnce(&mut Vec<u8>)) {
        self.name(name);
        self.out.push(b'"');
        value(self.out);
        self.out.push(b'"');
    }

    /// A number.
    #[inline]
    pub(super) fn number(&mut self, name: &'static str, value: i64) {
        self.name(name);
        write_int(self.out, value);
    }

    /// A number as a text.
    pub(super) fn digits(&mut self, name: &'static str, value: i64) {
        self.plain(name, |out| write_int(out, value));
    }

    /// A number, unless it is 0.
    #[inline]
    pub(super) fn some_number(&mut self, name: &'static str, value: impl Into<i64>) {
        match value.into() {
            0 => {}
            value => self.number(name, value),
        }
    }

    /// A condition.
    pub(super) fn condition(&mut self, name: &'static str, value: bool) {
        self.name(name);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// An object.
    pub(super) fn object(&mut self, name: &'static str, members: impl FnOnce(&mut Object<'_>)) {
        let (before, empty) = (self.out.len(), self.empty);
        self.name(name);
        self.out.push(b'{');
        let mut inner = Object { out: &mut *self.out, empty: true };
        members(&mut inner);
        if inner.empty {
            self.out.truncate(before);
            self.empty = empty;
        } else {
            self.out.push(b'}');
        }
    }

    /// A list.
    pub(super) fn list(&mut self, name: &'static str, items: impl FnOnce(&mut List<'_>)) {
        let (before, empty) = (self.out.len(), self.empty);
        self.name(name);
        self.out.push(b'[');
        let mut inner = List { out: &mut *self.out, empty: true };
        items(&mut inner);
        if inner.empty {
            self.out.truncate(before);
            self.empty = empty;
        } else {
            self.out.push(b']');
        }
    }

    /// A list of texts.
    pub(super) fn texts<'t>(
        &mut self,
        name: &'static str,
        values: impl IntoIterator<Item = &'t str>,
    ) {
        self.list(name, |list| values.into_iter().for_each(|value| list.text(value)));
    }

    #[inline]
    fn name(&mut self, name: &'static str) {
        self.out.extend_from_slice(if self.empty { b"\"" } else { b",\"" });
        self.empty = false;
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

/// A list that is being written.
pub(super) struct List<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl List<'_> {
    /// A text.
    pub(super) fn text(&mut self, value: &str) {
        if !value.is_empty() {
            self.next();
            string(value, self.out);
        }
    }

    /// A text made of parts; none where all of them are empty.
    pub(super) fn joined(&mut self, parts: &[&str]) {
        if parts.iter().any(|part| !part.is_empty()) {
            self.next();
            joined(parts, self.out);
        }
    }

    /// An object.
    pub(super) fn object(&mut self, members: impl FnOnce(&mut Object<'_>)) {
        let (before, empty) = (self.out.len(), self.empty);
        self.next();
        self.out.push(b'{');
        let mut inner = Object { out: &mut *self.out, empty: true };
        members(&mut inner);
        if inner.empty {
            self.out.truncate(before);
            self.empty = empty;
        } else {
            self.out.push(b'}');
        }
    }

    fn next(&mut self) {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
    }
}

fn string(value: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    write_escaped(value, out);
    out.push(b'"');
}

fn joined(parts: &[&str], out: &mut Vec<u8>) {
    out.push(b'"');
    for part in parts {
        write_escaped(part, out);
    }
    out.push(b'"');
}

fn lower(value: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    if value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        out.extend(value.bytes().map(|byte| byte.to_ascii_lowercase()));
    } else {
        write_escaped(&value.to_ascii_lowercase(), out);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(members: impl FnOnce(&mut Object<'_>)) -> String {
        let mut out = b"before".to_vec();
        write(&mut out, members);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn what_is_empty_leaves_no_trace() {
        assert_eq!(written(|_| {}), "before{}");
        let all = written(|o| {
            o.text("a", "");
            o.object("b", |o| o.object("c", |o| o.texts("d", ["", ""])));
            o.lower("e", "");
            o.joined("f", &["", ""]);
            o.some_number("g", 0);
            o.number("h", 0);
        });
        assert_eq!(all, r#"before{"h":0}"#);
    }

    #[test]
    fn members_are_parted_wherever_they_stand() {
        let all = written(|o| {
            o.text("a", "\"<\n");
            o.object("b", |o| {
                o.number("c", -7);
                o.condition("d", true);
                o.object("e", |o| o.text("f", ""));
                o.lower("g", "SYS_Ä");
            });
            o.list("h", |l| {
                l.text("1");
                l.text("");
                l.object(|o| o.text("a", ""));
                l.joined(&["2", "", "3"]);
                l.object(|o| o.text("a", "4"));
            });
            o.plain("i", |out| out.push(b'x'));
            o.joined("j", &["k=", "\\"]);
        });
        assert_eq!(
            all,
            r#"before{"a":"\"\u003c\n","b":{"c":-7,"d":true,"g":"sys_Ä"},"h":["1","23",{"a":"4"}],"i":"x","j":"k=\\"}"#
        );
    }
}
