//! One file under way: every mistake is written down with its place, and reading goes on.
//!
//! The decoder stops at its first complaint. So each table is decoded by itself, the key at fault
//! is taken out, and the rest is decoded again until nothing is left to complain about.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use sidearm_sinks::contract::SettingError;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

use super::{
    environment::Environment,
    place::{each_string, find, join, remove},
    problem::{Problem, Problems},
    wording::{missing_key, reword},
};

/// What is put for a required key that is missing, to find out what else is missing: the first
/// that the decoder takes.
const STAND_INS: [fn() -> DeValue<'static>; 5] = [
    || DeValue::String("stand-in".into()),
    || DeValue::String("http://stand-in:1".into()),
    || DeValue::Integer(Default::default()),
    || DeValue::Boolean(false),
    || DeValue::Table(DeTable::new()),
];

/// A file under way.
pub(super) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    /// The whole file as it was written, to find places in.
    root: DeTable<'a>,
    problems: Vec<Problem>,
    /// What is no mistake and still told.
    doubts: Vec<Problem>,
    /// Keys whose mistake is known: a second complaint would only be its echo.
    spoilt: BTreeSet<String>,
    /// What references brought in, by path: never shown.
    secrets: BTreeMap<String, Vec<String>>,
    /// Lines that are not TOML: what is read from there and below is a guess.
    broken_lines: BTreeSet<usize>,
}

/// Reads one table as what it ought to be.
pub(super) type Build<'b, T> = &'b dyn Fn(ValueDeserializer<'_>) -> Result<T, SettingError>;

impl<'a> Reader<'a> {
    /// Parses the text. Lines that are not TOML become problems; the others are read on.
    pub(super) fn parse(file: &'a str, text: &'a str) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut reader = Self {
            file,
            text,
            root: root.into_inner(),
            problems: Vec::new(),
            doubts: Vec::new(),
            spoilt: BTreeSet::new(),
            secrets: BTreeMap::new(),
            broken_lines: BTreeSet::new(),
        };
        for error in errors {
            let message = format!("not TOML: {}", error.message());
            reader.problem("", Some(error.span().unwrap_or_default()), message);
        }
        reader.broken_lines = reader.problems.iter().filter_map(|problem| problem.line).collect();
        reader
    }

    /// The whole file with every reference in its place.
    pub(super) fn filled(&mut self, environment: &Environment) -> DeTable<'a> {
        let mut root = self.root.clone();
        self.fill(&mut root, "", environment);
        root
    }

    /// The table at these keys, likewise; nothing where none is there.
    pub(super) fn filled_table(
        &mut self,
        keys: &[&str],
        environment: &Environment,
    ) -> Option<DeTable<'a>> {
        let inner =
            |table: &DeTable<'a>, key: &&str| table.get(*key)?.get_ref().as_table().cloned();
        let mut table = keys.iter().try_fold(self.root.clone(), |table, key| inner(&table, key))?;
        self.fill(&mut table, &keys.join("."), environment);
        Some(table)
    }

    fn fill(&mut self, table: &mut DeTable<'a>, path: &str, environment: &Environment) {
        each_string(table, path, &mut |path, place, text| match environment.fill(text) {
            Ok(filled) => {
                if !filled.values.is_empty() {
                    self.secrets.insert(path.to_owned(), filled.values);
                }
                *text = filled.text.into();
            }
            Err(why) => {
                self.problem(path, Some(place), why);
                self.spoilt.insert(path.to_owned());
            }
        });
    }

    /// Writes a mistake down, unless one at this very key is known already.
    pub(super) fn problem(&mut self, path: &str, place: Option<Range<usize>>, message: String) {
        if !path.is_empty() && self.spoilt.contains(path) {
            return;
        }
        let place = place.or_else(|| find(&self.root, path));
        let line = place.map(|place| line_of(self.text, place.start));
        let guessed = |line: usize| {
            self.broken_lines.contains(&line) || self.broken_lines.contains(&(line - 1))
        };
        if line.is_some_and(guessed) {
            return;
        }
        let problem = self.told(path, line, message);
        self.problems.push(problem);
    }

    /// Writes down what is right and perhaps not meant so. `near` is shown where `path` is not
    /// there: what is doubtful may be a default.
    pub(super) fn doubt(&mut self, path: &str, near: &str, message: String) {
        let place = find(&self.root, path).or_else(|| find(&self.root, near));
        let line = place.map(|place| line_of(self.text, place.start));
        let doubt = self.told(path, line, message);
        self.doubts.push(doubt);
    }

    /// What was written down by [`Reader::doubt`], in the order of its lines.
    pub(super) fn doubts(&mut self) -> Vec<Problem> {
        let mut doubts = std::mem::take(&mut self.doubts);
        doubts.sort_by_key(|doubt| doubt.line);
        doubts
    }

    fn told(&self, path: &str, line: Option<usize>, message: String) -> Problem {
        let message = self.without_secrets(path, message);
        let (file, path) = (self.file.to_owned(), path.to_owned());
        Problem { file, line, path, message }
    }

    /// As [`Reader::problem`], of something that ought to be there: not told where part of the
    /// file could not be read, because it may stand in that part.
    pub(super) fn missing(&mut self, path: &str, message: String) {
        if self.broken_lines.is_empty() {
            self.problem(path, None, message);
        }
    }

    /// Decodes one table. Its mistakes are written down; what is answered was built from the keys
    /// without one, or is nothing where too few are left.
    pub(super) fn section<T>(
        &mut self,
        path: &str,
        mut table: DeTable<'_>,
        build: Build<'_, T>,
    ) -> Option<T> {
        let place = find(&self.root, path).unwrap_or_default();
        let mut stand_ins = BTreeMap::new();
        loop {
            let value = Spanned::new(place.clone(), DeValue::Table(table.clone()));
            let error = match build(ValueDeserializer::from(value)) {
                Ok(built) => return stand_ins.is_empty().then_some(built),
                Err(error) => error,
            };
            let go_on = match missing_key(&error.message) {
                Some(key) => self.make_up_for(path, &mut table, &error.path, key, &mut stand_ins),
                None if stand_ins.is_empty() => self.take_out(path, &mut table, error),
                // Whatever is said of a table with stand-ins may be said of the stand-ins.
                None => stand_in(&mut table, &error.path, &mut stand_ins),
            };
            if !go_on {
                return None;
            }
        }
    }

    /// All that was written down, or `built` where nothing was.
    pub(super) fn finish<T>(mut self, built: Option<T>) -> Result<T, Problems> {
        self.problems.sort_by_key(|problem| problem.line);
        self.problems.dedup();
        match built {
            Some(built) if self.problems.is_empty() => Ok(built),
            _ => Err(Problems(self.problems)),
        }
    }

    /// Goes on without a required key: a stand-in in the table itself, or without the inner table
    /// that lacks it.
    fn make_up_for(
        &mut self,
        path: &str,
        table: &mut DeTable<'_>,
        inner: &str,
        key: &str,
        stand_ins: &mut BTreeMap<String, usize>,
    ) -> bool {
        let full = join(path, &join(inner, key));
        self.missing(&full, "this key is required, and missing".to_owned());
        if inner.is_empty() {
            stand_ins.insert(key.to_owned(), 0);
            return stand_in(table, key, stand_ins);
        }
        self.spoilt.insert(join(path, inner));
        remove(table, inner)
    }

    /// Writes a mistake down and goes on without its key.
    fn take_out(&mut self, path: &str, table: &mut DeTable<'_>, error: SettingError) -> bool {
        let full = join(path, &error.path);
        self.problem(&full, error.span, reword(&error.message));
        // The items of a list move up when one goes, so their paths stay open.
        if !full.ends_with(']') {
            self.spoilt.insert(full);
        }
        remove(table, &error.path)
    }

    fn without_secrets(&self, path: &str, mut message: String) -> String {
        let concerned = self.secrets.iter().filter(|(at, _)| at.starts_with(path));
        for value in concerned.flat_map(|(_, values)| values).filter(|value| !value.is_empty()) {
            message = message.replace(value.as_str(), "***");
        }
        message
    }
}

/// Puts the next stand-in for a key, where there is one more.
fn stand_in(table: &mut DeTable<'_>, key: &str, tried: &mut BTreeMap<String, usize>) -> bool {
    let Some(next) = tried.get_mut(key) else { return false };
    let Some(value) = STAND_INS.get(*next) else { return false };
    *next += 1;
    table.insert(Spanned::new(0..0, key.to_owned().into()), Spanned::new(0..0, value()));
    true
}

/// The line of a byte, from 1.
fn line_of(text: &str, byte: usize) -> usize {
    1 + text.bytes().take(byte).filter(|byte| *byte == b'\n').count()
}
