//! Cuts, flipped bits and missing parts: what is left is read, what is lost is told.

use std::fs;

use super::{super::segments::Segment, *};

fn segment(folder: &TempDir, first: u64) -> PathBuf {
    Segment::path(first, &folder.path().join("journal/alerts"))
}

/// Three blocks of ten messages each, written and closed.
async fn three_blocks(folder: &TempDir) -> Vec<Vec<u8>> {
    let all = messages(0, 30, 60);
    let mut opened = Opened::at(folder).await;
    for some in all.chunks(10) {
        opened.write(some).await;
    }
    opened.close().await;
    all
}

#[tokio::test(start_paused = true)]
async fn after_every_truncation_a_prefix_is_left_and_appending_goes_on() {
    let folder = folder();
    let all = three_blocks(&folder).await;
    let whole = fs::read(segment(&folder, 0)).expect("a segment");
    // Every place of a header, and the rest in steps.
    for cut in (0..whole.len()).filter(|cut| cut % 13 == 0 || *cut < 50 || whole.len() - cut < 50) {
        fs::write(segment(&folder, 0), &whole[..cut]).expect("a cut segment");
        let mut opened = Opened::at(&folder).await;
        let head = opened.journal.head(Stream::Alert) as usize;
        assert_eq!(alerts(&opened.journal).await, expected(0, &all[..head]), "cut at {cut}");
        opened.write(&[b"after the cut".to_vec()]).await;
        opened.close().await;
        let opened = Opened::at(&folder).await;
        let read = alerts(&opened.journal).await;
        assert_eq!((read.len(), &*read[head].2), (head + 1, &b"after the cut"[..]), "cut at {cut}");
        opened.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_block_at_start_is_skipped_set_aside_and_told_once() {
    let folder = folder();
    let all = three_blocks(&folder).await;
    let mut bytes = fs::read(segment(&folder, 0)).expect("a segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(segment(&folder, 0), &bytes).expect("a damaged segment");
    for _ in 0..2 {
        let opened = Opened::at(&folder).await;
        opened.until(|journal| journal.head(Stream::Alert) == 31).await;
        let read = alerts(&opened.journal).await;
        assert_eq!(read[..10], expected(0, &all[..10]));
        assert_eq!(read[10..20], expected(20, &all[20..]));
        assert_eq!((read.len(), read[20].1, lost(&read[20].2)), (21, Kind::Gap, 10));
        opened.close().await;
    }
    let aside = fs::read_dir(folder.path().join("damaged")).expect("a folder").next();
    let aside = fs::read(aside.expect("a piece").expect("an entry").path()).expect("its bytes");
    assert!(bytes.windows(aside.len()).any(|window| window == aside));
}

#[tokio::test(start_paused = true)]
async fn damage_met_while_reading_is_skipped_and_told() {
    let folder = folder();
    let disk = FaultyDisk::new();
    let options = Options { memory_bytes_per_stream: 0, ..options(folder.path(), &disk) };
    let mut opened = Opened::with(options, disk).await;
    let all = messages(0, 4_000, 1_000);
    for some in all.chunks(100) {
        opened.write(some).await;
    }
    // The first segment is finished; its middle and its first header are hit.
    let mut bytes = fs::read(segment(&folder, 0)).expect("a segment");
    bytes[5] ^= 1;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(segment(&folder, 0), &bytes).expect("a damaged segment");
    let read = alerts(&opened.journal).await;
    assert_eq!(read[0].0, 100);
    let events: Vec<_> = read.iter().filter(|record| record.1 == Kind::Event).cloned().collect();
    assert_eq!(events.len(), 3_800);
    assert!(events.iter().all(|(number, _, message)| *message == all[*number as usize]));
    opened.until(|journal| journal.head(Stream::Alert) == 4_002).await;
    let told = read_all(&opened.journal, Stream::Alert, 4_000).await;
    assert_eq!(told.iter().map(|record| lost(&record.2)).collect::<Vec<_>>(), [100, 100]);
    // Another lane meets the same damage: nothing more is told.
    assert_eq!(alerts(&opened.journal).await.len(), 3_802);
    assert_eq!(opened.journal.status().streams[0].damaged, 2);
    assert_eq!(opened.journal.head(Stream::Alert), 4_002);
}

#[tokio::test(start_paused = true)]
async fn whatever_befalls_a_segment_what_is_read_is_true_and_writing_goes_on() {
    let folder = folder();
    let all = three_blocks(&folder).await;
    let whole = fs::read(segment(&folder, 0)).expect("a segment");
    for seed in 0..150_usize {
        let (at, length) = (seed * 7_919 % whole.len(), seed * 31 % 300);
        let end = (at + length).min(whole.len());
        let mut bytes = whole.clone();
        match seed % 4 {
            0 => bytes[at..end].fill(0),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..at, whole[..length].to_vec())),
            _ => bytes.extend_from_slice(&whole[at..end]),
        }
        fs::remove_dir_all(folder.path().join("damaged")).unwrap_or_default();
        fs::remove_dir_all(folder.path().join("journal/alerts")).expect("a folder");
        fs::create_dir(folder.path().join("journal/alerts")).expect("a folder");
        fs::write(segment(&folder, 0), &bytes).expect("a damaged segment");
        let mut opened = Opened::at(&folder).await;
        opened.write(&[b"new".to_vec()]).await;
        let read = alerts(&opened.journal).await;
        assert!(read.iter().is_sorted_by(|one, next| one.0 < next.0), "seed {seed}");
        assert!(read.iter().any(|record| record.2 == b"new"), "seed {seed}");
        for (number, kind, message) in read {
            let old = kind == Kind::Event && message != b"new";
            assert!(!old || message == all[number as usize], "seed {seed}, number {number}");
        }
        opened.close().await;
    }
}

/// Three blocks of alerts, all settled by a sink.
async fn three_blocks_settled(folder: &TempDir) {
    three_blocks(folder).await;
    let opened = Opened::at(folder).await;
    let mut cursor = Cursor::new(0);
    cursor.settle(0..30, Counts { accepted: 30, ..Counts::default() });
    let cursors = [Some(cursor), None, None];
    let kept = SinkCursors { cursors, ..SinkCursors::default() };
    opened.journal.save_cursors("soc", &kept).await.expect("they are saved");
    opened.close().await;
}

#[tokio::test(start_paused = true)]
async fn numbers_a_sink_has_settled_are_not_given_out_again() {
    let folder = folder();
    three_blocks_settled(&folder).await;
    // A power cut took the last two blocks.
    let whole = fs::read(segment(&folder, 0)).expect("a segment");
    fs::write(segment(&folder, 0), &whole[..whole.len() / 2]).expect("a cut segment");
    let mut opened = Opened::at(&folder).await;
    opened.until(|journal| journal.head(Stream::Alert) == 31).await;
    opened.write(&[b"new".to_vec()]).await;
    let read = read_all(&opened.journal, Stream::Alert, 10).await;
    assert_eq!((read[0].0, lost(&read[0].2)), (30, 20));
    assert_eq!((read[1].0, &*read[1].2), (31, &b"new"[..]));
    opened.close().await;
    let opened = Opened::at(&folder).await;
    assert_eq!(opened.journal.head(Stream::Alert), 32);
}

#[tokio::test(start_paused = true)]
async fn where_all_of_a_stream_is_gone_nobody_knows_how_many_were_left() {
    let folder = folder();
    three_blocks_settled(&folder).await;
    fs::remove_file(segment(&folder, 0)).expect("a segment");
    let opened = Opened::at(&folder).await;
    opened.until(|journal| journal.head(Stream::Alert) == 31).await;
    let read = read_all(&opened.journal, Stream::Alert, 30).await;
    assert_eq!((read.len(), read[0].0, read[0].1, lost(&read[0].2)), (1, 30, Kind::Gap, 0));
    opened.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_cannot_be_read_is_skipped_in_the_end() {
    let folder = folder();
    let disk = FaultyDisk::new();
    let options = Options { memory_bytes_per_stream: 0, ..options(folder.path(), &disk) };
    let mut opened = Opened::with(options, disk).await;
    for some in messages(0, 6_000, 1_000).chunks(100) {
        opened.write(some).await;
    }
    fs::remove_file(segment(&folder, 0)).expect("a segment");
    let block = opened.journal.read(Stream::Alert, 0).await.expect("the next one");
    assert!(block.first() > 0 && segment(&folder, block.first()).exists());
    opened.until(|journal| journal.head(Stream::Alert) == 6_001).await;
    let told = read_all(&opened.journal, Stream::Alert, 6_000).await;
    assert_eq!(lost(&told[0].2), block.first());
}
