//! The way in: subscribes to KubeArmor's relay, watches over each stream, records every gap.

pub(crate) mod protocol;
