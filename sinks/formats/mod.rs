//! Events in the schemas that others have agreed on. Pure, and of any destination.

pub mod otlp;
