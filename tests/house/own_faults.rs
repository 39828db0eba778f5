//! A fault of our own in what nothing works without: it is told, and the engine ends in good order.

use std::{future::pending, sync::Arc};

use sidearm::{
    engine,
    journal::{FaultyDisk, Panics},
};
use sidearm_sinks::contract::Stream;

use crate::{
    script::{Script, ScriptedWires},
    world::{House, ONE_SINK, books, eventually},
};

#[tokio::test(start_paused = true)]
async fn events_that_nobody_writes_any_more_are_not_refused_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let (script, disk) = (Script::willing(), FaultyDisk::new());
    let mut house = House::new(21);
    let wires = ScriptedWires::default().with("siem", &script);
    let mut engine = house.engine_on(folder.path(), ONE_SINK, wires, Arc::new(disk.clone())).await;
    house.subscribed(Stream::Alert).await;
    house.publish(Stream::Alert, 50).await;
    eventually("all taken", || script.taken().len() == 50).await;
    disk.set_panics(Some(Panics::OnAppend));
    house.publish(Stream::Alert, 10).await;
    let fault = engine.failed().await;
    assert!(fault.starts_with("writing the journal has ended"), "{fault}");
    assert!(fault.contains("a fault made to order"), "{fault}");
    let journal = engine.status().read().journal;
    assert!(!journal.writable && journal.last_error == Some(fault));
    assert_eq!(books(&engine.shutdown().await, "siem").ledger.counts.accepted, 50);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_cursors_nobody_saves_ends_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (script, disk) = (Script::willing(), FaultyDisk::new());
    let mut house = House::new(22);
    let wires = ScriptedWires::default().with("siem", &script);
    let (config, parts) = house.parts(folder.path(), ONE_SINK, wires, Arc::new(disk.clone()));
    let publishing = async {
        house.subscribed(Stream::Alert).await;
        disk.set_panics(Some(Panics::OnReplace));
        house.publish(Stream::Alert, 10).await;
    };
    let (ended, ()) = tokio::join!(engine::run(config, parts, pending()), publishing);
    let ended = ended.unwrap();
    let fault = ended.fault.unwrap();
    assert!(fault.starts_with("saving cursors has ended by a fault of our own"), "{fault}");
    assert_eq!(books(&ended.status, "siem").ledger.counts.accepted, 10, "it ended in order");
}
