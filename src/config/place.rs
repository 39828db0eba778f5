//! Finding, filling and removing what stands at a path of a parsed file.
//!
//! Paths are those of errors: keys with dots, list items in brackets (`sinks.a.streams[1]`). A key
//! may hold dots itself, so a path is read against the table it belongs to.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeArray, DeString, DeTable, DeValue},
};

/// Where the deepest part of `path` stands that is there at all: a key, or a list item.
pub(super) fn find(table: &DeTable<'_>, path: &str) -> Option<Range<usize>> {
    let ((key, value), rest) = head(table, path)?;
    Some(find_in(value.get_ref(), rest).unwrap_or_else(|| key.span()))
}

fn find_in(value: &DeValue<'_>, rest: &str) -> Option<Range<usize>> {
    match value {
        DeValue::Table(table) => find(table, rest.strip_prefix('.')?),
        DeValue::Array(array) => {
            let (index, rest) = item(rest)?;
            let value = array.get(index)?;
            Some(find_in(value.get_ref(), rest).unwrap_or_else(|| value.span()))
        }
        _ => None,
    }
}

/// Takes what stands at `path` away; false where nothing does.
pub(super) fn remove(table: &mut DeTable<'_>, path: &str) -> bool {
    let Some((key, rest)) = head(table, path).map(|((key, _), rest)| (key.clone(), rest)) else {
        return false;
    };
    if rest.is_empty() {
        return table.remove(key.get_ref().as_ref()).is_some();
    }
    table.get_mut(key.get_ref().as_ref()).is_some_and(|value| remove_in(value.get_mut(), rest))
}

fn remove_in(value: &mut DeValue<'_>, rest: &str) -> bool {
    match value {
        DeValue::Table(table) => rest.strip_prefix('.').is_some_and(|path| remove(table, path)),
        DeValue::Array(array) => match item(rest) {
            Some((index, "")) if index < array.len() => {
                let items = std::mem::replace(array, DeArray::new());
                let kept = items.into_iter().enumerate().filter(|(at, _)| *at != index);
                *array = kept.map(|(_, item)| item).collect();
                true
            }
            Some((index, rest)) => {
                array.get_mut(index).is_some_and(|value| remove_in(value.get_mut(), rest))
            }
            None => false,
        },
        _ => false,
    }
}

/// Shows every string below `path` to `visit`, with its own path and place.
pub(super) fn each_string<'i>(
    table: &mut DeTable<'i>,
    path: &str,
    visit: &mut dyn FnMut(&str, Range<usize>, &mut DeString<'i>),
) {
    for (key, value) in table.iter_mut() {
        each_string_in(value, &join(path, key.get_ref()), visit);
    }
}

fn each_string_in<'i>(
    value: &mut Spanned<DeValue<'i>>,
    path: &str,
    visit: &mut dyn FnMut(&str, Range<usize>, &mut DeString<'i>),
) {
    let place = value.span();
    match value.get_mut() {
        DeValue::String(text) => visit(path, place, text),
        DeValue::Table(table) => each_string(table, path, visit),
        DeValue::Array(array) => {
            for (index, value) in array.iter_mut().enumerate() {
                each_string_in(value, &format!("{path}[{index}]"), visit);
            }
        }
        _ => {}
    }
}

/// One path behind another.
pub(super) fn join(path: &str, key: &str) -> String {
    match (path, key) {
        ("", key) => key.to_owned(),
        (path, "") => path.to_owned(),
        (path, key) => format!("{path}.{key}"),
    }
}

type Entry<'t, 'i> = (&'t Spanned<DeString<'i>>, &'t Spanned<DeValue<'i>>);

/// The key of `table` that `path` begins with (the longest, where several do), its value, and what
/// is left of the path.
fn head<'t, 'i, 'p>(table: &'t DeTable<'i>, path: &'p str) -> Option<(Entry<'t, 'i>, &'p str)> {
    table
        .iter()
        .filter_map(|(key, value)| {
            let rest = path.strip_prefix(key.get_ref().as_ref())?;
            (rest.is_empty() || rest.starts_with(['.', '['])).then_some(((key, value), rest))
        })
        .min_by_key(|(_, rest)| rest.len())
}

/// `[3].rest` as 3 and `.rest`.
fn item(rest: &str) -> Option<(usize, &str)> {
    let (index, rest) = rest.strip_prefix('[')?.split_once(']')?;
    Some((index.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[a]\nb.c = 1\n\"d.e\" = [\"x\", { f = \"y\" }]\n";

    fn table() -> DeTable<'static> {
        DeTable::parse(TEXT).expect("TOML").into_inner()
    }

    fn at(path: &str) -> Option<&'static str> {
        find(&table(), path).map(|place| &TEXT[place])
    }

    #[test]
    fn the_deepest_part_that_is_there_is_found() {
        assert_eq!(at("a.b.c"), Some("c"));
        assert_eq!(at("a.b.missing"), Some("b"));
        assert_eq!(at("a.d.e"), Some("\"d.e\""));
        assert_eq!(at("a.d.e[0]"), Some("\"x\""));
        assert_eq!(at("a.d.e[1].f"), Some("f"));
        assert_eq!(at("a.d.e[7]"), Some("\"d.e\""));
        assert_eq!(at("z"), None);
    }

    #[test]
    fn what_is_removed_is_gone_and_nothing_else() {
        for path in ["a.b.c", "a.d.e[0]", "a.d.e[1].f", "a.d.e"] {
            let mut table = table();
            assert!(remove(&mut table, path), "{path}");
        }
        let mut table = table();
        assert!(remove(&mut table, "a.d.e[0]"));
        assert!(remove(&mut table, "a.d.e[0].f") && remove(&mut table, "a.b.c"));
        for path in ["a.b.x", "a.d", "a.d.e[9]", "", "a.b.c.d"] {
            assert!(!remove(&mut table, path), "{path}");
        }
    }

    #[test]
    fn every_string_is_seen_with_its_path() {
        let mut seen = Vec::new();
        each_string(&mut table(), "top", &mut |path, _, text| seen.push(format!("{path}={text}")));
        assert_eq!(seen, ["top.a.d.e[0]=x", "top.a.d.e[1].f=y"]);
    }
}
