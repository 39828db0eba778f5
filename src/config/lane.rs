//! A lane's own settings, checked against what the destination can take and what events look like.

use std::{ops::RangeInclusive, time::Duration};

use sidearm_sinks::contract::{
    Concern, Destination, DigestDefaults, Facts, Format, LaneView, Limits, Stream,
};

use super::{
    place::join,
    reader::Reader,
    shape::{BatchLimits, BatchTable, DigestKey, DigestTable, LaneConfig, LaneTable},
};
use crate::{render::Renderer, route::Route};

/// Batches of one lane under way at once, at most: each is a request, and memory.
const MAX_IN_FLIGHT: usize = 64;

/// An event is held back for company at most this long.
const MAX_BATCH_WAIT: Duration = Duration::from_secs(600);

/// How like events are told where a destination has no wish of its own and is asked to.
const DIGEST: DigestDefaults =
    DigestDefaults { every: Duration::from_secs(600), per_hour: 60, resolves: false };
/// Repeats are absorbed at least and at most this long.
const DIGEST_EVERY: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
/// One message a second is no digest any more.
const DIGEST_PER_HOUR: RangeInclusive<u32> = 1..=3600;

/// Requests a second: from one in a quarter of an hour to more than any destination takes.
const RATE_PER_SECOND: RangeInclusive<f64> = 0.001..=1e6;

/// What is known of the destination a lane leads to.
pub(super) struct Leads<'d> {
    pub(super) facts: Facts,
    /// Nothing where its table is wrong.
    pub(super) to: Option<&'d Destination>,
}

/// Makes a lane of its table. Mistakes are written down, also where no destination is known.
pub(super) fn check(
    reader: &mut Reader<'_>,
    path: &str,
    name: &str,
    table: LaneTable,
    leads: Option<Leads<'_>>,
) -> Option<LaneConfig> {
    let default = leads.as_ref().map_or(Format::Json, |leads| leads.facts.format);
    let streams = streams(reader, path, table.streams);
    let format = format(reader, path, table.format, table.template.is_some(), default);
    let rate_per_second = rate(reader, path, table.rate_per_second);
    rehearse(reader, path, table.when.as_deref(), table.template.as_deref());
    let Leads { facts, to } = leads?;
    if format == Format::Native && !facts.native {
        let name = facts.name;
        let message = format!(
            "found \"native\", expected another: {name} has no form of its own; its default is {}",
            facts.format.name()
        );
        reader.problem(&join(path, "format"), None, message);
    }
    let counts = Renderer::new(format, table.template.as_deref(), false)
        .is_ok_and(|body| body.tells_of_many());
    let digest = digest(reader, path, table.digest, &facts, format, counts);
    let view = LaneView { digest, format, counts };
    let concerns = to.map(|destination| destination.any().concerns(&view)).unwrap_or_default();
    for Concern { key, message, is_mistake } in concerns {
        match is_mistake {
            true => reader.problem(&join(path, key), None, message),
            false => reader.doubt(&join(path, key), path, message),
        }
    }
    let limits = facts.limits.clone();
    let limits = to.map_or(limits.clone(), |destination| destination.any().limits(limits));
    Some(LaneConfig {
        name: name.to_owned(),
        streams,
        when: table.when,
        format,
        template: table.template,
        batch: batch(reader, &join(path, "batch"), &table.batch, &limits),
        rate_per_second: rate_per_second.or(facts.rate_per_second),
        digest,
        facts,
    })
}

/// Compiles filter and template; both try themselves on sample events.
fn rehearse(reader: &mut Reader<'_>, path: &str, when: Option<&str>, template: Option<&str>) {
    if let Err(why) = Route::compile(when) {
        reader.problem(&join(path, "when"), None, why);
    }
    if template.is_some()
        && let Err(why) = Renderer::new(Format::Template, template, false)
    {
        reader.problem(&join(path, "template"), None, why);
    }
}

fn streams(reader: &mut Reader<'_>, path: &str, given: Option<Vec<Stream>>) -> Vec<Stream> {
    let path = join(path, "streams");
    let mut streams = given.unwrap_or_else(|| vec![Stream::Alert]);
    if streams.is_empty() {
        let expected = "found an empty list, expected at least one of alert, log or message";
        reader.problem(&path, None, expected.to_owned());
    }
    streams.sort();
    if let Some(twice) = streams.windows(2).find(|pair| pair[0] == pair[1]) {
        reader.problem(&path, None, format!("found \"{}\" twice, expected it once", twice[0]));
    }
    streams.dedup();
    streams
}

/// A template decides the format; a format other than that beside it is a contradiction.
fn format(
    reader: &mut Reader<'_>,
    path: &str,
    given: Option<Format>,
    has_template: bool,
    default: Format,
) -> Format {
    match (given, has_template) {
        (None, true) | (Some(Format::Template), true) => Format::Template,
        (Some(other), true) => {
            reader.problem(
                &join(path, "format"),
                None,
                format!(
                    "found \"{}\" beside a template, expected \"template\" or no format at all",
                    other.name()
                ),
            );
            Format::Template
        }
        (Some(Format::Template), false) => {
            let expected = "this key is required where the format is \"template\", and missing";
            reader.missing(&join(path, "template"), expected.to_owned());
            default
        }
        (given, false) => given.unwrap_or(default),
    }
}

fn batch(reader: &mut Reader<'_>, path: &str, given: &BatchTable, limits: &Limits) -> BatchLimits {
    let limit = format!("the limit of the destination ({})", limits.source);
    let mut within = |key: &str, value: Option<usize>, default: usize, max: usize, why: &str| {
        let value = value.unwrap_or(default);
        if !(1..=max).contains(&value) {
            let message = format!("found {value}, expected 1 to {max}, {why}");
            reader.problem(&join(path, key), None, message);
        }
        value
    };
    let bytes = given.bytes.map(|bytes| usize::try_from(bytes.0).unwrap_or(usize::MAX));
    let batch = BatchLimits {
        events: within("events", given.events, limits.events, limits.events, &limit),
        bytes: within("bytes", bytes, limits.bytes, limits.bytes, &limit),
        in_flight: within(
            "in_flight",
            given.in_flight,
            limits.in_flight,
            MAX_IN_FLIGHT,
            "as each is a request under way",
        ),
        wait: given.wait.map_or(limits.wait, |wait| wait.0),
    };
    if batch.wait > MAX_BATCH_WAIT {
        reader.problem(
            &join(path, "wait"),
            None,
            format!(
                "found {} s, expected at most {} s",
                batch.wait.as_secs(),
                MAX_BATCH_WAIT.as_secs()
            ),
        );
    }
    batch
}

/// Like events told as one: where the destination wants it, or where it is asked for and the body
/// can say how many they are.
fn digest(
    reader: &mut Reader<'_>,
    path: &str,
    given: Option<DigestKey>,
    facts: &Facts,
    format: Format,
    counts: bool,
) -> Option<DigestDefaults> {
    let path = join(path, "digest");
    let Some(given) = given else { return facts.digest };
    let table = match given {
        DigestKey::Switch(false) => return None,
        DigestKey::Switch(true) => DigestTable::default(),
        DigestKey::Table(table) => table,
    };
    if facts.digest.is_none() && !counts {
        let message = format!(
            "the format \"{}\" cannot say how many events a message stands for, expected another \
             one, or a template that names `count`",
            format.name()
        );
        reader.problem(&path, None, message);
    }
    let defaults = facts.digest.unwrap_or(DIGEST);
    let every = table.every.map_or(defaults.every, |every| every.0);
    if !DIGEST_EVERY.contains(&every) {
        let message = format!("found {} ms, expected 1 s to 24 h", every.as_millis());
        reader.problem(&join(&path, "every"), None, message);
    }
    let per_hour = table.per_hour.unwrap_or(defaults.per_hour);
    if !DIGEST_PER_HOUR.contains(&per_hour) {
        let message = format!("found {per_hour}, expected 1 to {} messages", DIGEST_PER_HOUR.end());
        reader.problem(&join(&path, "per_hour"), None, message);
    }
    Some(DigestDefaults { every, per_hour, ..defaults })
}

fn rate(reader: &mut Reader<'_>, path: &str, given: Option<f64>) -> Option<f64> {
    if let Some(rate) = given.filter(|rate| !RATE_PER_SECOND.contains(rate)) {
        let (least, most) = RATE_PER_SECOND.into_inner();
        let message = format!("found {rate}, expected {least} to {most} requests a second");
        reader.problem(&join(path, "rate_per_second"), None, message);
    }
    given
}
