//! Cutting texts to a length, with a mark, never within a character.
//!
//! Lengths are UTF-16 units: what most chats count, and never less than characters.

use crate::contract::{acts, push_visible};

/// Stands where a text was cut.
const MARK: char = '…';

/// The length of a text as most chats count it.
pub(crate) fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The text as `write` writes its characters, cut so that it is no longer than `most` and with a
/// mark where it was cut. What joins a character (an accent, a tone) stays with it.
pub(crate) fn fitted(text: &str, most: usize, write: impl Fn(char, &mut String)) -> String {
    let mut out = String::with_capacity(text.len().min(most));
    let (mut units, mut safe) = (0, 0);
    for c in text.chars() {
        if units < most && !joins(c) {
            safe = out.len();
        }
        let start = out.len();
        write(c, &mut out);
        units += utf16_len(&out[start..]);
        if units > most {
            out.truncate(safe);
            if most > 0 {
                out.push(MARK);
            }
            return out;
        }
    }
    out
}

/// Writes a character of a text as HTML has it.
pub(crate) fn push_html(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        c => out.push(c),
    }
}

/// The text on one line with each character visible, cut.
pub(super) fn visible(text: &str, most: usize) -> String {
    fitted(text.trim(), most, push_visible)
}

/// The text with its lines as they are and every other character visible, cut.
pub(super) fn visible_lines(text: &str, most: usize) -> String {
    fitted(text, most, |c, out| match c {
        '\n' | '\t' => out.push(c),
        '\r' => {}
        c => push_visible(c, out),
    })
}

/// Marks, variation selectors and skin tones, which change the character before them. (Joiners are
/// written out as what acts.)
fn joins(c: char) -> bool {
    !acts(c)
        && matches!(c,
            '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}'
            | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &str, most: usize) -> String {
        fitted(text, most, |c, out| out.push(c))
    }

    #[test]
    fn a_cut_has_a_mark_and_is_never_within_a_character() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("🦀🦀", 4), "🦀🦀");
        assert_eq!(cut("🦀🦀", 3), "🦀…");
        assert_eq!(cut("🦀🦀", 2), "…");
        assert_eq!(cut("abc", 0), "");
        // An accent is not torn from its letter, nor a tone from its hand.
        assert_eq!(cut("xe\u{301}y", 3), "x…");
        assert_eq!(cut("👋\u{1f3fd}!", 4), "…");
    }

    #[test]
    fn an_escape_is_whole_or_not_there() {
        let escape = |c: char, out: &mut String| match c {
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        };
        assert_eq!(fitted("a&b", 7, escape), "a&amp;b");
        assert_eq!(fitted("a&b", 6, escape), "a…");
        assert_eq!(fitted("a&bc", 7, escape), "a&amp;…");
        assert_eq!(visible("a\u{202e}", 9), "a\\u{202e}");
        assert_eq!(visible("a\u{202e}b", 9), "a…");
    }

    proptest! {
        #[test]
        fn no_cut_is_too_long_and_what_fits_is_whole(text in any::<String>(), most in 0_usize..80) {
            let out = cut(&text, most);
            prop_assert!(utf16_len(&out) <= most);
            prop_assert_eq!(out == text, utf16_len(&text) <= most);
            let kept = out.strip_suffix(MARK).unwrap_or(&out);
            prop_assert!(text.starts_with(kept));
        }
    }
}
