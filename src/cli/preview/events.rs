//! The events a preview is of: the samples, or lines of JSON in KubeArmor's own form.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use sidearm_sinks::contract::{Stream, from_json, samples as all_samples};

/// A file of events is read up to this size, in bytes: a preview is for the eye.
const MAX_BYTES: u64 = 16 << 20;

/// One event to look at.
pub(super) struct Given {
    /// What it is called in what is printed.
    pub(super) name: String,
    pub(super) stream: Stream,
    pub(super) message: Vec<u8>,
}

/// Every sample event.
pub(super) fn samples() -> Vec<Given> {
    let given = |(name, line): &(&str, &str)| {
        let (stream, message) = from_json::read(line).expect("samples are tested");
        Given { name: format!("the sample {name}"), stream, message }
    };
    all_samples().iter().map(given).collect()
}

/// Reads one event a line; `-` is standard input. The error says which line is none.
pub(super) fn read(path: &Path) -> Result<Vec<Given>, String> {
    let (name, text) = if path == Path::new("-") {
        ("standard input".to_owned(), text_of(io::stdin().lock()))
    } else {
        (path.display().to_string(), File::open(path).and_then(text_of))
    };
    let text = text.map_err(|error| format!("reading events from {name}: {error}"))?;
    let mut given = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = index + 1;
        let (stream, message) = from_json::read(line).map_err(|why| {
            format!("{name}:{number}: expected one event of KubeArmor's, a JSON object: {why}")
        })?;
        given.push(Given { name: format!("line {number} of {name}"), stream, message });
    }
    if given.is_empty() {
        return Err(format!("{name} holds no event, expected one JSON object a line"));
    }
    Ok(given)
}

fn text_of(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    let read = from.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if read as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("more than {MAX_BYTES} bytes")));
    }
    Ok(text)
}
