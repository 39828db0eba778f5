//! Many like events in one message: how many, from when to when, where and by whom.

use super::{Card, TITLE_CHARS_MAX, VALUE_CHARS_MAX, fit, moment};
use crate::contract::{Digest, Gravity, Telling};

const MICROS_PER_SECOND: i64 = 1_000_000;
/// Pods and processes that are named.
const NAMED_MAX: usize = 5;
/// A name among others.
const NAME_CHARS_MAX: usize = 100;

/// Turns the card of one event into that of the many it stands for.
pub(super) fn tell(card: &mut Card, digest: &Digest) {
    let Digest { telling, events, incidents, first_us, last_us, .. } = *digest;
    let shown = std::mem::take(&mut card.facts);
    let line = line(digest);
    card.title = match telling {
        Telling::Repeats | Telling::Quiet => format!("{line}: {}", card.title),
        Telling::Held => line,
    };
    match telling {
        Telling::Repeats => {}
        Telling::Quiet => {
            card.text = format!("No such event since {}.", moment(last_us));
            card.gravity = Gravity::Info;
        }
        Telling::Held => {
            card.text = "This hour's messages were used up. One of the events is shown here; \
                         every one of them is in the destinations that keep all."
                .to_owned();
        }
    }
    card.title = fit::visible(&card.title, TITLE_CHARS_MAX);
    card.words("Events", &events.to_string());
    if incidents > 1 {
        card.words("Incidents", &incidents.to_string());
    }
    if telling != Telling::Quiet {
        card.words("First", &moment(first_us));
    }
    card.words("Last", &moment(last_us));
    card.literal("Pods", &named(&digest.pods), VALUE_CHARS_MAX);
    card.literal("Processes", &named(&digest.processes), VALUE_CHARS_MAX);
    // What the event shown says of itself alone would be taken for all of them.
    let of_all = |label| match label {
        "Pod" => digest.pods.is_empty(),
        "Process" => digest.processes.is_empty(),
        "Time" | "From" | "To" => false,
        _ => true,
    };
    card.facts.extend(shown.into_iter().filter(|fact| of_all(fact.label)));
}

/// What the message stands for, in a few words: `137 more in 10 min`.
pub(super) fn line(digest: &Digest) -> String {
    let Digest { telling, events, incidents, first_us, last_us, .. } = *digest;
    let span = span(first_us, last_us);
    match telling {
        Telling::Repeats if events == 1 => "1 more".to_owned(),
        Telling::Repeats => format!("{events} more in {span}"),
        Telling::Quiet => "Quiet again".to_owned(),
        Telling::Held => format!(
            "{} of {} held back, in {span}",
            counted(events, "event"),
            counted(incidents, "incident")
        ),
    }
}

/// `a (80), b (57), 3 others`
fn named(names: &[(String, u64)]) -> String {
    let mut parts: Vec<_> = names
        .iter()
        .take(NAMED_MAX)
        .map(|(name, count)| format!("{} ({count})", fit::visible(name, NAME_CHARS_MAX)))
        .collect();
    match names.len().saturating_sub(NAMED_MAX) {
        0 => {}
        others => parts.push(counted(others as u64, "other")),
    }
    parts.join(", ")
}

fn counted(count: u64, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

/// How long something lasted, in the unit that people would use.
pub(super) fn span(first_us: i64, last_us: i64) -> String {
    let micros = last_us.saturating_sub(first_us).max(1);
    let seconds = micros.div_euclid(MICROS_PER_SECOND) + i64::from(micros % MICROS_PER_SECOND > 0);
    let rounded = |unit: i64| (seconds + unit / 2).div_euclid(unit);
    match seconds {
        0..=90 => format!("{seconds} s"),
        91..=5_400 => format!("{} min", rounded(60)),
        5_401..=172_800 => format!("{} h", rounded(3_600)),
        _ => format!("{} days", rounded(86_400)),
    }
}
