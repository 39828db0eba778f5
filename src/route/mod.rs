//! `when`: which events a lane takes. Pure.
//!
//! A route is a CEL condition over the event's fields, or none. Whatever is wrong with it that can
//! be known (a name, a pattern, a type, an answer that is not true or false) is found when it is
//! compiled; an event it fails on later is taken all the same, and counted. Two things pass every
//! route: gap records, and the notices that KubeArmor is throttling alerts, unless the condition
//! itself speaks of these. Events come from the lane, which drops or renders them.

mod filter;
mod names;
mod own_pod;
mod reading;
mod trial;

pub use own_pod::OwnPod;

use filter::Filter;
use sidearm_sinks::contract::Event;

use crate::room::with_room;

/// A condition longer than this is a mistake.
const MAX_CONDITION_BYTES: usize = 16 * 1024;
/// Brackets within brackets.
const MAX_NESTING: usize = 32;

/// Which events a lane takes.
#[derive(Debug)]
pub struct Route {
    filter: Option<Filter>,
}

impl Route {
    /// Compiles a condition; none takes everything.
    ///
    /// # Errors
    /// All that is wrong with it, each with its place, in one sentence: unknown names (and the
    /// field that may be meant), patterns that are none, types that do not fit, an answer that is
    /// not true or false, and sample events it fails on.
    pub fn compile(when: Option<&str>) -> Result<Self, String> {
        let Some(when) = when else {
            return Ok(Self { filter: None });
        };
        check_size(when)?;
        let filter = with_room("the condition", || {
            let (filter, places) = reading::read(when)?;
            trial::run(&filter, &places)?;
            Ok(filter)
        })?;
        Ok(Self { filter: Some(filter) })
    }

    /// Whether the lane takes an event.
    ///
    /// # Errors
    /// Why the condition could not be evaluated for this event (a conversion of text that is no
    /// number, say). Such an event is to be taken, since a filter must never lose one by accident.
    pub fn takes(&self, event: &Event<'_>) -> Result<bool, String> {
        match &self.filter {
            None => Ok(true),
            Some(_) if event.is_gap() => Ok(true),
            Some(filter) if event.is_throttle_notice() && !filter.speaks_of_throttling => Ok(true),
            Some(filter) => filter.holds(event),
        }
    }
}

fn check_size(when: &str) -> Result<(), String> {
    let bytes = when.len();
    if bytes > MAX_CONDITION_BYTES {
        return Err(format!("the condition has {bytes} bytes, more than {MAX_CONDITION_BYTES}"));
    }
    let (mut open, mut deepest) = (0_usize, 0);
    for byte in when.bytes() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    if deepest > MAX_NESTING {
        return Err(format!("the condition nests {deepest} brackets, more than {MAX_NESTING}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
