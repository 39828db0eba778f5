//! The processes under measurement, and what the kernel knows of them.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _, stdin},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
};

use crate::Failure;

/// Ticks a second in `/proc/PID/stat`: the same on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// One process; dropping it ends it.
pub(crate) struct Part {
    child: Child,
    says: BufReader<ChildStdout>,
    hears: ChildStdin,
}

impl Part {
    /// This binary again, in another role.
    pub(crate) fn role(words: &[&str]) -> Result<Self, Failure> {
        Self::start(Command::new(std::env::current_exe()?).args(words))
    }

    /// Any program.
    pub(crate) fn start(command: &mut Command) -> Result<Self, Failure> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let says = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        let hears = child.stdin.take().expect("its input is a pipe");
        Ok(Self { child, says, hears })
    }

    /// The next line it says.
    pub(crate) fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        if self.says.read_line(&mut line)? == 0 {
            return Err("a process of the benchmark ended early".into());
        }
        Ok(line.trim_end().to_owned())
    }

    /// Tells it that it is time for what it does next.
    pub(crate) fn nudge(&mut self) -> Result<(), Failure> {
        Ok(self.hears.write_all(b"\n")?)
    }

    /// Seconds of processor time that all its threads have used.
    pub(crate) fn cpu_seconds(&self) -> Result<f64, Failure> {
        let stat = self.proc_file("stat")?;
        // The name in brackets may hold anything; utime and stime are the 12th and 13th behind it.
        let behind_name = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let fields = behind_name.split_whitespace().skip(11).take(2);
        let ticks = fields.map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(ticks as f64 / TICKS_PER_SECOND)
    }

    /// The most memory it has had, in MiB.
    pub(crate) fn peak_mib(&self) -> Result<f64, Failure> {
        let status = self.proc_file("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kib.ok_or("the kernel does not tell VmHWM")?.parse::<f64>()? / 1024.0)
    }

    fn proc_file(&self, name: &str) -> Result<String, Failure> {
        Ok(fs::read_to_string(format!("/proc/{}/{name}", self.child.id()))?)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // A process that is gone already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In a role: ends this process once whoever directs it is gone.
pub(crate) fn end_with_director() {
    thread::spawn(|| {
        let _ = stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}
