//! KubeArmor's messages as they stand on the wire, and Sidearm's own gap record.
//!
//! Owns `kubearmor.proto` and `gap.proto`, written from the wire facts, and the code buffa makes
//! of them: owned messages for writing (the demo, tests) and zero-copy views for reading (the
//! engine). `tests/generated.rs` holds the one against the other. Knows nothing of streams,
//! meaning or transport.

/// KubeArmor's package `feeder`.
#[expect(missing_docs, reason = "generated code")]
pub mod feeder {
    include!("generated/feeder.rs");
}

/// Sidearm's own messages.
#[expect(missing_docs, reason = "generated code")]
pub mod sidearm {
    include!("generated/sidearm.rs");
}
