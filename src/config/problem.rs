//! What is wrong with a configuration: each mistake with its file, line and path, in one sentence.

use std::fmt;

/// One mistake. It shows itself as `file:line: path: what was found, what was expected`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1; none where the whole file is meant.
    pub line: Option<usize>,
    /// The key, with dots (`sinks.soc.slack.url`); empty where no key is to blame.
    pub path: String,
    /// What was found and what was expected. No secret stands in it.
    pub message: String,
}

impl Problem {
    /// The same line for what is no mistake.
    pub(crate) fn warning(&self) -> String {
        format!("{}: warning: {}", self.place(), self.message)
    }

    fn place(&self) -> String {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        let path = if self.path.is_empty() { "" } else { ": " };
        format!("{}{line}{path}{}", self.file, self.path)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.message)
    }
}

/// All mistakes of a configuration, in the order of its lines; never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// A mistake that concerns the whole file.
    pub(super) fn of_file(file: &str, message: String) -> Self {
        let (line, path) = (None, String::new());
        Self(vec![Problem { file: file.to_owned(), line, path, message }])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
