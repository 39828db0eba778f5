//! What runs where no file is given: the relay nearby, its alerts on standard output.

use std::path::PathBuf;

use super::{environment::Environment, load::read, problem::Problems, shape::Config};

/// The configuration in words a file would use.
const TEXT: &str = "[sinks.stdout]\nformat = \"json\"\nstdout = {}\n";

impl Config {
    /// Alerts of the relay that `KUBEARMOR_SERVICE` names (default `localhost:32767`), on standard
    /// output, as KubeArmor's own JSON. The journal lies in `journal`.
    ///
    /// # Errors
    /// `KUBEARMOR_SERVICE` is not `host:port`.
    pub fn without_file(environment: &Environment, journal: PathBuf) -> Result<Self, Problems> {
        let mut config = read(TEXT, "(no file)", environment)?;
        config.journal.path = journal;
        Ok(config)
    }
}

/// Where the journal of a run without a file lies: the user's own state folder, so that a try-out
/// keeps clear of a service on the same machine; else the service's folder, as in a container
/// without a home; else a folder right here. The first that is there or can be made is taken.
pub fn journal_without_file(environment: &Environment) -> PathBuf {
    let folders = [
        environment.variable("XDG_STATE_HOME").map(|state| PathBuf::from(state).join("sidearm")),
        environment.variable("HOME").map(|home| PathBuf::from(home).join(".local/state/sidearm")),
        Some(PathBuf::from("/var/lib/sidearm")),
    ];
    let mut folders = folders.into_iter().flatten().filter(|folder| folder.is_absolute());
    folders
        .find(|folder| std::fs::create_dir_all(folder).is_ok())
        .unwrap_or_else(|| PathBuf::from("sidearm-data"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sidearm_sinks::contract::{Format, Stream};

    use super::*;

    #[test]
    fn alerts_of_the_relay_nearby_go_to_standard_output() {
        let read = |environment: &Environment| {
            Config::without_file(environment, PathBuf::from("/j")).expect("nothing is wrong")
        };
        let config = read(&Environment::fixed([]));
        assert_eq!(config.relay.address, "localhost:32767");
        assert_eq!(config.journal.path, Path::new("/j"));
        let [sink] = config.sinks.as_slice() else { panic!("one sink") };
        assert_eq!(
            (sink.lane.streams.as_slice(), sink.lane.format),
            (&[Stream::Alert][..], Format::Json)
        );
        assert_eq!(sink.lane.facts.name, "stdout");
        let config = read(&Environment::fixed([("KUBEARMOR_SERVICE", "relay:1")]));
        assert_eq!(config.relay.address, "relay:1");
    }

    #[test]
    fn the_journal_of_a_try_out_lies_with_the_user() {
        let home = tempfile::tempdir().expect("a folder");
        let name = home.path().to_str().expect("UTF-8");
        let folder = journal_without_file(&Environment::fixed([("HOME", name)]));
        assert_eq!(folder, home.path().join(".local/state/sidearm"));
        let state = home.path().join("state");
        let state = state.to_str().expect("UTF-8");
        let both = Environment::fixed([("HOME", name), ("XDG_STATE_HOME", state)]);
        assert!(journal_without_file(&both).starts_with(state));
    }
}
