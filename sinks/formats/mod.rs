//! An event in the words of a schema that others have agreed on. Pure.
//!
//! One file a format, written straight into the lane's buffer; which fields map to what stands at
//! the head of each. Whatever a schema has no place for goes into that schema's own place for such
//! things, so that nothing KubeArmor sent is lost. Event text never becomes a field's name: the
//! number of fields is bounded, and no two can meet.

pub mod asim;
pub mod cef;
mod deed;
pub mod ecs;
pub mod leef;
mod line;
mod names;
mod object;
pub mod ocsf;
pub mod otlp;
mod rest;
mod seen;
#[cfg(test)]
mod testing;
mod text;
mod time;
mod untold;

use crate::contract::{Event, Format, json};
pub(crate) use line::shortened_json;
pub(crate) use text::{cut, visible, write_escaped};
pub(crate) use time::{Moment, WRITABLE_US};

/// Appends an event's body, without a line end.
pub type Writer = fn(&Event<'_>, &mut Vec<u8>);

/// What writes a format; nothing for those that the engine writes itself, as they are for people.
pub fn writer(format: Format) -> Option<Writer> {
    match format {
        // The sink writes it, from the event.
        Format::Native => Some(|_, _| {}),
        Format::Json => Some(json::write),
        Format::Ecs => Some(ecs::write),
        Format::Ocsf => Some(ocsf::write),
        Format::OcsfFinding => Some(ocsf::write_finding),
        Format::Asim => Some(asim::write),
        Format::Otlp => Some(otlp::write),
        Format::Cef => Some(cef::write),
        Format::Leef => Some(leef::write),
        Format::Text | Format::Template => None,
    }
}
