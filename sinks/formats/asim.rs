//! Microsoft Sentinel's Advanced Security Information Model: one row an event, of the schema that
//! `EventSchema` names, for a table whose columns are named and typed as that schema's.
//!
//! | what KubeArmor saw | `EventSchema` | version |
//! |---|---|---|
//! | alerts, throttle notices, gap records of alerts | AlertEvent | 0.1 |
//! | logs of processes | ProcessEvent | 0.1.4 |
//! | logs of files | FileEvent | 0.2.2 |
//! | logs of connections | NetworkSession | 0.2.7 |
//! | logs of DNS queries | Dns | 0.1.7 |
//! | other logs, agents' messages, other gap records | AuditEvent | 0.1.2 |
//!
//! | of an event | columns |
//! |---|---|
//! | `UpdatedTime`, a digest, a gap | `TimeGenerated`; `EventStartTime`, `EventEndTime`; `EventCount` |
//! | how grave it is, by `[severity]` | `EventSeverity`; `Severity`: `EventOriginalSeverity` |
//! | `Result` | `EventResult`, `EventOriginalResultDetails` |
//! | `Action` | `DvcAction` Deny or Allow; as it is: `DvcOriginalAction` |
//! | `HostName`, `NodeID`, `HostIP` | `Dvc…` |
//! | `PolicyName`, `Message`, tags of MITRE ATT&CK | `Rule…`, `Alert…`, `Attack…` |
//! | processes, files, ends of a connection, users | those of the schema |
//! | everything else | `AdditionalFields`, a dynamic column, under KubeArmor's own names |
//!
//! Process and user numbers are texts in ASIM, ports and counts numbers. What a schema demands and
//! KubeArmor did not say reads `unknown`; a user without a name goes by the number.
//! <https://learn.microsoft.com/azure/sentinel/normalization-about-schemas>

mod additional;
mod common;
mod schemas;

use super::{
    object::{self},
    seen::Seen,
};
use crate::contract::Event;

/// Appends an event as one row, without a line end.
pub fn write(event: &Event<'_>, out: &mut Vec<u8>) {
    let seen = Seen::of(event);
    let schema = schemas::Schema::of(&seen);
    object::write(out, |row| {
        common::write(&seen, schema, row);
        schemas::write(&seen, schema, row);
        additional::write(&seen, schema, row);
    });
}

#[cfg(test)]
mod tests;
