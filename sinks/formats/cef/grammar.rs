//! The standard's grammar, read strictly: its escapes, and the keys, types and lengths of its
//! dictionary (version 27, producers' keys of CEF 0.1). Written from the standard, not from what
//! we write.

use std::{collections::HashMap, net::Ipv4Addr, net::Ipv6Addr};

/// What a line says.
#[derive(Debug)]
pub(super) struct Line {
    /// Vendor, product, version, class, name and severity.
    pub(super) header: [String; 6],
    /// The keys and their values.
    pub(super) extension: HashMap<String, String>,
}

/// What a key of the dictionary holds; texts with their length.
enum Kind {
    Text(usize),
    Integer,
    Long,
    Port,
    Time,
    V4,
    V6,
}

fn kind(key: &str) -> Option<Kind> {
    Some(match key {
        "proto" => Kind::Text(31),
        "externalId" => Kind::Text(40),
        "act" | "outcome" => Kind::Text(63),
        "dvchost" => Kind::Text(100),
        "flexString1Label" | "flexString2Label" => Kind::Text(128),
        "deviceExternalId" | "fileHash" => Kind::Text(255),
        "cs1" | "cs2" | "cs3" | "cs4" | "cs5" | "cs6" => Kind::Text(4000),
        "cat" | "msg" | "reason" | "deviceFacility" | "dhost" | "sproc" | "dproc" | "suid"
        | "suser" | "filePath" | "fname" | "flexString1" | "flexString2" | "cs1Label"
        | "cs2Label" | "cs3Label" | "cs4Label" | "cs5Label" | "cs6Label" | "cn1Label"
        | "cn2Label" | "c6a1Label" | "c6a3Label" => Kind::Text(1023),
        "cnt" | "type" | "deviceDirection" | "spid" | "dpid" => Kind::Integer,
        "cn1" | "cn2" => Kind::Long,
        "spt" | "dpt" => Kind::Port,
        "rt" | "start" | "end" => Kind::Time,
        "src" | "dst" | "dvc" => Kind::V4,
        "c6a1" | "c6a3" => Kind::V6,
        _ => return None,
    })
}

/// Reads a line, or says what is wrong with it.
pub(super) fn read(line: &str) -> Result<Line, String> {
    if let Some(c) = line.chars().find(|c| c.is_control()) {
        return Err(format!("the control character {c:?}"));
    }
    let rest = line.strip_prefix("CEF:0|").ok_or("no CEF:0| at its beginning")?;
    let (header, extension) = header(rest)?;
    for (field, max) in header.iter().zip([63, 63, 31, 1023, 512, 2]) {
        if field.is_empty() || field.chars().count() > max {
            return Err(format!("a header field of {} characters: {field}", field.len()));
        }
    }
    match header[5].parse() {
        Ok(0..=10_u8) => {}
        _ => return Err(format!("the severity {}", header[5])),
    }
    let mut pairs = HashMap::new();
    for (key, value) in pairs_of(extension)? {
        check(&key, &value)?;
        if pairs.insert(key.clone(), value).is_some() {
            return Err(format!("{key} twice"));
        }
    }
    for key in pairs.keys().filter(|key| !key.starts_with("KubeArmor")) {
        let labelled = ["cs", "cn", "c6a", "flexString"]
            .iter()
            .any(|group| key.strip_prefix(group).is_some_and(|rest| rest.parse::<u8>().is_ok()));
        if labelled && !pairs.contains_key(&format!("{key}Label")) {
            return Err(format!("{key} without its label"));
        }
        let labels = key.strip_suffix("Label");
        if labels.is_some_and(|labelled| !pairs.contains_key(labelled)) {
            return Err(format!("{key} without what it labels"));
        }
    }
    Ok(Line { header, extension: pairs })
}

fn header(text: &str) -> Result<([String; 6], &str), String> {
    let mut fields: [String; 6] = Default::default();
    let (mut field, mut chars) = (0, text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '|' if field == 5 => return Ok((fields, &text[at + 1..])),
            '|' => field += 1,
            '\\' => match chars.next() {
                Some((_, c @ ('\\' | '|'))) => fields[field].push(c),
                other => return Err(format!("{other:?} escaped in the header")),
            },
            c => fields[field].push(c),
        }
    }
    Err("a header of too few fields".to_owned())
}

/// Keys stand before signs that are not escaped; a value goes on to the space before the next key.
fn pairs_of(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut signs = Vec::new();
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '=' if !escaped => signs.push(at),
            '=' | 'n' | 'r' | '\\' => {}
            other if escaped => return Err(format!("{other:?} escaped in the extension")),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    if escaped {
        return Err("a backslash at the end".to_owned());
    }
    let mut starts = Vec::new();
    for sign in &signs {
        let start = text[..*sign].rfind(' ').map_or(0, |space| space + 1);
        starts.push(start);
    }
    if starts.first().is_some_and(|start| *start != 0) {
        return Err("something before the first key".to_owned());
    }
    let mut pairs = Vec::new();
    for (index, (start, sign)) in starts.iter().zip(&signs).enumerate() {
        let end = starts.get(index + 1).map_or(text.len(), |next| next - 1);
        let value = text.get(sign + 1..end).ok_or("a key within a key")?;
        pairs.push((text[*start..*sign].to_owned(), unescaped(value)));
    }
    Ok(pairs)
}

fn unescaped(value: &str) -> String {
    let mut plain = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => plain.push('\n'),
                Some('r') => plain.push('\r'),
                Some(c) => plain.push(c),
                None => {}
            },
            c => plain.push(c),
        }
    }
    plain
}

fn check(key: &str, value: &str) -> Result<(), String> {
    let is_right = match kind(key) {
        _ if value.is_empty() => false,
        Some(Kind::Text(max)) => value.chars().count() <= max,
        Some(Kind::Integer) => value.parse::<i32>().is_ok_and(|number| number >= 0),
        Some(Kind::Long) => value.parse::<i64>().is_ok(),
        Some(Kind::Port) => value.parse::<u16>().is_ok(),
        Some(Kind::Time) => value.parse::<i64>().is_ok_and(|millis| millis >= 0),
        Some(Kind::V4) => value.parse::<Ipv4Addr>().is_ok(),
        Some(Kind::V6) => value.parse::<Ipv6Addr>().is_ok(),
        // A key of one's own: the vendor's name, then letters and digits.
        None => {
            let name = key.strip_prefix("KubeArmor").unwrap_or_default();
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        }
    };
    is_right.then_some(()).ok_or_else(|| format!("the key {key} with the value {value:?}"))
}
