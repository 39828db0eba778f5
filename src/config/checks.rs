//! What the types of the file's tables cannot say: addresses, files that must be there, limits.

use std::path::Path;

use super::{
    environment::Environment,
    place::join,
    reader::Reader,
    shape::{Config, JournalConfig, LogConfig, RelayConfig, SyncPolicy},
};
use crate::wire::wrong_files;
use sidearm_sinks::contract::{ByteSize, SeverityTable, Tls};

/// The journal can do nothing with less room for a stream, in bytes: some blocks and a segment.
const MIN_BUDGET: ByteSize = ByteSize(4 << 20);

/// Two files, each with room for a dead letter of ordinary size, in bytes.
const MIN_DEAD_LETTERS: ByteSize = ByteSize(1 << 20);

/// Checks the tables beside the sinks.
pub(super) fn run(reader: &mut Reader<'_>, environment: &Environment, config: &Config) {
    relay(reader, environment, &config.relay);
    journal(reader, &config.journal);
    log(reader, &config.log);
    severity(reader, config.overrides.severity);
}

fn severity(reader: &mut Reader<'_>, table: SeverityTable) {
    if !table.rises() {
        let SeverityTable { low, medium, high, critical } = table;
        let message = format!(
            "found low {low}, medium {medium}, high {high}, critical {critical}, expected each to \
             be at least the one before"
        );
        reader.problem("severity", None, message);
    }
}

fn relay(reader: &mut Reader<'_>, environment: &Environment, relay: &RelayConfig) {
    if !is_host_and_port(&relay.address) {
        reader.problem(
            "relay.address",
            None,
            format!(
                "found \"{}\", expected host:port such as \"kubearmor.kubearmor.svc:32767\"",
                relay.address
            ),
        );
    }
    let tls = &relay.tls;
    let files =
        Tls { ca: tls.ca.clone(), cert: tls.cert.clone(), key: tls.key.clone(), ..Tls::default() };
    self::files(reader, environment, "relay.tls", &files);
    for (here, there, missing) in [(&tls.cert, &tls.key, "key"), (&tls.key, &tls.cert, "cert")] {
        if here.is_some() && there.is_none() {
            let expected = "this key is required beside the other half, and missing";
            reader.missing(&join("relay.tls", missing), expected.to_owned());
        }
    }
}

/// The files a destination's connection will read: one that cannot be used is better told now.
pub(super) fn tls(reader: &mut Reader<'_>, environment: &Environment, path: &str, tls: &Tls) {
    if tls.insecure {
        let message = "the destination's certificate is not checked, so whoever stands between can \
                       read and change what is sent; tls.ca names an authority to trust instead";
        reader.doubt(&join(path, "insecure"), path, message.to_owned());
    }
    if files(reader, environment, path, tls) && environment.has_real_files() {
        for (key, why) in wrong_files(tls) {
            reader.problem(&join(path, key), None, why);
        }
    }
}

/// Answers whether all files are there; each that is not is written down.
fn files(reader: &mut Reader<'_>, environment: &Environment, path: &str, tls: &Tls) -> bool {
    let mut all = true;
    for (key, file) in [("ca", &tls.ca), ("cert", &tls.cert), ("key", &tls.key)] {
        if let Some(file) = file
            && let Err(why) = environment.readable(file)
        {
            let message = format!("reading {}: {why}", file.display());
            reader.problem(&join(path, key), None, message);
            all = false;
        }
    }
    all
}

/// `host:port`, with an IPv6 host in brackets.
fn is_host_and_port(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else { return false };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    !host.is_empty() && host.chars().all(is_plain) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn journal(reader: &mut Reader<'_>, journal: &JournalConfig) {
    let budgets = [
        ("journal.alerts.max", journal.alerts, MIN_BUDGET),
        ("journal.logs.max", journal.logs, MIN_BUDGET),
        ("journal.messages.max", journal.messages, MIN_BUDGET),
        ("journal.dead_letters.max", journal.dead_letters, MIN_DEAD_LETTERS),
    ];
    for (path, budget, min) in budgets {
        if budget.max < min {
            let message = format!("found {}, expected at least {min}", budget.max);
            reader.problem(path, None, message);
        }
    }
    if journal.path == Path::new("") {
        reader.problem("journal.path", None, "found nothing, expected a folder".to_owned());
    }
    if let SyncPolicy::Every(every) = journal.sync
        && every.is_zero()
    {
        let message = "found no time at all, expected \"always\", \"never\" or a time";
        reader.problem("journal.sync", None, message.to_owned());
    }
}

fn log(reader: &mut Reader<'_>, log: &LogConfig) {
    if let Some(level) = &log.level
        && let Err(error) = tracing_subscriber::EnvFilter::builder().parse(level)
    {
        let message =
            format!("expected a level such as \"info\", or tracing's directives: {error}");
        reader.problem("log.level", None, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_is_a_host_and_a_port() {
        for address in ["localhost:32767", "kubearmor.kubearmor.svc:1", "10.0.0.1:80", "[::1]:9"] {
            assert!(is_host_and_port(address), "{address}");
        }
        for address in ["", "localhost", "localhost:", ":32767", "a:0", "a:99999", "http://a:1"] {
            assert!(!is_host_and_port(address), "{address}");
        }
    }
}
