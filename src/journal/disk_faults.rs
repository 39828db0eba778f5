//! A disk that is slow, full, read-only or broken on demand, for tests and the demo.

use std::{
    io,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::Duration,
};

use super::disk::{Disk, DiskFile, RealDisk};

/// The machine's disk with faults that can be set while it is in use. Clones share them. The lock
/// of a journal is not subject to them.
#[derive(Debug, Clone, Default)]
pub struct FaultyDisk {
    faults: Arc<Mutex<Faults>>,
    released: Arc<Condvar>,
}

#[derive(Debug, Default)]
struct Faults {
    write_delay: Duration,
    holds_writes: bool,
    room_bytes: Option<u64>,
    write_error: Option<io::ErrorKind>,
    read_error: Option<io::ErrorKind>,
    sync_error: Option<io::ErrorKind>,
    panics: Option<Panics>,
}

/// What a [`FaultyDisk`] panics in, as a fault of our own would have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panics {
    /// Writing a block.
    OnAppend,
    /// Replacing a small file, as cursors are.
    OnReplace,
}

impl FaultyDisk {
    /// A disk without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes each write of a block take this much longer.
    pub fn set_write_delay(&self, delay: Duration) {
        self.faults().write_delay = delay;
    }

    /// Makes each write of a block wait until this is called with `false`. A runtime that ends
    /// before waits, too.
    pub fn set_holds_writes(&self, hold: bool) {
        self.faults().holds_writes = hold;
        self.released.notify_all();
    }

    /// Lets so many more bytes be written; what does not fit is written in part and refused as a
    /// full disk does. Removed files give their room back. None is no limit.
    pub fn set_room_bytes(&self, room: Option<u64>) {
        self.faults().room_bytes = room;
    }

    /// Refuses whatever writes with this error; none ends it.
    pub fn set_write_error(&self, error: Option<io::ErrorKind>) {
        self.faults().write_error = error;
    }

    /// Refuses to open files for reading with this error; none ends it.
    pub fn set_read_error(&self, error: Option<io::ErrorKind>) {
        self.faults().read_error = error;
    }

    /// Refuses to make anything safe from a power cut with this error; none ends it.
    pub fn set_sync_error(&self, error: Option<io::ErrorKind>) {
        self.faults().sync_error = error;
    }

    /// Panics there; none ends it.
    pub fn set_panics(&self, panics: Option<Panics>) {
        self.faults().panics = panics;
    }

    fn may_panic(&self, here: Panics) {
        let panics = self.faults().panics;
        assert_ne!(panics, Some(here), "a fault made to order");
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().expect("nobody panics while holding it")
    }

    #[expect(clippy::disallowed_methods, reason = "a slow disk holds the thread that writes")]
    fn wait_to_write(&self) {
        let delay = self.faults().write_delay;
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        let held = self.released.wait_while(self.faults(), |faults| faults.holds_writes);
        drop(held.expect("nobody panics while holding it"));
    }

    fn may_write(&self) -> io::Result<()> {
        self.faults().write_error.map_or(Ok(()), |error| Err(error.into()))
    }

    fn may_read(&self) -> io::Result<()> {
        self.faults().read_error.map_or(Ok(()), |error| Err(error.into()))
    }

    /// How many of so many bytes still fit; they count as written.
    fn take_room(&self, bytes: usize) -> usize {
        let mut faults = self.faults();
        let Some(room) = &mut faults.room_bytes else { return bytes };
        let fits = (bytes as u64).min(*room);
        *room -= fits;
        fits as usize
    }

    fn give_room(&self, bytes: u64) {
        if let Some(room) = &mut self.faults().room_bytes {
            *room += bytes;
        }
    }
}

impl Disk for FaultyDisk {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        RealDisk.create_folder(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(String, u64)>> {
        RealDisk.list(folder)
    }

    fn open_to_append(&self, file: &Path, keep_bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        self.may_write()?;
        let before = file.metadata().map_or(0, |facts| facts.len());
        let open = RealDisk.open_to_append(file, keep_bytes)?;
        self.give_room(before.saturating_sub(keep_bytes));
        Ok(Arc::new(FaultyFile { disk: self.clone(), file: open }))
    }

    fn open_to_read(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.may_read()?;
        RealDisk.open_to_read(file)
    }

    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        self.may_read()?;
        RealDisk.read(file)
    }

    fn replace(&self, file: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
        self.may_panic(Panics::OnReplace);
        self.may_write()?;
        if self.faults().room_bytes.is_some_and(|room| room < bytes.len() as u64) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        RealDisk.replace(file, bytes, sync)
    }

    fn rename(&self, file: &Path, name: &Path) -> io::Result<()> {
        self.may_write()?;
        RealDisk.rename(file, name)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.may_write()?;
        let bytes = file.metadata().map_or(0, |facts| facts.len());
        RealDisk.remove(file)?;
        self.give_room(bytes);
        Ok(())
    }
}

#[derive(Debug)]
struct FaultyFile {
    disk: FaultyDisk,
    file: Arc<dyn DiskFile>,
}

impl DiskFile for FaultyFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.disk.may_panic(Panics::OnAppend);
        self.disk.wait_to_write();
        self.disk.may_write()?;
        let fits = self.disk.take_room(bytes.len());
        self.file.append(&bytes[..fits])?;
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.may_read()?;
        self.file.read_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        match self.disk.faults().sync_error {
            Some(error) => Err(error.into()),
            None => self.file.sync(),
        }
    }
}
