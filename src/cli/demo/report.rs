//! What the demo tells at its beginning and its end: tables for people, JSON for programs.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write as _},
};

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use crate::ledger::Account;

/// Says what is about to be seen.
pub(super) const HEADLINE: &str = "\
A shop is under attack. A built-in KubeArmor relay tells it, Sidearm forwards it:
  archive    everything, to a file
  splunk     alerts, and logs of what failed, to a Splunk stand-in
  terminal   alerts, to you

";

/// What is well, what is not, and what names the rest.
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const HEAD: Style = Style::new().bold();

/// A column of a ledger: its head, and the number under it.
type Column = (&'static str, fn(&Account) -> u64);

const COLUMNS: [Column; 7] = [
    ("received", |account| account.received),
    ("accepted", |account| account.counts.accepted),
    ("filtered", |account| account.counts.filtered),
    ("digested", |account| account.counts.digested),
    ("dead", |account| account.counts.dead),
    ("shed", |account| account.counts.shed),
    ("pending", |account| account.pending),
];

/// The ledgers as a table, and whether they balance.
pub(super) fn ledgers(sinks: &BTreeMap<String, Account>) -> String {
    let heads: String = COLUMNS.iter().map(|(head, _)| format!("{head:>10}")).collect();
    let mut table = format!("\n{HEAD}{:<10}{heads}{HEAD:#}\n", "sink");
    for (name, account) in sinks {
        let _ = write!(table, "{name:<10}");
        for (_, number) in COLUMNS {
            let _ = write!(table, "{:>10}", number(account));
        }
        table.push('\n');
    }
    let off = sinks.iter().filter(|(_, account)| !account.balances()).map(|(name, _)| name);
    let off: Vec<&str> = off.map(String::as_str).collect();
    table += &match off.is_empty() {
        true => format!("{GOOD}every ledger balances: received is the sum of the rest{GOOD:#}\n"),
        false => format!(
            "{BAD}not balanced{BAD:#}, received is not the sum of the rest: {}\n",
            off.join(", ")
        ),
    };
    table
}

/// Whether every event of every sink has exactly one place.
pub(super) fn balance(sinks: &BTreeMap<String, Account>) -> bool {
    sinks.values().all(Account::balances)
}

/// The ledgers for programs.
pub(super) fn ledgers_json(sinks: &BTreeMap<String, Account>) -> Value {
    json!({ "sinks": sinks })
}

/// Prints what a person reads; colours only for a terminal.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints what a program reads, on one line.
pub(super) fn print_json(value: &Value) -> io::Result<()> {
    print(&format!("{value}\n"))
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;
    use crate::journal::cursor::Counts;

    fn sinks(received: u64) -> BTreeMap<String, Account> {
        let counts = Counts { accepted: 5, filtered: 4, digested: 3, dead: 2, shed: 1 };
        BTreeMap::from([("archive".to_owned(), Account { received, counts, pending: 6 })])
    }

    #[test]
    fn a_ledger_that_balances_says_so() {
        let expected = "
sink        received  accepted  filtered  digested      dead      shed   pending
archive           21         5         4         3         2         1         6
every ledger balances: received is the sum of the rest
";
        assert_eq!(strip_str(&ledgers(&sinks(21))).to_string(), expected);
        assert!(balance(&sinks(21)));
    }

    #[test]
    fn one_that_does_not_is_named() {
        assert!(ledgers(&sinks(22)).ends_with("not the sum of the rest: archive\n"));
        assert!(!balance(&sinks(22)));
    }

    #[test]
    fn programs_get_the_bare_numbers() {
        let expected = json!({ "sinks": { "archive": {
            "received": 21, "accepted": 5, "filtered": 4, "digested": 3, "dead": 2, "shed": 1,
            "pending": 6,
        }}});
        assert_eq!(ledgers_json(&sinks(21)), expected);
    }
}
