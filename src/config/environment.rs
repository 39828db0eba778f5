//! Where `${env:NAME}`, `${env:NAME:-default}` and `${file:/path}` take their values from.
//!
//! References are put in their place after the file was parsed, so a value can hold anything and
//! change nothing but the string it stands in.

use std::{collections::BTreeMap, fs::File, io::Read as _, path::Path, sync::Arc};

/// A file named by `${file:…}` is at most this large, in bytes: a secret, not an archive.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// What references are looked up in.
#[derive(Debug, Clone)]
pub struct Environment(Source);

#[derive(Debug, Clone)]
enum Source {
    Process,
    Fixed(Arc<BTreeMap<String, String>>),
}

impl Environment {
    /// The process's own variables and the file system.
    pub fn process() -> Self {
        Self(Source::Process)
    }

    /// Only these: names of variables, and paths of files, with their values. For examples and
    /// tests.
    pub fn fixed<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = values.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self(Source::Fixed(Arc::new(owned.collect())))
    }

    /// A variable, if it is set.
    pub fn variable(&self, name: &str) -> Option<String> {
        match &self.0 {
            Source::Process => std::env::var(name).ok(),
            Source::Fixed(values) => values.get(name).cloned(),
        }
    }

    /// A file's text; the error says why not.
    pub(super) fn file(&self, path: &str) -> Result<String, String> {
        match &self.0 {
            Source::Process => read_file(path).map_err(|error| error.to_string()),
            Source::Fixed(values) => values.get(path).cloned().ok_or("no such file".to_owned()),
        }
    }

    /// Whether a file that is read later, by a connection, can be read now; the error says why not.
    pub(super) fn readable(&self, path: &Path) -> Result<(), String> {
        match &self.0 {
            Source::Process => File::open(path).map(drop).map_err(|error| error.to_string()),
            Source::Fixed(_) => self.file(&path.display().to_string()).map(drop),
        }
    }

    /// Whether what a path names is a file, with all that is in it.
    pub(super) fn has_real_files(&self) -> bool {
        matches!(self.0, Source::Process)
    }

    /// Puts every reference of `text` in its place. Answers the text and the values that came in.
    pub(super) fn fill(&self, text: &str) -> Result<Filled, String> {
        let mut filled = Filled::default();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, reference) = rest.split_at(at);
            if let Some(escaped) = before.strip_suffix('$') {
                filled.text.push_str(escaped);
                filled.text.push_str("${");
                rest = &reference[2..];
                continue;
            }
            let end = reference.find('}').ok_or("found \"${\" without its \"}\"")?;
            let value = self.look_up(&reference[2..end])?;
            filled.text.push_str(before);
            filled.text.push_str(&value);
            filled.values.push(value);
            rest = &reference[end + 1..];
        }
        filled.text.push_str(rest);
        Ok(filled)
    }

    fn look_up(&self, reference: &str) -> Result<String, String> {
        match reference.split_once(':') {
            Some(("env", name)) => match name.split_once(":-") {
                Some((name, default)) => {
                    let set = self.variable(name).filter(|value| !value.is_empty());
                    Ok(set.unwrap_or_else(|| default.to_owned()))
                }
                None => self.variable(name).ok_or_else(|| {
                    format!(
                        "the environment variable {name} is not set; set it, or write \
                         ${{env:{name}:-default}}"
                    )
                }),
            },
            Some(("file", path)) => {
                let text = self.file(path).map_err(|why| format!("reading {path}: {why}"))?;
                Ok(without_line_end(&text).to_owned())
            }
            _ => Err(format!(
                "found ${{{reference}}}, expected ${{env:NAME}}, ${{env:NAME:-default}} or \
                 ${{file:/path}}; $${{ stands for ${{ itself"
            )),
        }
    }
}

/// A text with its references in place.
#[derive(Debug, Default)]
pub(super) struct Filled {
    pub(super) text: String,
    /// What came from outside, and must not be shown.
    pub(super) values: Vec<String>,
}

/// Editors end a file with a line end that is no part of the secret.
fn without_line_end(text: &str) -> &str {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text)
}

fn read_file(path: &str) -> std::io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if read as u64 > MAX_FILE_BYTES {
        return Err(std::io::Error::other(format!("larger than {MAX_FILE_BYTES} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let values = [("TOKEN", "t-1"), ("EMPTY", ""), ("/secret", "s-1\n"), ("/two", "a\n\n")];
        Environment::fixed(values).fill(text).map(|filled| filled.text)
    }

    #[test]
    fn references_work_inside_any_text() {
        for (text, value) in [
            ("plain $ {text}", "plain $ {text}"),
            ("Bearer ${env:TOKEN}", "Bearer t-1"),
            ("${env:TOKEN}${file:/secret}!", "t-1s-1!"),
            ("${env:NONE:-https://a:1/}", "https://a:1/"),
            ("${env:EMPTY:-b}${env:EMPTY}", "b"),
            ("${file:/two}", "a\n"),
            ("$${env:TOKEN} costs $$5", "${env:TOKEN} costs $$5"),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_looked_up_is_told() {
        for (text, part) in [
            ("${env:NONE}", "NONE is not set"),
            ("${file:/none}", "reading /none: no such file"),
            ("${TOKEN}", "found ${TOKEN}, expected ${env:NAME}"),
            ("${env:TOKEN", "without its \"}\""),
        ] {
            let told = filled(text).expect_err(text);
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn a_value_is_not_looked_into_again() {
        let values = [("A", "${env:B}"), ("B", "b")];
        let filled = Environment::fixed(values).fill("${env:A}").expect("A is set");
        assert_eq!(filled.text, "${env:B}");
    }

    #[test]
    fn a_file_too_large_for_a_secret_is_refused() {
        let mut large = tempfile::NamedTempFile::new().expect("a file");
        large.write_all(&vec![b'x'; MAX_FILE_BYTES as usize + 1]).expect("written");
        let path = large.path().to_str().expect("UTF-8");
        let told = Environment::process().file(path).expect_err("too large");
        assert!(told.contains("larger than"), "{told}");
    }
}
