//! The catalogue: `ls sinks` is the list of destinations.
//!
//! Each is a function of its configuration and the batch. This crate knows no runtime, no HTTP
//! client, no clock and no file; a new sink is one file here and two lines below.

mod alertmanager;
#[cfg(test)]
mod any_event;
mod azure_logs;
mod card;
pub mod contract;
mod discord;
mod elasticsearch;
mod event_hubs;
mod file;
pub mod formats;
mod google_chat;
mod incident;
mod kafka;
mod loki;
mod mail;
mod mattermost;
mod otlp;
mod pagerduty;
mod rocket_chat;
mod slack;
mod splunk_hec;
mod stdout;
mod sysdig;
mod syslog;
mod teams;
mod webhook;

use contract::Entry;

/// Every destination there is, in the order in which they are listed.
pub const CATALOGUE: &[Entry] = &[
    slack::ENTRY,
    teams::ENTRY,
    discord::ENTRY,
    google_chat::ENTRY,
    mattermost::ENTRY,
    rocket_chat::ENTRY,
    pagerduty::ENTRY,
    alertmanager::ENTRY,
    mail::ENTRY,
    splunk_hec::ENTRY,
    elasticsearch::ENTRY,
    azure_logs::ENTRY,
    event_hubs::ENTRY,
    kafka::ENTRY,
    otlp::ENTRY,
    sysdig::audit::ENTRY,
    sysdig::events::ENTRY,
    webhook::ENTRY,
    loki::ENTRY,
    syslog::ENTRY,
    file::ENTRY,
    stdout::ENTRY,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{
        CATALOGUE,
        contract::{Facts, testing::table},
    };

    fn example(facts: &Facts) -> String {
        facts.sample_secrets.iter().fold(facts.example.to_owned(), |text, (name, secret)| {
            assert!(text.contains(name), "{}: {name} stands for nothing", facts.name);
            text.replace(&format!("${{env:{name}}}"), secret)
        })
    }

    #[test]
    fn every_example_builds() {
        for entry in CATALOGUE {
            let facts = (entry.facts)();
            let text = example(&facts);
            if let Err(error) = (entry.build)(table(&text)) {
                panic!("{}: {error:?}", facts.name);
            }
        }
    }

    #[test]
    fn names_are_unique_and_settings_told_once() {
        let names: BTreeSet<_> = CATALOGUE.iter().map(|entry| (entry.facts)().name).collect();
        assert_eq!(names.len(), CATALOGUE.len());
        for entry in CATALOGUE {
            let facts = (entry.facts)();
            let keys: BTreeSet<_> = facts.all_settings().map(|setting| setting.key).collect();
            assert_eq!(keys.len(), facts.all_settings().count(), "{}", facts.name);
        }
    }
}
