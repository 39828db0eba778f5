//! A disk that is full, slow, broken or read-only: what waits, what is refused, what goes on.

use std::time::Duration;

use super::*;

/// The gap records among records, as the events they tell lost.
fn told(records: &[(u64, Kind, Vec<u8>)]) -> Vec<u64> {
    records.iter().filter(|record| record.1 == Kind::Gap).map(|record| lost(&record.2)).collect()
}

fn events(records: &[(u64, Kind, Vec<u8>)]) -> Vec<Vec<u8>> {
    records.iter().filter(|r| r.1 == Kind::Event).map(|record| record.2.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_keeps_events_waiting_and_goes_on_by_itself() {
    let folder = folder();
    let mut opened = Opened::at(&folder).await;
    opened.write(&messages(0, 10, 100)).await;
    opened.disk.set_room_bytes(Some(700));
    let all = messages(10, 30, 100);
    for some in all.chunks(10) {
        some.iter().for_each(|message| opened.appender.append(Kind::Event, message));
        opened.appender.seal();
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    let status = opened.journal.status();
    assert!(!status.writable && status.streams[0].head == 10, "{status:?}");
    opened.disk.set_room_bytes(Some(1 << 20));
    opened.until(|journal| journal.head(Stream::Alert) == 40).await;
    let read = alerts(&opened.journal).await;
    assert_eq!(read[10..], expected(10, &all));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(opened.journal.status().writable);
    opened.close().await;
    // The half block that was written at first is not in the file.
    let opened = Opened::at(&folder).await;
    assert_eq!(alerts(&opened.journal).await, read);
    assert_eq!(opened.journal.status().streams[0].damaged, 0);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_in_memory_is_refused_counted_and_told() {
    let folder = folder();
    let mut opened = Opened::at(&folder).await;
    opened.disk.set_write_error(Some(io::ErrorKind::ReadOnlyFilesystem));
    let all = messages(0, 6_000, 1_000);
    for message in &all {
        opened.appender.append(Kind::Event, message);
    }
    opened.appender.seal();
    let refused = opened.journal.status().streams[0].refused;
    assert!(refused > 1_000 && refused < 3_000, "{refused}");
    opened.disk.set_write_error(None);
    let kept = 6_000 - refused;
    opened.until(|journal| journal.head(Stream::Alert) == kept + 1).await;
    let read = alerts(&opened.journal).await;
    assert_eq!(told(&read), [refused]);
    assert_eq!(events(&read), all[..kept as usize]);
    let status = opened.journal.status().streams[0];
    assert_eq!((status.received, status.refused), (kept, refused));
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_sheds_logs_for_alerts_and_never_alerts_for_logs() {
    let folder = folder();
    let mut opened = Opened::at(&folder).await;
    opened.write(&messages(0, 100, 1_000)).await;
    let mut logs = opened.journal.appender(Stream::Log);
    for message in messages(0, 10_000, 1_000) {
        logs.append(Kind::Event, &message);
        if logs.due().is_none() {
            opened.until(|journal| journal.status().streams[2].refused == 0).await;
            tokio::task::yield_now().await;
        }
    }
    logs.seal();
    let stream = |place: usize| opened.journal.status().streams[place];
    let settled = || stream(2).received + stream(2).refused == 10_000;
    opened.until(|_| settled()).await;
    let logs_before = opened.journal.status().streams[2].bytes;
    assert!(logs_before > 4 * MIB, "{logs_before}");

    opened.disk.set_room_bytes(Some(10_000));
    opened.write(&messages(100, 2_000, 1_000)).await;
    let [alerts_now, _, logs_now] = opened.journal.status().streams;
    assert_eq!((alerts_now.first, alerts_now.head, alerts_now.refused), (0, 2_100, 0));
    assert!(logs_now.first > 0 && logs_now.bytes < logs_before, "{logs_now:?}");

    // Logs that meet the full disk give up logs alone, and in the end wait.
    opened.disk.set_room_bytes(Some(0));
    messages(0, 3_000, 1_000).iter().for_each(|message| logs.append(Kind::Event, message));
    logs.seal();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let alerts_after = opened.journal.status().streams[0];
    assert_eq!((alerts_after.first, alerts_after.bytes), (0, alerts_now.bytes));
}

#[tokio::test(start_paused = true)]
async fn a_slow_disk_never_holds_an_append() {
    let folder = folder();
    let mut opened = Opened::at(&folder).await;
    opened.disk.set_holds_writes(true);
    let all = messages(0, 20_000, 1_000);
    all.iter().for_each(|message| opened.appender.append(Kind::Event, message));
    opened.appender.seal();
    let status = opened.journal.status().streams[0];
    assert!(status.head == 0 && status.refused > 10_000, "{status:?}");
    opened.disk.set_holds_writes(false);
    opened.until(|journal| journal.status().streams[0].received + status.refused == 20_000).await;
}

#[tokio::test(start_paused = true)]
async fn under_always_nothing_is_received_before_it_is_safe() {
    let folder = folder();
    let disk = FaultyDisk::new();
    let options = Options { sync: SyncPolicy::Always, ..options(folder.path(), &disk) };
    let mut opened = Opened::with(options, disk).await;
    opened.write(&messages(0, 5, 100)).await;
    opened.disk.set_sync_error(Some(io::ErrorKind::Other));
    messages(5, 5, 100).iter().for_each(|m| opened.appender.append(Kind::Event, m));
    opened.appender.seal();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(opened.journal.head(Stream::Alert), 5);
    opened.disk.set_sync_error(None);
    opened.until(|journal| journal.head(Stream::Alert) == 10).await;
    opened.close().await;
    let opened = Opened::at(&folder).await;
    assert_eq!(alerts(&opened.journal).await, expected(0, &messages(0, 10, 100)));
}

#[tokio::test(start_paused = true)]
async fn a_failing_sync_is_said_and_does_not_stop_the_rest() {
    let folder = folder();
    let mut opened = Opened::at(&folder).await;
    opened.disk.set_sync_error(Some(io::ErrorKind::Other));
    opened.write(&messages(0, 5, 100)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let status = opened.journal.status();
    assert!(status.writable && status.last_error.is_some(), "{status:?}");
    opened.write(&messages(5, 5, 100)).await;
    opened.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_last_blocks_are_given_up_on_a_disk_that_stays_broken() {
    let folder = folder();
    let mut opened = Opened::at(&folder).await;
    opened.disk.set_write_error(Some(io::ErrorKind::Other));
    opened.appender.append(Kind::Event, b"never received");
    opened.close().await;
    let opened = Opened::at(&folder).await;
    assert_eq!(opened.journal.head(Stream::Alert), 0);
}

#[tokio::test(start_paused = true)]
async fn a_reader_outlives_a_disk_that_cannot_be_read_for_a_while() {
    let folder = folder();
    let mut opened = Opened::at(&folder).await;
    let all = messages(0, 10, 100);
    opened.write(&all).await;
    opened.close().await;
    let opened = Opened::at(&folder).await;
    opened.disk.set_read_error(Some(io::ErrorKind::Other));
    let journal = opened.journal.clone();
    let reading = tokio::spawn(async move { alerts(&journal).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    opened.disk.set_read_error(None);
    assert_eq!(reading.await.expect("it reads on"), expected(0, &all));
}
