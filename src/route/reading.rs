//! From the text of a condition to a filter: every name is looked up, every pattern compiled.
//!
//! Three things are written anew on the way. The literal pattern of `matches` becomes a variable
//! that holds the compiled one; a pattern taken from an event is refused, for the attacker writes
//! the event. A list of literals becomes a variable too, or CEL would build it for every event.
//! And `has(labels.app)` becomes `"app" in labels`, for a map answers `""` for what it has not and
//! so would seem to have everything.

use cel::{
    common::{
        ast::{
            CallExpr, ComprehensionExpr, EntryExpr, Expr, ListExpr, LiteralValue, SelectExpr,
            SourceInfo, operators,
        },
        types::{CelList, CelString},
        value::Val,
    },
    parser::{Expression, ParseErrors},
};
use sidearm_sinks::contract::did_you_mean;

use super::{
    filter::{FUNCTIONS, Filter, env},
    names::{CONSTANT_SIGN, Pattern},
};
use crate::fields;

/// What only throttle notices carry: a condition with one of these decides about them itself.
const THROTTLE_FIELDS: [&str; 3] = ["MaxAlertsPerSec", "DroppingAlertsInterval", "throttled"];
const THROTTLE_TEXTS: [&str; 2] = ["AlertThreshold", "SystemEvent"];

/// How deep an expression may be, so that a lane's thread has the stack to evaluate it.
const MAX_DEPTH: usize = 32;

/// Comprehensions within comprehensions; what one more costs grows with the power of its list.
const MAX_LOOPS: usize = 2;

/// Problems told of one condition.
const MAX_PROBLEMS: usize = 8;

/// What a compiled pattern may take of memory.
const MAX_PATTERN_BYTES: usize = 1024 * 1024;

/// Where the parts of an expression stand in its text.
pub(super) struct Places(SourceInfo);

impl Places {
    /// Where a part stands, by its id: `line 1, column 5`.
    pub(super) fn of(&self, id: u64) -> String {
        // What the parser made up, as for a macro, has no place of its own.
        let Some((start, _)) = self.0.offset_for(id) else { return "line 1".to_owned() };
        let before = self.0.source.get(..start as usize).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let column = 1 + before.chars().rev().take_while(|c| *c != '\n').count();
        format!("line {line}, column {column}")
    }
}

/// Reads a condition.
pub(super) fn read(text: &str) -> Result<(Filter, Places), String> {
    let (mut expression, info) =
        env().parser().parse_with_source_info(text).map_err(|errors| syntax(&errors))?;
    let mut reader = Reader {
        places: Places(info),
        bound: Vec::new(),
        constants: Vec::new(),
        speaks_of_throttling: false,
        problems: Vec::new(),
        depth: 0,
        loops: 0,
    };
    reader.expression(&mut expression);
    if !reader.problems.is_empty() {
        return Err(reader.problems.join("; "));
    }
    let filter = Filter {
        expression,
        constants: reader.constants,
        speaks_of_throttling: reader.speaks_of_throttling,
    };
    Ok((filter, reader.places))
}

fn syntax(errors: &ParseErrors) -> String {
    let Some(first) = errors.errors.first() else {
        return "the condition cannot be read".to_owned();
    };
    // The parser goes on to list every token it could have taken.
    let what = first.msg.split(", expecting").next().unwrap_or_default();
    let what = what.split(" expecting ").next().unwrap_or_default();
    let what = what.trim_start_matches("Syntax error: ");
    let hint = match what {
        "reserved identifier: namespace" => "; the field is NamespaceName",
        _ => "",
    };
    let (line, column) = first.pos;
    format!("line {line}, column {column}: {what}{hint}")
}

struct Reader {
    places: Places,
    /// The variables of the comprehensions around the part being read.
    bound: Vec<String>,
    constants: Vec<Box<dyn Val>>,
    speaks_of_throttling: bool,
    problems: Vec<String>,
    depth: usize,
    loops: usize,
}

impl Reader {
    fn expression(&mut self, part: &mut Expression) {
        let id = part.id;
        if self.depth == MAX_DEPTH {
            let what = format!("the condition is deeper than {MAX_DEPTH} operations");
            return self.problem(id, &what);
        }
        self.depth += 1;
        match &mut part.expr {
            Expr::Unspecified => {}
            Expr::Literal(literal) => self.literal(literal),
            Expr::Ident(name) => self.name(name, id),
            Expr::Call(call) => self.call(call, id),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, id),
            Expr::List(list) => {
                list.elements.iter_mut().for_each(|part| self.expression(part));
                if let Some(list) = of_literals(list) {
                    part.expr = self.constant(Box::new(list));
                }
            }
            Expr::Map(map) => map.entries.iter_mut().for_each(|entry| self.entry(&mut entry.expr)),
            Expr::Select(select) => {
                self.key(&select.operand, &select.field, id);
                self.expression(&mut select.operand);
                if select.test {
                    part.expr = presence(select, id);
                }
            }
            Expr::Struct(_) => self.problem(id, "a message cannot be built here"),
        }
        self.depth -= 1;
    }

    fn entry(&mut self, entry: &mut EntryExpr) {
        match entry {
            EntryExpr::MapEntry(entry) => {
                self.expression(&mut entry.key);
                self.expression(&mut entry.value);
            }
            EntryExpr::StructField(field) => self.expression(&mut field.value),
        }
    }

    fn literal(&mut self, literal: &LiteralValue) {
        if let LiteralValue::String(text) = literal {
            self.speaks_of_throttling |= THROTTLE_TEXTS.contains(&text.inner());
        }
    }

    fn name(&mut self, name: &str, id: u64) {
        // With the sign, it is of the parser's own making or of ours.
        if name.starts_with(CONSTANT_SIGN) || self.bound.iter().any(|bound| bound == name) {
            return;
        }
        self.speaks_of_throttling |= THROTTLE_FIELDS.contains(&name);
        if let Err(what) = fields::find(name) {
            self.problem(id, &what);
        }
    }

    fn key(&mut self, map: &Expression, key: &str, id: u64) {
        if let Expr::Ident(map) = &map.expr
            && let Err(what) = fields::check_key(map, key)
        {
            self.problem(id, &what);
        }
    }

    fn call(&mut self, call: &mut CallExpr, id: u64) {
        let name = call.func_name.as_str();
        let is_operator = !name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !is_operator && !FUNCTIONS.contains(&name) {
            let hint = did_you_mean(name, FUNCTIONS);
            let what = format!("no function is named \"{name}\"{hint}");
            return self.problem(id, &what);
        }
        match (name, call.args.as_slice()) {
            ("matches", _) => self.pattern(call, id),
            (operators::INDEX, [map, key]) => {
                if let Expr::Literal(LiteralValue::String(key)) = &key.expr {
                    self.key(map, key.inner(), id);
                }
            }
            _ => {}
        }
        if let Some(target) = &mut call.target {
            self.expression(target);
        }
        call.args.iter_mut().for_each(|argument| self.expression(argument));
    }

    /// `text.matches("pattern")`, or `matches(text, "pattern")`, which becomes the former.
    fn pattern(&mut self, call: &mut CallExpr, id: u64) {
        if call.target.is_none() && call.args.len() == 2 {
            call.target = Some(Box::new(call.args.remove(0)));
        }
        let [Expression { expr: argument, .. }] = call.args.as_mut_slice() else {
            return self.problem(id, "\"matches\" takes one pattern");
        };
        let Expr::Literal(LiteralValue::String(text)) = argument else {
            return self.problem(id, "\"matches\" takes its pattern as a quoted text");
        };
        match regex::RegexBuilder::new(text.inner()).size_limit(MAX_PATTERN_BYTES).build() {
            Ok(pattern) => *argument = self.constant(Box::new(Pattern(pattern))),
            Err(error) => {
                let error = error.to_string();
                let why = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
                let what = format!("\"{}\" is not a pattern ({why})", text.inner());
                self.problem(id, &what);
            }
        }
    }

    /// Keeps a value for every event; answers the variable that stands for it.
    fn constant(&mut self, value: Box<dyn Val>) -> Expr {
        self.constants.push(value);
        Expr::Ident(format!("{CONSTANT_SIGN}{}", self.constants.len() - 1))
    }

    fn comprehension(&mut self, comprehension: &mut ComprehensionExpr, id: u64) {
        if self.loops == MAX_LOOPS {
            return self.problem(id, &format!("more than {MAX_LOOPS} loops within each other"));
        }
        self.expression(&mut comprehension.iter_range);
        self.expression(&mut comprehension.accu_init);
        let outside = self.bound.len();
        self.bound.push(comprehension.iter_var.clone());
        self.bound.extend(comprehension.iter_var2.clone());
        self.loops += 1;
        self.expression(&mut comprehension.loop_cond);
        self.expression(&mut comprehension.loop_step);
        self.loops -= 1;
        self.bound.truncate(outside);
        self.expression(&mut comprehension.result);
    }

    fn problem(&mut self, id: u64, what: &str) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(format!("{}: {what}", self.places.of(id)));
        }
    }
}

/// `has(map.key)` as `"key" in map`.
fn presence(select: &mut SelectExpr, id: u64) -> Expr {
    let key = LiteralValue::String(CelString::from(std::mem::take(&mut select.field)));
    let key = Expression { id, expr: Expr::Literal(key) };
    let map = std::mem::take(&mut *select.operand);
    let (func_name, args) = (operators::IN.to_owned(), vec![key, map]);
    Expr::Call(CallExpr { func_name, target: None, args })
}

/// The list, where it is the same for every event. Empty ones stay, for comprehensions fill them.
fn of_literals(list: &ListExpr) -> Option<CelList<'static>> {
    let literals = list.elements.iter().map(|element| match &element.expr {
        Expr::Literal(literal) => Some(literal.to_val().into_owned()),
        _ => None,
    });
    let literals = literals.collect::<Option<Vec<Box<dyn Val>>>>()?;
    (!literals.is_empty()).then(|| CelList::from(literals))
}
