//! A crash in the first moments of a new sink, before anything of it was saved in passing.

use sidearm_sinks::contract::Stream;

use crate::{
    script::{Act, Script, ScriptedWires},
    world::{House, ONE_SINK, books, eventually},
};

#[tokio::test(start_paused = true)]
async fn a_new_sink_answers_for_what_came_before_an_early_crash() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::new(|_, _| Act::Down);
    let wires = ScriptedWires::default().with("siem", &script);
    let mut house = House::new(5);
    let engine = house.engine(folder.path(), ONE_SINK, wires.clone()).await;
    house.subscribed(Stream::Alert).await;
    house.publish(Stream::Alert, 20).await;
    let received = || engine.status().read().journal.streams[Stream::Alert.index()].received;
    eventually("the alerts are in the journal", || received() == 20).await;
    drop(engine);

    script.now(|_, _| Act::Accept);
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    let engine = house.engine(folder.path(), ONE_SINK, wires).await;
    eventually("all of them arrive", || script.taken().len() == 20).await;
    assert_eq!(script.taken(), house.published[Stream::Alert.index()]);
    let view = books(&engine.shutdown().await, "siem");
    assert_eq!(view.ledger.counts.dead + view.ledger.counts.shed, 0);
}
