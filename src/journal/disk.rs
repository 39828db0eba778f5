//! The few things the journal does with a disk, so that a test may put a bad one in its place.
//!
//! [`RealDisk`] is the disk of the machine; `disk_faults.rs` has one that is slow, full or broken
//! on demand. Everything here blocks: it is called from `spawn_blocking` alone.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
};

/// A disk.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Creates a folder and those above it, where they are missing.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    /// The names and lengths in bytes of the files of a folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<(String, u64)>>;
    /// Opens a file to append to it, creates it where it is missing, and cuts it to `keep_bytes`.
    fn open_to_append(&self, file: &Path, keep_bytes: u64) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file to read it.
    fn open_to_read(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// A whole small file.
    fn read(&self, file: &Path) -> io::Result<Vec<u8>>;
    /// Puts a whole small file in the place of an older one, so that at any instant one of both is
    /// there; with `sync` it is safe from a power cut before that.
    fn replace(&self, file: &Path, bytes: &[u8], sync: bool) -> io::Result<()>;
    /// Gives a file another name.
    fn rename(&self, file: &Path, name: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, file: &Path) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Writes all bytes at the end, with one `write` where the system takes them so.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;
    /// Fills `bytes` from the place `offset`.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// Makes what was written safe from a power cut.
    fn sync(&self) -> io::Result<()>;
}

/// The disk of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let facts = entry.metadata()?;
            if let (true, Ok(name)) = (facts.is_file(), entry.file_name().into_string()) {
                files.push((name, facts.len()));
            }
        }
        Ok(files)
    }

    fn open_to_append(&self, file: &Path, keep_bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let is_new = !file.exists();
        let open = OpenOptions::new().create(true).append(true).open(file)?;
        if open.metadata()?.len() != keep_bytes {
            open.set_len(keep_bytes)?;
        }
        if is_new && let Some(folder) = file.parent() {
            // Without this a power cut can take the file's name and all it holds.
            File::open(folder)?.sync_all()?;
        }
        Ok(Arc::new(open))
    }

    fn open_to_read(&self, file: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(File::open(file)?))
    }

    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        fs::read(file)
    }

    fn replace(&self, file: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
        let new = file.with_extension("new");
        let mut open = File::create(&new)?;
        open.write_all(bytes)?;
        if sync {
            open.sync_data()?;
        }
        fs::rename(&new, file)?;
        match file.parent() {
            Some(folder) if sync => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    }

    fn rename(&self, file: &Path, name: &Path) -> io::Result<()> {
        fs::rename(file, name)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }
}

impl DiskFile for File {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self;
        file.write_all(bytes)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
