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

/// Whether it is printable ASCII alone, as nearly all text is: looked at without a branch a byte.
fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |plain, byte| plain & (b' '..=b'~').contains(&byte))
}

/// The text with each character written out that would break or bend a line.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    visible_where(text, |_| true)
}

/// The text with each character that would break or bend a line, and that `which` picks, written
/// out.
pub(super) fn visible_where(text: &str, which: impl Fn(char) -> bool) -> Cow<'_, str> {
    if is_plain(text) || !text.chars().any(|c| which(c) && bends(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match written_out(c).filter(|_| which(c)) {
            Some(instead) => out.push_str(&instead),
            None => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// A character that would break or bend a line, written out: `\n`, `\x1b`, `\u{2028}`. Nothing
/// for any other.
fn written_out(c: char) -> Option<String> {
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

/// Appends a text, each character as it is or as `escaped` has it, which knows ASCII alone.
pub(crate) fn write_escaped(
    text: &str,
    out: &mut Vec<u8>,
    escaped: impl Fn(u8) -> Option<&'static str>,
) {
    let text = text.as_bytes();
    // Looked at without a branch a byte, for nearly all text has nothing to escape.
    if !text.iter().fold(false, |any, byte| any | escaped(*byte).is_some()) {
        return out.extend_from_slice(text);
    }
    let mut plain = 0;
    for (at, byte) in text.iter().enumerate() {
        if let Some(escape) = escaped(*byte) {
            out.extend_from_slice(&text[plain..at]);
            out.extend_from_slice(escape.as_bytes());
            plain = at + 1;
        }
    }
    out.extend_from_slice(&text[plain..]);
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
        let text = visible("a\r\n\t\0\x1b[31m\u{85}\u{2028}ä\x7f");
        assert_eq!(text, r"a\r\n\t\x00\x1b[31m\u{85}\u{2028}ä\x7f");
        assert_eq!(visible_where("a\r\n\0", |c| c != '\n'), "a\\r\n\\x00");
        assert!(matches!(visible("/usr/bin/curl -s ~"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_is_escaped_stands_where_it_was() {
        let mut out = Vec::new();
        write_escaped("a=ä\n=", &mut out, |byte| match byte {
            b'=' => Some("\\="),
            b'\n' => Some("\\n"),
            _ => None,
        });
        assert_eq!(String::from_utf8_lossy(&out), r"a\=ä\n\=");
    }
}
