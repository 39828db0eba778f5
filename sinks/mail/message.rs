//! A message as RFC 5322 and MIME have it: headers that nothing can be added to, a text and an
//! HTML part in quoted-printable. Pure: its date and id are the event's.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

/// Of an encoded word, its marks included (RFC 2047, 2).
const MAX_ENCODED_WORD_CHARS: usize = 75;
/// Of a line of quoted-printable, its soft break included (RFC 2045, 6.7).
const MAX_QUOTED_LINE_CHARS: usize = 76;

/// Appends a header whose value is ASCII of our own: addresses, ids, dates.
///
/// # Panics
/// The value holds what could end the line; it is made of checked parts.
pub(super) fn header(name: &str, value: &str, out: &mut String) {
    assert!(
        value.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "a header's value is visible ASCII"
    );
    out.push_str(&format!("{name}: {value}\r\n"));
}

/// Appends a header whose value is any text: as encoded words where it is more than plain ASCII.
pub(super) fn text_header(name: &str, text: &str, out: &mut String) {
    out.push_str(&format!("{name}: {}\r\n", words(text, name.len() + 2)));
}

/// A text for a header: as it is where that is safe and short, else as encoded words in UTF-8,
/// folded. `used` characters of the first line are taken.
pub(super) fn words(text: &str, used: usize) -> String {
    let is_plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if is_plain && !text.contains("=?") && used + text.len() <= MAX_ENCODED_WORD_CHARS {
        return text.to_owned();
    }
    const START: &str = "=?utf-8?B?";
    const END: &str = "?=";
    // Base64 makes four characters of three bytes; a word holds whole characters.
    let room = |used: usize| (MAX_ENCODED_WORD_CHARS - used - START.len() - END.len()) / 4 * 3;
    let (mut encoded, mut word, mut most) = (String::new(), String::new(), room(used));
    let mut push = |word: &str| {
        if !encoded.is_empty() {
            encoded.push_str("\r\n ");
        }
        encoded.push_str(&format!("{START}{}{END}", BASE64.encode(word)));
    };
    for c in text.chars() {
        if word.len() + c.len_utf8() > most {
            push(&word);
            word.clear();
            most = room(1);
        }
        word.push(c);
    }
    push(&word);
    encoded
}

/// Appends a part of a multipart message in UTF-8.
pub(super) fn part(boundary: &str, kind: &str, text: &str, out: &mut String) {
    out.push_str(&format!(
        "--{boundary}\r\nContent-Type: {kind}; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    ));
    for line in text.lines() {
        quoted_printable(line, out);
        out.push_str("\r\n");
    }
}

/// One line: what is not visible ASCII is written out, and what is long goes on in the next line.
fn quoted_printable(line: &str, out: &mut String) {
    let bytes = line.as_bytes();
    let mut column = 0;
    for (index, byte) in bytes.iter().enumerate() {
        let is_last = index + 1 == bytes.len();
        let is_plain = match byte {
            b'=' => false,
            // A blank at a line's end is lost on the way, a dot or "From" at its start altered.
            b' ' | b'\t' => !is_last,
            b'.' | b'F' if column == 0 => false,
            byte => (b'!'..=b'~').contains(byte),
        };
        let length = if is_plain { 1 } else { 3 };
        if column + length > MAX_QUOTED_LINE_CHARS - 1 {
            out.push_str("=\r\n");
            column = 0;
            // The new line may begin with what must not begin one.
            if matches!(byte, b'.' | b'F') {
                out.push_str(&format!("={byte:02X}"));
                column = 3;
                continue;
            }
        }
        if is_plain {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("={byte:02X}"));
        }
        column += length;
    }
}

/// A moment as `Date` has it, in UTC, in the years 1970 to 9999.
pub(super) fn date(micros: i64) -> String {
    let moment = jiff::Timestamp::from_microsecond(micros.max(0)).unwrap_or(jiff::Timestamp::MAX);
    moment.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a reader makes of quoted-printable, by the RFC's rules.
    fn unquoted(text: &str) -> Vec<u8> {
        let text = text.replace("=\r\n", "");
        let mut bytes = text.bytes();
        let mut out = Vec::new();
        while let Some(byte) = bytes.next() {
            if byte != b'=' {
                out.push(byte);
                continue;
            }
            let hex: String = [bytes.next(), bytes.next()]
                .map(|b| char::from(b.expect("two digits")))
                .into_iter()
                .collect();
            out.push(u8::from_str_radix(&hex, 16).expect("hexadecimal digits"));
        }
        out
    }

    /// What a reader makes of encoded words.
    fn unworded(text: &str) -> String {
        let text = text.replace("\r\n ", "");
        if !text.starts_with("=?utf-8?B?") {
            return text;
        }
        let words = text.split("=?utf-8?B?").skip(1);
        let bytes = words.flat_map(|word| {
            BASE64.decode(word.strip_suffix("?=").expect("an end")).expect("base64")
        });
        String::from_utf8(bytes.collect()).expect("UTF-8")
    }

    #[test]
    fn plain_words_stay_and_all_else_is_encoded() {
        assert_eq!(words("Blocked: apt", 9), "Blocked: apt");
        assert_eq!(words("näme", 9), "=?utf-8?B?bsOkbWU=?=");
        assert_eq!(words("=?utf-8?q?=0D=0A?=", 9), "=?utf-8?B?PT91dGYtOD9xPz0wRD0wQT89?=");
        assert_eq!(unworded(&words("a\r\nBcc: x@y", 9)), "a\r\nBcc: x@y");
    }

    #[test]
    fn dates_are_those_of_mail() {
        assert_eq!(date(1_789_899_072_000_678), "Sun, 20 Sep 2026 10:11:12 +0000");
        assert_eq!(date(-1), "Thu, 01 Jan 1970 00:00:00 +0000");
        assert!(date(i64::MAX).contains(" 9999 "));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        #[test]
        fn any_text_comes_back_from_a_header(text in any::<String>(), used in 2..30_usize) {
            let encoded = words(&text, used);
            prop_assert!(encoded.is_ascii());
            for (index, line) in encoded.split("\r\n").enumerate() {
                prop_assert!(!line.contains(['\r', '\n']));
                let before = if index == 0 { used } else { 0 };
                prop_assert!(before + line.len() <= 76);
                prop_assert!(index == 0 || line.starts_with(' '));
            }
            prop_assert_eq!(unworded(&encoded), text);
        }

        #[test]
        fn any_line_comes_back_from_a_part(text in "[^\r\n]{0,200}") {
            let mut out = String::new();
            quoted_printable(&text, &mut out);
            prop_assert!(out.split("\r\n").all(|line| line.len() <= 76 && line.is_ascii()));
            prop_assert!(out.split("\r\n").all(|line| !line.starts_with('.') && !line.starts_with("From")));
            prop_assert_eq!(unquoted(&out), text.as_bytes());
        }
    }
}
