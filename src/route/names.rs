//! An event's fields as CEL's variables: looked up when the expression asks, borrowed where CEL
//! lets us.
//!
//! Owns what a field is to CEL: a text that is absent is `""`, a number that is absent is 0, and
//! so is the severity of an event that has none; a map answers `""` for a key it has not, so that
//! `labels["app"] == "shop"` is simply false for an event without that label.

use cel::{
    ExecutionError,
    common::{
        traits::{self, Container, Indexer, Iterable, Sizer},
        types::{CelBool, CelInt, CelList, CelString, MAP_TYPE, Type},
        value::{CowVal, StaticVal, Val},
    },
    context::VariableResolver,
};
use sidearm_sinks::contract::{Event, Value};

/// What an expression may name, for one event.
pub(super) struct Names<'e> {
    pub(super) event: &'e Event<'e>,
    pub(super) constants: &'e [Box<dyn Val>],
}

impl VariableResolver for Names<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        if let Some(index) = name.strip_prefix(CONSTANT_SIGN) {
            let constant = self.constants.get(index.parse::<usize>().ok()?)?;
            return Some(CowVal::Borrowed(constant.as_ref()));
        }
        Some(match self.event.field(name)? {
            Value::Str(text) => CowVal::owned(CelString::from(text)),
            Value::String(text) => CowVal::owned(CelString::from(text)),
            Value::Int(number) => CowVal::owned(CelInt::from(number)),
            Value::Bool(condition) => CowVal::owned(CelBool::from(condition)),
            Value::List(texts) => CowVal::owned(CelList::from(
                texts
                    .into_iter()
                    .map(|text| Box::new(CelString::from(text)) as Box<dyn Val + 'b>)
                    .collect::<Vec<_>>(),
            )),
            Value::Map(entries) => CowVal::owned(Texts::from(entries)),
        })
    }
}

/// Before the index of a constant: what was made once, when the condition was read. No one can
/// write the sign in CEL; the parser writes it before names, never before a number.
pub(super) const CONSTANT_SIGN: char = '@';

static PATTERN_TYPE: Type = Type::new_unspecified_type("pattern");
static NO_TEXT: std::sync::LazyLock<CelString<'static>> =
    std::sync::LazyLock::new(|| CelString::from(""));

/// A regular expression, compiled once; CEL's own `matches` would compile it for every event.
#[derive(Debug, Clone)]
pub(super) struct Pattern(pub(super) regex::Regex);

impl Pattern {
    pub(super) fn type_of() -> Type {
        PATTERN_TYPE.to_owned()
    }
}

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        &PATTERN_TYPE
    }

    fn cel_type() -> &'static Type {
        &PATTERN_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}

/// Named texts, in the event's order; few, so they are searched and not hashed.
#[derive(Debug, Clone)]
struct Texts<'v>(Vec<(CelString<'v>, CelString<'v>)>);

impl<'v> From<Vec<(&'v str, &'v str)>> for Texts<'v> {
    fn from(entries: Vec<(&'v str, &'v str)>) -> Self {
        Self(entries.into_iter().map(|(key, text)| (key.into(), text.into())).collect())
    }
}

impl<'v> Texts<'v> {
    fn find(&self, key: &dyn Val) -> Result<Option<&CelString<'v>>, ExecutionError> {
        let key = key
            .downcast_ref::<CelString<'_>>()
            .ok_or_else(|| ExecutionError::UnexpectedType {
                got: key.get_type().name().to_owned(),
                want: "string".to_owned(),
            })?
            .inner();
        Ok(self.0.iter().find(|(name, _)| name.inner() == key).map(|(_, text)| text))
    }
}

impl Val for Texts<'_> {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_iterable<'b, 'w>(&'b self) -> Option<&'b (dyn Iterable + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(self.clone())
    }
}

impl Container for Texts<'_> {
    fn contains(&self, key: &dyn Val) -> Result<bool, ExecutionError> {
        self.find(key).map(|found| found.is_some())
    }
}

impl Indexer for Texts<'_> {
    fn get<'b, 'w>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        Ok(CowVal::Borrowed(match self.find(key)? {
            Some(text) => text,
            None => &*NO_TEXT,
        }))
    }

    fn steal<'w>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.get(key).map(CowVal::into_owned)
    }
}

impl Iterable for Texts<'_> {
    fn iter<'b, 'w>(&'b self) -> Box<dyn traits::Iterator<'b, 'w> + 'b>
    where
        Self: 'w,
    {
        Box::new(Keys(self.0.iter()))
    }
}

impl Sizer for Texts<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(i64::try_from(self.0.len()).unwrap_or(i64::MAX))
    }
}

struct Keys<'b, 'v>(std::slice::Iter<'b, (CelString<'v>, CelString<'v>)>);

impl<'b, 'v: 'w, 'w> traits::Iterator<'b, 'w> for Keys<'b, 'v> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'w)> {
        self.0.next().map(|(key, _)| key as &'b (dyn Val + 'w))
    }
}
