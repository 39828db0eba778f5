//! A condition tried on sample events before it meets real ones.
//!
//! CEL has no types until it runs, and `||` and `&&` hide what they do not run. So every part of
//! the condition is run by itself, on every sample, and parts that can never work are told: an
//! operator or function on values it does not take, a comparison of values that are never equal.
//! Bodies of comprehensions run only as parts of the whole, for their variables have no values.

use cel::{
    ExecutionError,
    common::{
        ast::{CallExpr, EntryExpr, Expr, operators},
        value::Val,
    },
    parser::Expression,
};
use sidearm_sinks::contract::Event;

use super::{
    filter::{CONDITION, Filter, LIST, MAP, kind_in_words, kind_of},
    reading::Places,
};
use crate::samples;

/// Tries a filter on every sample event.
pub(super) fn run(filter: &Filter, places: &Places) -> Result<(), String> {
    let samples: Vec<_> =
        samples::all().iter().map(|sample| (sample.name, sample.view())).collect();
    let trial = Trial { filter, places, samples: &samples };
    let mut problems = Vec::new();
    trial.part(&filter.expression, &mut problems);
    if problems.is_empty() {
        problems.extend(trial.whole());
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

struct Trial<'t> {
    filter: &'t Filter,
    places: &'t Places,
    samples: &'t [(&'static str, Event<'t>)],
}

impl Trial<'_> {
    fn whole(&self) -> Option<String> {
        self.samples.iter().find_map(|(name, sample)| {
            let why = self.filter.holds(sample).err()?;
            Some(format!("it fails on some events, as on the sample {name}: {why}"))
        })
    }

    /// Tells what is wrong with a part: with its own parts, or, where they are right, with itself.
    fn part(&self, part: &Expression, problems: &mut Vec<String>) {
        let before = problems.len();
        for inner in parts_of(&part.expr) {
            self.part(inner, problems);
        }
        if problems.len() > before {
            return;
        }
        let Expr::Call(call) = &part.expr else { return };
        let what = self.no_condition(call).or_else(|| self.misfit(part));
        if let Some(what) = what.or_else(|| self.never_equal(call)) {
            problems.push(format!("{}: {what}", self.places.of(part.id)));
        }
    }

    /// Why a call takes no value of these types, whatever the event.
    fn misfit(&self, part: &Expression) -> Option<String> {
        self.samples.iter().find_map(|(_, sample)| {
            self.filter.ask(part, sample, |answer| match answer.err()? {
                ExecutionError::NoSuchOverload(error) => {
                    let takes: Vec<_> =
                        error.argument_types().iter().map(|kind| kind_in_words(kind)).collect();
                    let function = plain(error.function());
                    Some(format!("\"{function}\" does not take {}", takes.join(" and ")))
                }
                ExecutionError::UnsupportedBinaryOperator(operator, left, right) => Some(format!(
                    "\"{operator}\" does not take {} and {}",
                    kind_in_words(&left.type_of().to_string()),
                    kind_in_words(&right.type_of().to_string())
                )),
                error @ (ExecutionError::UnexpectedType { .. }
                | ExecutionError::UndeclaredReference(_)
                | ExecutionError::UnsupportedKeyType(_)
                | ExecutionError::InvalidArgumentCount { .. }) => Some(error.to_string()),
                _ => None,
            })
        })
    }

    /// Why an operand cannot be true or false; CEL finds out only where it has to look at it.
    fn no_condition(&self, call: &CallExpr) -> Option<String> {
        let operands = match call.func_name.as_str() {
            operators::LOGICAL_AND | operators::LOGICAL_OR => call.args.as_slice(),
            operators::CONDITIONAL => call.args.get(..1)?,
            _ => return None,
        };
        let operator = plain(&call.func_name);
        operands.iter().find_map(|operand| {
            let kinds = self.samples.iter().filter_map(|(_, sample)| self.kind(operand, sample));
            let kind = kinds.into_iter().find(|kind| *kind != CONDITION)?;
            Some(format!("\"{operator}\" does not take {kind}"))
        })
    }

    /// CEL answers `false` to `PID == "5"`, which no one means.
    fn never_equal(&self, call: &CallExpr) -> Option<String> {
        let [left, right] = call.args.as_slice() else { return None };
        let is_list = |kind| kind == LIST;
        self.samples.iter().find_map(|(_, sample)| {
            let kind = self.kind(left, sample)?;
            let others = match call.func_name.as_str() {
                operators::EQUALS | operators::NOT_EQUALS => vec![self.kind(right, sample)?],
                operators::IN if self.kind(right, sample).is_some_and(is_list) => {
                    self.filter.ask(right, sample, |list| kinds_in(list.ok()?.as_ref()))?
                }
                _ => return None,
            };
            // An event's map is none of CEL's own, and equals nothing.
            let other = others.into_iter().find(|other| *other != kind || *other == MAP)?;
            Some(format!("{kind} never equals {other}"))
        })
    }

    fn kind(&self, part: &Expression, sample: &Event<'_>) -> Option<&'static str> {
        self.filter.ask(part, sample, |answer| Some(kind_of(answer.ok()?.as_ref())))
    }
}

fn kinds_in(list: &dyn Val) -> Option<Vec<&'static str>> {
    let mut elements = list.as_iterable()?.iter();
    Some(std::iter::from_fn(|| elements.next()).map(kind_of).collect())
}

/// The parts that can be run by themselves.
fn parts_of(expression: &Expr) -> Vec<&Expression> {
    match expression {
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Comprehension(comprehension) => vec![&comprehension.iter_range],
        Expr::Map(map) => map
            .entries
            .iter()
            .filter_map(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => Some([&entry.key, &entry.value]),
                EntryExpr::StructField(_) => None,
            })
            .flatten()
            .collect(),
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) => Vec::new(),
    }
}

/// An operator as people write it: `>=` for `_>=_`.
fn plain(function: &str) -> &str {
    match function {
        operators::INDEX => "[]",
        operators::IN => "in",
        operators::CONDITIONAL => "?:",
        _ => function.trim_matches('_'),
    }
}
