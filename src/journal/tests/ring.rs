//! What an untroubled journal does: keeps order, survives restarts, stays within its budgets.

use std::{fs, time::Duration};

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_appended_is_read_from_memory_and_from_disk() {
    let folder = folder();
    let mut opened = Opened::at(&folder).await;
    let all = messages(0, 40_000, 100);
    for some in all.chunks(1_000) {
        opened.write(some).await;
    }
    // 4 MB were written, 1 MiB of them is still in memory.
    assert_eq!(alerts(&opened.journal).await, expected(0, &all));
    let tail = read_all(&opened.journal, Stream::Alert, 39_990).await;
    assert_eq!(tail, expected(39_990, &all[39_990..]));
    assert!(opened.journal.read(Stream::Alert, 40_000).await.is_none());
    let status = opened.journal.status();
    assert_eq!(status.streams[0].received, 40_000);
    assert!(status.writable && status.last_error.is_none(), "{status:?}");
    opened.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_where_it_ended() {
    let folder = folder();
    let all = messages(0, 60, 300);
    for some in all.chunks(20) {
        let mut opened = Opened::at(&folder).await;
        opened.write(some).await;
        opened.close().await;
    }
    let opened = Opened::at(&folder).await;
    assert_eq!(alerts(&opened.journal).await, expected(0, &all));
    assert_eq!(fs::read_dir(folder.path().join("journal/alerts")).expect("a folder").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_block_is_due_five_milliseconds_after_its_first_record() {
    let folder = folder();
    let mut opened = Opened::at(&folder).await;
    assert_eq!(opened.appender.due(), None);
    let before = tokio::time::Instant::now();
    opened.appender.append(Kind::Event, b"one");
    tokio::time::advance(Duration::from_millis(2)).await;
    opened.appender.append(Kind::Gap, b"two");
    assert_eq!(opened.appender.due(), Some(before + BLOCK_AGE));
    opened.appender.seal();
    assert_eq!(opened.appender.due(), None);
    opened.until(|journal| journal.head(Stream::Alert) == 2).await;
    let kinds: Vec<Kind> = alerts(&opened.journal).await.into_iter().map(|r| r.1).collect();
    assert_eq!(kinds, [Kind::Event, Kind::Gap]);
    assert_eq!(opened.journal.status().streams[0].received, 1);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_makes_way_when_the_budget_is_reached() {
    let folder = folder();
    let disk = FaultyDisk::new();
    let options = Options { max_bytes: [3 * MIB; 3], ..options(folder.path(), &disk) };
    let mut opened = Opened::with(options, disk).await;
    let all = messages(0, 10_000, 1_000);
    for some in all.chunks(200) {
        opened.write(some).await;
    }
    let status = opened.journal.status().streams[0];
    assert!(status.bytes <= 3 * MIB && status.bytes > MIB, "{status:?}");
    let first = opened.journal.first(Stream::Alert);
    assert!(first > 5_000 && status.head == 10_000, "{status:?}");
    assert_eq!(alerts(&opened.journal).await, expected(first, &all[first as usize..]));
    let on_disk: u64 = fs::read_dir(folder.path().join("journal/alerts"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").metadata().expect("its facts").len())
        .sum();
    assert_eq!(on_disk, status.bytes);
}

#[tokio::test(start_paused = true)]
async fn a_large_record_goes_alone_and_too_large_a_one_is_refused_and_told() {
    let folder = folder();
    let disk = FaultyDisk::new();
    let options = Options { max_waiting_bytes: 40 << 20, ..options(folder.path(), &disk) };
    let mut opened = Opened::with(options, disk).await;
    let mut all = messages(0, 3, 100);
    all[1] = messages(1, 1, 16 << 20).remove(0);
    all.iter().for_each(|message| opened.appender.append(Kind::Event, message));
    opened.appender.append(Kind::Event, &vec![0; (16 << 20) + 1]);
    opened.appender.append(Kind::Event, b"after");
    opened.appender.seal();
    opened.until(|journal| journal.head(Stream::Alert) == 5).await;
    let read = alerts(&opened.journal).await;
    assert_eq!(read[..3], expected(0, &all));
    assert_eq!((read[3].1, lost(&read[3].2)), (Kind::Gap, 1));
    assert_eq!(read[4].2, b"after");
    assert_eq!(opened.journal.status().streams[0].refused, 1);
}

#[tokio::test(start_paused = true)]
async fn many_lanes_read_at_their_own_pace_while_the_ring_moves_on() {
    let folder = folder();
    let disk = FaultyDisk::new();
    let options = Options {
        max_bytes: [4 * MIB; 3],
        memory_bytes_per_stream: 64 << 10,
        ..options(folder.path(), &disk)
    };
    let mut opened = Opened::with(options, disk).await;
    let lanes: Vec<_> = (0..4_u64)
        .map(|pace| {
            let journal = opened.journal.clone();
            tokio::spawn(async move {
                let (mut at, mut changes) = (0, journal.changes());
                while at < 8_000 {
                    let Some(block) = journal.read(Stream::Alert, at).await else {
                        changes.changed().await.expect("the journal is open");
                        continue;
                    };
                    for (number, _, message) in block.records_from(at) {
                        assert_eq!(message[..8], number.to_le_bytes());
                    }
                    at = block.end();
                    tokio::time::sleep(Duration::from_millis(pace * 7)).await;
                }
            })
        })
        .collect();
    for some in messages(0, 8_000, 1_000).chunks(100) {
        opened.write(some).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for lane in lanes {
        lane.await.expect("a lane reads on");
    }
    assert!(opened.journal.first(Stream::Alert) > 0);
}

#[tokio::test(start_paused = true)]
async fn cursors_come_back_and_a_damaged_file_begins_at_the_oldest() {
    let folder = folder();
    let mut opened = Opened::at(&folder).await;
    opened.write(&messages(0, 10, 50)).await;
    let journal = &opened.journal;
    assert_eq!(journal.load_cursors("soc").await.expect("none yet"), SinkCursors::default());
    let mut cursor = Cursor::new(0);
    cursor.settle(0..7, Counts { accepted: 7, ..Counts::default() });
    let cursors = [Some(cursor), None, None];
    let kept = SinkCursors { cursors, ..SinkCursors::default() };
    journal.save_cursors("soc", &kept).await.expect("they are saved");
    assert_eq!(journal.load_cursors("soc").await.expect("they are there"), kept);

    let file = folder.path().join("cursors/soc.cursors");
    let mut bytes = fs::read(&file).expect("a file");
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    fs::write(&file, &bytes).expect("a damaged file");
    let again = journal.load_cursors("soc").await.expect("they begin again");
    assert_eq!(again.cursors[0], Some(Cursor::new(0)));
    let aside = fs::read(folder.path().join("cursors/soc.damaged")).expect("it is set aside");
    assert_eq!(aside, bytes);

    opened.disk.set_write_error(Some(io::ErrorKind::StorageFull));
    opened.journal.save_cursors("soc", &kept).await.expect_err("the disk is full");
}

#[tokio::test(start_paused = true)]
async fn one_process_at_a_time_and_no_newer_journal() {
    let folder = folder();
    let opened = Opened::at(&folder).await;
    let disk = FaultyDisk::new();
    let refused = |result: Result<(Journal, Writer), OpenError>| match result {
        Ok(_) => panic!("it was opened"),
        Err(error) => error.to_string(),
    };
    let said = refused(Journal::open(options(folder.path(), &disk)).await);
    let holder = format!("in use by another process ({})", std::process::id());
    assert!(said.contains(&holder) && said.contains("stop that one"), "{said}");
    let Opened { journal, appender, writing, .. } = opened;
    drop((journal, appender));
    writing.await.expect("the writer ends");

    fs::write(folder.path().join("journal/FORMAT"), "2\n").expect("a newer version");
    let said = refused(Journal::open(options(folder.path(), &disk)).await);
    assert!(said.contains("newer version") && said.contains("format is 2"), "{said}");

    let file = folder.path().join("a file");
    fs::write(&file, "").expect("a file");
    let said = refused(Journal::open(options(&file.join("below"), &disk)).await);
    assert!(said.starts_with("cannot create") && said.contains("journal.path"), "{said}");
}
