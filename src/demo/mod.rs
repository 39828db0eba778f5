//! The main job with nothing else installed: what the demo plays, and what tests and benchmarks
//! run against.
//!
//! `scenario` tells the events, `relay` serves them as KubeArmor's relay does, `hec` takes them as
//! Splunk does. All three are servers and stories of their own: the engine between them is the
//! ordinary one and knows nothing of this folder. `stage` sets them up for `sidearm demo`.

pub mod hec;
pub mod relay;
pub mod scenario;
pub(crate) mod stage;
