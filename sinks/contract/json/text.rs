//! Texts and numbers as Go's `encoding/json` writes them (Go 1.22 or newer).

/// Bytes looked at in one step; the compiler makes a few vector instructions of it.
const STEP: usize = 16;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends a text in quotes. Beyond what JSON asks for, Go escapes `<`, `>`, `&` and the line
/// separators U+2028 and U+2029, so that its JSON can stand within HTML and JavaScript.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    write_escaped(text, out);
    out.push(b'"');
}

/// Appends what stands between the quotes.
pub(crate) fn write_escaped(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    match next_suspect(bytes, 0) {
        None => out.extend_from_slice(bytes),
        Some(found) => write_from(bytes, found, out),
    }
}

#[cold]
fn write_from(bytes: &[u8], first: usize, out: &mut Vec<u8>) {
    let mut written = 0;
    let mut suspect = Some(first);
    while let Some(found) = suspect {
        let mut next = found + 1;
        if let Some(length) = escaped_length(&bytes[found..]) {
            out.extend_from_slice(&bytes[written..found]);
            next = found + length;
            write_escape(&bytes[found..next], out);
            written = next;
        }
        suspect = next_suspect(bytes, next);
    }
    out.extend_from_slice(&bytes[written..]);
}

/// Appends a number in decimal.
pub(crate) fn write_int(out: &mut Vec<u8>, number: i64) {
    const LONGEST: usize = 20;
    let mut digits = [0; LONGEST];
    let mut at = LONGEST;
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Where the next byte stands that may need an escape.
fn next_suspect(bytes: &[u8], from: usize) -> Option<usize> {
    let (steps, _) = bytes[from..].as_chunks::<STEP>();
    // No early end within a step, so that all its bytes are compared at once.
    let clean = |step: &&[u8; STEP]| !step.iter().fold(false, |any, byte| any | is_suspect(*byte));
    let at = from + STEP * steps.iter().take_while(clean).count();
    let found = bytes[at..].iter().position(|byte| SUSPECT[usize::from(*byte)]);
    found.map(|found| at + found)
}

const SUSPECT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = is_suspect(byte as u8);
        byte += 1;
    }
    table
};

/// Four comparisons for six bytes: `"` and `&` differ in one bit, as do `<` and `>`. 0xE2 begins
/// U+2028 and U+2029, and much that is harmless.
const fn is_suspect(byte: u8) -> bool {
    (byte < b' ') | (byte & !4 == b'"') | (byte & !2 == b'<') | (byte == b'\\') | (byte == 0xe2)
}

/// How many bytes make up what a suspect begins; nothing where it is harmless.
fn escaped_length(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0xe2, 0x80, 0xa8 | 0xa9, ..] => Some(3),
        [0xe2, ..] => None,
        _ => Some(1),
    }
}

fn write_escape(bytes: &[u8], out: &mut Vec<u8>) {
    let short = match bytes[0] {
        b'"' => b'"',
        b'\\' => b'\\',
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0xe2 => {
            out.extend_from_slice(b"\\u202");
            return out.push(HEX[usize::from(bytes[2] & 0xf)]);
        }
        byte => {
            out.extend_from_slice(b"\\u00");
            return out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]]);
        }
    };
    out.extend([b'\\', short]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        write_text(text, &mut out);
        String::from_utf8(out).expect("text stays text")
    }

    #[test]
    fn every_escape_is_the_one_go_writes() {
        // What Go 1.26 printed for the same text.
        let text: String = (0..0x80)
            .map(char::from)
            .chain("\u{80}ÿ\u{2027}\u{2028}\u{2029}\u{202e}あ".chars())
            .collect();
        let expected = concat!(
            r##""\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f"##,
            r##"\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c"##,
            r##"\u001d\u001e\u001f !\"#$%\u0026'()*+,-./0123456789:;\u003c=\u003e?@ABCDEFGHIJK"##,
            r##"LMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"##,
            "\u{7f}\u{80}ÿ\u{2027}",
            r"\u2028\u2029",
            "\u{202e}あ\"",
        );
        assert_eq!(written(&text), expected);
    }

    #[test]
    fn numbers_are_whole_from_end_to_end() {
        for number in [0, 7, -1, 10, 4_711, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            write_int(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }

    proptest! {
        #[test]
        fn any_text_survives(text in "(?s)[a-z<\u{2028}€]{0,40}.{0,40}") {
            let read: String = serde_json::from_str(&written(&text)).expect("JSON");
            prop_assert_eq!(&read, &text);
            let raw = ['<', '>', '&', '\u{2028}', '\u{2029}'];
            prop_assert!(!written(&text).contains(raw));
        }
    }
}
