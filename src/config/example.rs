//! `config.example.toml`: every table, every key, every default, and every destination's example.

use sidearm_sinks::{CATALOGUE, contract::Facts};

/// The tables beside the sinks. What stands behind `#` is the default.
const HEAD: &str = r#"# Each table, and what each sink needs; `sidearm sinks NAME` tells every setting
# of a sink. What is commented out is the default, or an example where
# there is none. `sidearm check -c FILE` finds every mistake of a file in one go.
#
# ${env:NAME}, ${env:NAME:-default} and ${file:/path} work inside any string;
# $${ stands for ${ itself. A file's last line end is not part of its secret.

# Replaces an empty or "default" ClusterName.
cluster = "prod-eu"

# The least severity of a policy, 1 to 10, that counts as each step; what is below "low" is
# "info". It colours messages and fills the severities of other schemas.
[severity]
# low = 3
# medium = 5
# high = 7
# critical = 9

# Where the events come from.
[relay]
# KubeArmor's relay, or one agent; KUBEARMOR_SERVICE where this is left out.
address = "kubearmor.kubearmor.svc:32767"
# off, on, or auto: TLS where the certificate files are there.
# tls.mode = "auto"
# tls.ca = "/var/lib/kubearmor/tls/ca.crt"
# tls.cert = "/var/lib/kubearmor/tls/client.crt"
# tls.key = "/var/lib/kubearmor/tls/client.key"
# The name in the relay's certificate, where it is not that of the address.
# tls.server_name = "kubearmor.kubearmor.svc"
# false checks the chain alone, for certificates that carry no name.
# tls.verify_name = true

# Where events are kept until every sink is done with them, and longer while there is room.
[journal]
# path = "/var/lib/sidearm"
# Room on disk for each stream. What has to go unsettled is counted, oldest first.
# alerts.max = "1 GiB"
# logs.max = "1 GiB"
# messages.max = "64 MiB"
# Room for dead letters, for each sink.
# dead_letters.max = "64 MiB"
# The window a power cut can take: a time, "always" or "never".
# sync = "100ms"

# Metrics, health and status; "off" serves nothing.
[admin]
# listen = "127.0.0.1:9464"

[shutdown]
# How long sinks may go on delivering once the relay was left.
# wait = "10s"

# The program's own log, on standard error.
[log]
# text or json.
# format = "text"
# A level, or tracing's directives; RUST_LOG beats it.
# level = "info"

# A sink is a lane and one destination. Any number of them, any number of a kind. The name is
# letters, digits, "-" and "_".
[sinks.siem]
# alert, log, message.
streams = ["alert", "log"]
# Which events it takes: CEL over KubeArmor's field names and the derived ones. Gap records and
# throttle notices pass it.
when = 'stream == "alert" || NamespaceName in ["payments"]'
# native (the destination's own form, where it has one), json, ecs, ocsf, ocsf_finding, asim, otlp,
# cef, leef, text or template; each destination has its own default.
# format = "json"
# Jinja over the same names; takes format = "template" as said.
# template = "{{ Severity }} {{ PodName }}: {{ Resource }}"
# When a batch is full; by default and at most what the destination takes.
batch.events = 500
# batch.bytes = "1 MB"
# How long a batch may wait for more events.
# batch.wait = "0ms"
# Batches under way at once.
# batch.in_flight = 4
# Requests a second at most.
# rate_per_second = 50
# Like events as few messages: the first at once, repeats counted in one message every so long,
# what goes beyond the hour's messages in one at its end. On by default for people's channels,
# each with values of its own; false sends every event.
# digest = { every = "10m", per_hour = 60 }
"#;

/// The destination of the sink that shows the lane's keys: one that takes batches.
const SHOWN: &str = "splunk_hec";

/// The whole file.
pub fn example() -> String {
    let mut text = HEAD.to_owned();
    let (shown, others): (Vec<_>, Vec<_>) =
        CATALOGUE.iter().map(|entry| (entry.facts)()).partition(|facts| facts.name == SHOWN);
    for facts in shown.into_iter().chain(others) {
        let name = match facts.name {
            SHOWN => String::new(),
            name => format!("\n[sinks.{name}]\n"),
        };
        text.push_str(&format!("{name}# {}.\n{}", facts.summary, table(&facts)));
    }
    text
}

/// One destination's example, as a sink of its own.
pub(crate) fn sink(facts: &Facts) -> String {
    format!("[sinks.{}]\n{}", facts.name, table(facts))
}

/// The lines of the destination's table, each with the table's name before its key.
fn table(facts: &Facts) -> String {
    if facts.example.is_empty() {
        return format!("{} = {{}}\n", facts.name);
    }
    facts.example.lines().map(|line| format!("{}.{line}\n", facts.name)).collect()
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use sidearm_sinks::contract;

    use super::*;
    use crate::config::{
        AdminConfig, BatchTable, Budget, Config, DigestTable, Environment, JournalConfig,
        LaneTable, LogConfig, RelayConfig, RelayTls, ShutdownConfig, TABLES, read,
    };

    /// Reads a text with the samples of every secret, and the files that the head names.
    fn sample(text: &str) -> Config {
        let secrets = CATALOGUE.iter().flat_map(|entry| (entry.facts)().sample_secrets);
        let files = ["ca.crt", "client.crt", "client.key"];
        let files = files.map(|file| format!("/var/lib/kubearmor/tls/{file}"));
        let files = files.iter().map(|file| (file.as_str(), ""));
        let environment = Environment::fixed(secrets.copied().chain(files));
        match read(text, "config.example.toml", &environment) {
            Ok(config) => config,
            Err(problems) => panic!("{problems}"),
        }
    }

    #[test]
    fn the_example_is_right_and_shows_every_destination() {
        assert_eq!(sample(&example()).sinks.len(), CATALOGUE.len());
    }

    #[test]
    fn what_is_commented_out_is_the_default() {
        let (head, _) = HEAD.split_once("[sinks.siem]").expect("a sink ends the head");
        let is_key = |line: &str| line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
        let shown = head.lines().map(|line| match line.strip_prefix("# ") {
            Some(key) if is_key(key) => format!("{key}\n"),
            _ => format!("{line}\n"),
        });
        let config = sample(&(shown.collect::<String>() + "[sinks.a]\nstdout = {}\n"));
        let same = |shown: &dyn std::fmt::Debug, default: &dyn std::fmt::Debug| {
            assert_eq!(format!("{shown:?}"), format!("{default:?}"));
        };
        same(&config.journal, &JournalConfig::default());
        same(&config.admin, &AdminConfig::default());
        same(&config.shutdown, &ShutdownConfig::default());
        same(&config.log.format, &LogConfig::default().format);
        same(&config.relay.tls.mode, &RelayTls::default().mode);
        same(&config.relay.tls.verify_name, &RelayTls::default().verify_name);
    }

    /// The keys of a table, by the decoder's own complaint of one that is none.
    fn keys<T: DeserializeOwned>() -> Vec<String> {
        let text = "no_such_key = 1";
        let value = toml::de::DeTable::parse(text).expect("TOML").into_inner();
        let value = toml::Spanned::new(0..text.len(), toml::de::DeValue::Table(value));
        let error = contract::read::<T>(value.into()).err().expect("an unknown key");
        error.message.split('`').skip(3).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn every_key_is_shown() {
        let tables = [
            keys::<RelayConfig>(),
            keys::<RelayTls>(),
            keys::<JournalConfig>(),
            keys::<Budget>(),
            keys::<AdminConfig>(),
            keys::<ShutdownConfig>(),
            keys::<LogConfig>(),
            keys::<LaneTable>(),
            keys::<BatchTable>(),
            keys::<DigestTable>(),
            TABLES.map(str::to_owned).to_vec(),
        ];
        assert!(tables.iter().all(|keys| !keys.is_empty()), "{tables:?}");
        for key in tables.iter().flatten() {
            let shown = HEAD.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            assert!(shown.into_iter().any(|word| word == key), "{key} is not shown");
        }
    }
}
