//! A condition ready to be asked, and the language it is written in: CEL's standard library and
//! strings extension, without optionals, and with patterns that are compiled once.

use std::sync::{Arc, LazyLock};

use cel::{
    Context, Env, ExecutionError, Value,
    common::{
        types::{CelBool, CelString, STRING_TYPE},
        value::{CowVal, Val},
    },
    extensions,
    parser::Expression,
};
use sidearm_sinks::contract::Event;

use super::names::{Names, Pattern};

/// A condition ready to be asked.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) expression: Expression,
    /// Patterns and lists that are the same for every event.
    pub(super) constants: Vec<Box<dyn Val>>,
    /// Whether it names what only throttle notices carry, and so decides about them itself.
    pub(super) speaks_of_throttling: bool,
}

/// The functions an expression may call; `matches` is ours, the others are CEL's. `exists`, `all`
/// and the like are macros, which are gone once the text is read.
pub(super) const FUNCTIONS: [&str; 22] = [
    "bool",
    "bytes",
    "charAt",
    "contains",
    "double",
    "endsWith",
    "indexOf",
    "int",
    "join",
    "lastIndexOf",
    "lowerAscii",
    "matches",
    "replace",
    "reverse",
    "size",
    "split",
    "startsWith",
    "string",
    "substring",
    "trim",
    "uint",
    "upperAscii",
];

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib().with_optional_support(false);
    env.add_extension(extensions::strings).expect("the extension declares nothing twice");
    env.add_member_overload(
        "matches",
        "text_matches",
        STRING_TYPE,
        vec![Pattern::type_of()],
        matches,
    )
    .expect("no other overload of `matches` takes our patterns");
    Arc::new(env)
});

/// The language.
pub(super) fn env() -> &'static Arc<Env> {
    &ENV
}

impl Filter {
    /// Whether the condition holds for an event.
    pub(super) fn holds(&self, event: &Event<'_>) -> Result<bool, String> {
        self.ask(&self.expression, event, |answer| {
            let answer = answer.map_err(|error| error.to_string())?;
            let condition = answer.downcast_ref::<CelBool>().map(|condition| *condition.inner());
            condition.ok_or_else(|| {
                format!("the answer is {}, and not true or false", kind_of(answer.as_ref()))
            })
        })
    }

    /// Evaluates an expression, or a part of one, and shows `look` what came of it.
    pub(super) fn ask<T>(
        &self,
        expression: &Expression,
        event: &Event<'_>,
        look: impl FnOnce(Result<CowVal<'_, '_>, ExecutionError>) -> T,
    ) -> T {
        let names = Names { event, constants: &self.constants };
        let mut context = Context::with_env(Arc::clone(env()));
        context.set_variable_resolver(&names);
        look(Value::resolve_val(expression, &context))
    }
}

/// What a value is, in words.
pub(super) fn kind_of(value: &dyn Val) -> &'static str {
    kind_in_words(value.get_type().name())
}

/// What is true or false, in words.
pub(super) const CONDITION: &str = "a condition";

/// What holds several values, in words.
pub(super) const LIST: &str = "a list";

/// What holds values by name, in words.
pub(super) const MAP: &str = "a map";

/// CEL's name of a type, in words.
pub(super) fn kind_in_words(cel: &str) -> &'static str {
    match cel {
        "string" => "a text",
        "int" | "uint" | "double" | "float" => "a number",
        "bool" => CONDITION,
        "list" => LIST,
        "map" => MAP,
        "pattern" => "a pattern",
        "null_type" => "null",
        _ => "something else",
    }
}

fn matches<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [text, pattern] = arguments.as_slice() else {
        return Err(ExecutionError::invalid_argument_count(2, arguments.len()));
    };
    match (text.downcast_ref::<CelString<'_>>(), pattern.downcast_ref::<Pattern>()) {
        (Some(text), Some(Pattern(pattern))) => {
            Ok(CowVal::owned(CelBool::from(pattern.is_match(text.inner()))))
        }
        _ => Err(ExecutionError::function_error("matches", "expected a text and a pattern")),
    }
}
