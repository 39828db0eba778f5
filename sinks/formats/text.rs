//! Text of strangers on its way into a line of keys and values.

use std::borrow::Cow;

/// Stands at the end of what was cut.
const MARK: &str = "…";

/// The text, or as much of it as fits into so many bytes with a mark behind it; never a part of a
/// character.
pub(crate) fn cut(text: &str, max_bytes: usize) -> Cow<'_, str> {
    if text.len() <= max_bytes {
        return Cow::Borrowed(text);
    }
    let end = boundary(text, max_bytes.saturating_sub(MARK.len()));
    Cow::Owned(format!("{}{MARK}", &text[..end]))
}

/// The last place not behind `at` where no character is cut.
pub(super) fn boundary(text: &str, at: usize) -> usize {
    let mut end = at.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}

/// The text with each character written out that would break or bend a line.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    visible_where(text, |_| true)
}

/// The text with each character that would break or bend a line, and that `which` picks, written
/// out.
pub(super) fn visible_where(text: &str, which: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(|c| which(c) && bends(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len() + 16);
    write(text, &mut out, |c| if which(c) { written_out(c) } else { None });
    Cow::Owned(String::from_utf8(out).expect("characters of a text are a text"))
}

/// A character that would break or bend a line, written out: `\n`, `\x1b`, `\u{2028}`. Nothing
/// for any other.
pub(super) fn written_out(c: char) -> Option<String> {
    match c {
        '\n' | '\r' | '\t' => Some(c.escape_default().collect()),
        '\0'..='\x1f' | '\x7f' => Some(format!("\\x{:02x}", c as u32)),
        c if bends(c) => Some(c.escape_unicode().collect()),
        _ => None,
    }
}

/// Controls of C0 and C1, and the separators that some take for the end of a line.
fn bends(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Appends a text, each character as it is or as `instead` has it.
pub(super) fn write(text: &str, out: &mut Vec<u8>, instead: impl Fn(char) -> Option<String>) {
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        if let Some(instead) = instead(c) {
            out.extend_from_slice(&text.as_bytes()[plain..at]);
            out.extend_from_slice(instead.as_bytes());
            plain = at + c.len_utf8();
        }
    }
    out.extend_from_slice(&text.as_bytes()[plain..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_keeps_characters_whole() {
        assert_eq!(cut("schön", 6), "schön");
        assert_eq!(cut("schöne", 6), "sch…");
        assert_eq!(cut("🦀🦀", 7), "🦀…");
        assert_eq!(cut("🦀🦀", 6), "…");
    }

    #[test]
    fn what_bends_a_line_is_written_out() {
        let mut out = Vec::new();
        write("a\r\n\t\0\x1b[31m\u{85}\u{2028}ä", &mut out, written_out);
        assert_eq!(String::from_utf8_lossy(&out), r"a\r\n\t\x00\x1b[31m\u{85}\u{2028}ä");
    }
}
