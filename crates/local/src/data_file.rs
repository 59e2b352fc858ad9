use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use dynoxide::actions::scan::ScanRequest;
use dynoxide::{AttributeValue, Database};

use crate::error::StartError;
use crate::journal::{Journal, JournalFile};
use crate::settings::{API_KEYS_TABLE, CONNECTIONS_TABLE};

/// The first bytes of every SQLite file. Source: "Database File Format", sqlite.org, section 1.3.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The suffix of the file that holds the lock.
const LOCK: &str = ".lock";
/// The suffixes of all files that belong to a data file: SQLite gives its own the permissions of the data file.
const OWN_FILES: [&str; 4] = ["", "-wal", "-shm", LOCK];

/// The first characters of the `pk` of an API key in earlier versions, which kept API keys in the table of connections.
const OLD_API_KEY: &str = "K#";

/// Reserves the data file for one local system while it runs. A second system would take the first system's clients for
/// its own, and each would forget the other's.
#[derive(Debug)]
pub(crate) struct DataFile {
    journal: JournalFile,
    has_lost_events: bool,
}

impl DataFile {
    /// Opens the data file and takes possession of it.
    pub(crate) fn open(path: &Path) -> Result<(Self, Database), StartError> {
        let invalid = |reason: String| StartError::Data { path: path.to_owned(), reason };
        let failed = |error: std::io::Error| invalid(error.to_string());
        // SQLite reports a missing folder or a read-only file as "unable to open database file": ask the system first.
        let mut file = private().read(true).append(true).create(true).open(path).map_err(failed)?;
        let mut start = Vec::new();
        file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start).map_err(failed)?;
        if !start.is_empty() && start != MAGIC {
            return Err(invalid("it is no database of this system; choose another file".to_owned()));
        }
        // Two paths may lead to one file.
        let file = path.canonicalize().map_err(failed)?;
        let lock = Self::lock(&file)?.ok_or_else(|| StartError::DataInUse { path: path.to_owned() })?;
        for suffix in OWN_FILES {
            tighten(&beside(&file, suffix));
        }
        let name = file.to_str().ok_or_else(|| invalid("its name is not Unicode".to_owned()))?;
        let database = Database::new(name).map_err(|error| invalid(error.to_string()))?;
        if has_old_layout(&database).map_err(|error| invalid(error.to_string()))? {
            return Err(StartError::DataLayout { path: path.to_owned() });
        }
        let (journal, lost) = JournalFile::open(lock);
        let has_lost_events = lost.is_some_and(|events| events > 0);
        match lost {
            None => {}
            Some(0) => tracing::info!("the last system on this data file was killed; it had no undelivered events"),
            Some(events) => tracing::warn!(
                events,
                "the last system on this data file was killed or had to stop: these events were accepted and not delivered, and are lost"
            ),
        }
        Ok((Self { journal, has_lost_events }, database))
    }

    /// Writes the number of undelivered events for the next start.
    pub(crate) fn journal(&self) -> Journal {
        self.journal.writer()
    }

    /// True if the last system on this file accepted events and did not deliver them.
    pub(crate) fn has_lost_events(&self) -> bool {
        self.has_lost_events
    }

    /// Notes that this system uses the file, once it has acted on the losses of the last one.
    pub(crate) fn begin(&self) {
        self.journal.begin();
    }

    /// Notes that the system stops by itself, unless it leaves events undelivered: the next start has to know.
    pub(crate) fn close(&self, is_complete: bool) {
        if !is_complete {
            return;
        }
        self.journal.close();
    }

    /// The lock, if it is free. It is on a file beside the database, because SQLite itself locks the database. The lock
    /// file is never removed: another process may just have opened it.
    fn lock(path: &Path) -> Result<Option<File>, StartError> {
        let beside = beside(path, LOCK);
        let failed = |error: std::io::Error| StartError::Data { path: beside.clone(), reason: error.to_string() };
        let file = private().read(true).write(true).create(true).truncate(false).open(&beside).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                tracing::warn!(file = %beside.display(), "files cannot be locked here: do not start a second system on this one");
                Ok(Some(file))
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Options that create a file for its owner only: the tables hold hashes of keys and the subjects of clients.
#[cfg(unix)]
fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(not(unix))]
fn private() -> OpenOptions {
    OpenOptions::new()
}

/// Takes the permissions of other users from a file of an earlier version. Other systems than Unix have no such permissions.
#[cfg(unix)]
fn tighten(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(metadata) = path.metadata() else { return };
    if metadata.permissions().mode() & 0o077 == 0 {
        return;
    }
    let file = path.display();
    if let Err(error) = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)) {
        tracing::warn!(%file, %error, "other users can read this data file: run chmod 600 on it");
    } else {
        tracing::info!(%file, "other users could read this data file: it is now for its owner only");
    }
}

#[cfg(not(unix))]
fn tighten(_path: &Path) {}

/// True if the file comes from a version that had no table of API keys, or was used by such a version since.
fn has_old_layout(database: &Database) -> dynoxide::Result<bool> {
    if database.get_table_metadata(CONNECTIONS_TABLE)?.is_none() {
        return Ok(false);
    }
    if database.get_table_metadata(API_KEYS_TABLE)?.is_none() {
        return Ok(true);
    }
    let mut start = None;
    loop {
        let old_key = AttributeValue::S(OLD_API_KEY.to_owned());
        let page = database.scan(ScanRequest {
            table_name: CONNECTIONS_TABLE.to_owned(),
            filter_expression: Some("begins_with(pk, :key)".to_owned()),
            expression_attribute_values: Some([(":key".to_owned(), old_key)].into()),
            exclusive_start_key: start,
            ..ScanRequest::default()
        })?;
        if page.count > 0 {
            return Ok(true);
        }
        start = page.last_evaluated_key;
        if start.is_none() {
            return Ok(false);
        }
    }
}
