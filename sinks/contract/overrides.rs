//! What the configuration says over the heads of events: the cluster's name, and how grave a
//! policy's severity is.

use serde::{Deserialize, Serialize};

/// How grave an event is, in the five steps that most destinations know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Gravity {
    /// Telemetry; nothing is amiss.
    Info,
    /// Worth a note.
    Low,
    /// Worth a look.
    Medium,
    /// Worth a look now.
    High,
    /// Worth waking somebody.
    Critical,
}

impl Gravity {
    /// All of them, the least first.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Its name in messages, templates and filters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// `[severity]`: the least severity of a policy, 1 to 10, that counts as each step. What lies
/// below `low` is [`Gravity::Info`]. KubeArmor leaves open which end is grave; here 10 is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeverityTable {
    /// From here on it is [`Gravity::Low`].
    pub low: u8,
    /// From here on it is [`Gravity::Medium`].
    pub medium: u8,
    /// From here on it is [`Gravity::High`].
    pub high: u8,
    /// From here on it is [`Gravity::Critical`].
    pub critical: u8,
}

impl SeverityTable {
    /// 1 and 2 info, 3 and 4 low, 5 and 6 medium, 7 and 8 high, 9 and 10 critical.
    const DEFAULT: Self = Self { low: 3, medium: 5, high: 7, critical: 9 };

    /// The step of a severity.
    pub fn gravity(&self, severity: u8) -> Gravity {
        match severity {
            _ if severity >= self.critical => Gravity::Critical,
            _ if severity >= self.high => Gravity::High,
            _ if severity >= self.medium => Gravity::Medium,
            _ if severity >= self.low => Gravity::Low,
            _ => Gravity::Info,
        }
    }

    /// Whether the steps rise; a step that is skipped stands at the one above it.
    pub fn rises(&self) -> bool {
        self.low <= self.medium && self.medium <= self.high && self.high <= self.critical
    }
}

impl Default for SeverityTable {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What the configuration says of every event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides {
    /// Replaces a `ClusterName` that is empty or KubeArmor's unset "default"; empty leaves it.
    pub cluster: String,
    /// How grave a severity is.
    pub severity: SeverityTable,
}

static NONE: Overrides = Overrides { cluster: String::new(), severity: SeverityTable::DEFAULT };

impl Overrides {
    /// A configuration that says nothing.
    pub fn none() -> &'static Self {
        &NONE
    }

    /// A configuration that names the cluster and no more.
    pub fn of_cluster(cluster: impl Into<String>) -> Self {
        Self { cluster: cluster.into(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_rise_in_pairs_unless_told_otherwise() {
        let table = SeverityTable::default();
        let names: Vec<_> = (1..=10).map(|severity| table.gravity(severity).name()).collect();
        assert_eq!(names.join(" "), "info info low low medium medium high high critical critical");
        let table = SeverityTable { low: 1, medium: 1, high: 4, critical: 11 };
        assert!(table.rises());
        assert_eq!(table.gravity(1), Gravity::Medium);
        assert_eq!(table.gravity(10), Gravity::High);
        assert!(!SeverityTable { high: 12, ..table }.rises());
    }
}
