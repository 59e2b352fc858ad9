//! The number of accepted events that are not settled, in the lock file of a data file. The bus keeps events in memory, so the
//! next start can only say how many events a process lost that was killed.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The first word of the file while a system uses it.
const OPEN: &str = "open";

/// The file, which the owner of the lock keeps open.
#[derive(Debug)]
pub(crate) struct JournalFile(Arc<Mutex<File>>);

/// Writes to the file as long as its owner exists.
#[derive(Clone, Debug)]
pub(crate) struct Journal(Weak<Mutex<File>>);

impl JournalFile {
    /// Takes the locked file. Returns also the number of events that the last system lost, unless it stopped by itself. The file
    /// says so until [`JournalFile::begin`], so a start that fails meanwhile does not hide it from the next one.
    pub(crate) fn open(mut file: File) -> (Self, Option<u64>) {
        let mut text = String::new();
        // The file of an earlier version is empty.
        let read = Read::take(&mut file, 64).read_to_string(&mut text).is_ok();
        let lost = text.strip_prefix(OPEN).filter(|_| read).map(|events| events.trim().parse().unwrap_or_default());
        (Self(Arc::new(Mutex::new(file))), lost)
    }

    /// Notes that this system uses the file, and has acted on the losses of the last one.
    pub(crate) fn begin(&self) {
        self.writer().record(0);
    }

    pub(crate) fn writer(&self) -> Journal {
        Journal(Arc::downgrade(&self.0))
    }

    /// Notes that the system stops by itself.
    pub(crate) fn close(&self) {
        if let Err(error) = lock(&self.0).set_len(0) {
            tracing::debug!(%error, "could not write the lock file");
        }
    }
}

impl Journal {
    pub(crate) fn record(&self, events: usize) {
        let Some(file) = self.0.upgrade() else { return };
        let mut file = lock(&file);
        // The text has a fixed length, so each one covers the last.
        let written =
            file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(format!("{OPEN} {events:>12}\n").as_bytes()));
        if let Err(error) = written {
            tracing::debug!(%error, "could not write the lock file");
        }
    }
}

fn lock(file: &Mutex<File>) -> MutexGuard<'_, File> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    #[test]
    fn a_system_that_did_not_stop_by_itself_lost_its_events() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let open = || {
            let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            JournalFile::open(options.unwrap())
        };
        let (first, lost) = open();
        assert_eq!(lost, None, "the file is new");
        first.begin();
        let writer = first.writer();
        for events in [12, 1_000_000, 3] {
            writer.record(events);
        }
        drop(first);
        writer.record(7);
        assert_eq!(open().1, Some(3), "without its owner, the file is left alone");
        let (second, lost) = open();
        assert_eq!(lost, Some(3), "a start that failed hides nothing");
        second.begin();
        second.close();
        let (third, lost) = open();
        assert_eq!(lost, None);
        third.begin();
        drop(third);
        assert_eq!(open().1, Some(0), "killed without accepted events");
    }
}
