//! Text of strangers, made safe for eyes.
//!
//! A process may be named after an escape sequence that recolours, retitles or types into the
//! terminal of whoever looks at its events, or after a character that turns the line's direction.
//! What people are shown of an event goes through here, and nothing but what can be seen comes out.

use std::fmt::Write as _;

/// Appends `text` with every character that a terminal would act upon written out: `\n`, `\x1b`,
/// `\u{202e}`.
pub fn write_visible(text: &str, out: &mut Vec<u8>) {
    let mut plain = 0;
    let mut written = String::new();
    for (at, c) in text.char_indices().filter(|(_, c)| acts(*c)) {
        out.extend_from_slice(&text.as_bytes()[plain..at]);
        plain = at + c.len_utf8();
        written.clear();
        push_visible(c, &mut written);
        out.extend_from_slice(written.as_bytes());
    }
    out.extend_from_slice(&text.as_bytes()[plain..]);
}

/// Appends one character, written out where it would act.
pub(crate) fn push_visible(c: char, out: &mut String) {
    match c {
        '\n' | '\r' | '\t' => out.extend(c.escape_default()),
        '\0'..='\x7f' if acts(c) => {
            write!(out, "\\x{:02x}", u32::from(c)).expect("a string takes every write");
        }
        _ if acts(c) => out.extend(c.escape_unicode()),
        _ => out.push(c),
    }
}

/// The start of a text, cut between two characters.
pub fn start_of(text: &str, max_bytes: usize) -> &str {
    let end = (0..=max_bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or_default()]
}

/// Controls of C0 and C1, separators of lines, and the invisible characters that change how those
/// around them are shown: marks of direction, joiners, tags, the byte order mark.
pub(crate) fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        let mut out = Vec::new();
        write_visible(text, &mut out);
        String::from_utf8(out).expect("what is written is text")
    }

    #[test]
    fn an_escape_sequence_is_shown_and_not_obeyed() {
        assert_eq!(shown("\x1b]0;title\x07\x1b[2J"), r"\x1b]0;title\x07\x1b[2J");
        assert_eq!(shown("\u{9b}31m\x7f"), r"\u{9b}31m\x7f");
        assert_eq!(shown("a\r\n\tb\0"), r"a\r\n\tb\x00");
    }

    #[test]
    fn a_turned_line_is_shown_straight() {
        assert_eq!(shown("gnp.\u{202e}exe"), r"gnp.\u{202e}exe");
        assert_eq!(shown("pay\u{200b}pal"), r"pay\u{200b}pal");
    }

    #[test]
    fn what_can_be_seen_stays_as_it_is() {
        let text = "/usr/bin/curl --user ä:ö 日本 \\ \"x\"";
        assert_eq!(shown(text), text);
    }

    proptest! {
        #[test]
        fn no_text_brings_a_terminal_to_act(text in any::<String>()) {
            prop_assert!(!shown(&text).chars().any(acts));
        }
    }
}
