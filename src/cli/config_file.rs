//! `-c FILE`, as every command that needs a configuration takes it.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use super::Exit;
use crate::config::{self, Config, Environment, Problems};

/// The configuration a command works on.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigFile {
    /// The configuration; without one: the relay of KUBEARMOR_SERVICE (default localhost:32767),
    /// its alerts on standard output as JSON
    #[arg(short = 'c', long = "config", value_name = "FILE", env = "SIDEARM_CONFIG")]
    path: Option<PathBuf>,
}

impl ConfigFile {
    /// Reads it. Where something is wrong with it, that is told, a line each, and the exit code
    /// answered. `journal` says where the journal lies where there is no file.
    pub(crate) fn read(
        &self,
        journal: impl FnOnce(&Environment) -> PathBuf,
    ) -> Result<Config, Exit> {
        let read = match &self.path {
            Some(path) => config::load(path),
            None => {
                let environment = Environment::process();
                Config::without_file(&environment, journal(&environment))
            }
        };
        read.map_err(|problems| tell(&problems))
    }

    /// Reads it for a command that only looks at it.
    pub(crate) fn look(&self) -> Result<Config, Exit> {
        self.read(|_| config::JournalConfig::default().path)
    }

    /// How it is called in what is printed.
    pub(crate) fn name(&self) -> String {
        self.path.as_deref().map_or("no file".to_owned(), |path: &Path| path.display().to_string())
    }
}

/// A problem a line, and nothing else on it: editors read these lines too.
fn tell(problems: &Problems) -> Exit {
    let _ = writeln!(anstream::stderr(), "{problems}");
    Exit::Config
}
