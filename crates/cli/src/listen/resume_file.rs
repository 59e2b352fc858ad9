use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use entity_stream_client::Bookmark;
use entity_stream_clock::Clock;
use entity_stream_protocol::{EpochMillis, Tenant};
use serde::{Deserialize, Serialize};

use crate::private_file::{check_replaceable, replace};
use crate::terminal::printable;

/// The longest file that is read, in bytes.
const FILE_BYTES: u64 = 64 * 1024;

/// A file that keeps the place of a listener. It is replaced as a whole, so that a listener that is killed leaves the former or the
/// new place, and never a part of one.
#[derive(Debug)]
pub(crate) struct ResumeFile {
    path: PathBuf,
    tenant: Tenant,
    clock: Clock,
    reached: Option<Bookmark>,
    saved: Option<Bookmark>,
}

/// The place of an earlier listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SavedPlace {
    pub(crate) bookmark: Bookmark,
    /// The time until which the earlier listener had each event, for people.
    pub(crate) saved_at: Option<EpochMillis>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResumeFields {
    tenant: String,
    #[serde(flatten)]
    bookmark: Bookmark,
    saved_at: String,
}

impl ResumeFile {
    /// Opens the file of this tenant's listener, and reads the place in it. A file that does not exist yet has none.
    pub(crate) fn open(path: &Path, tenant: &Tenant, clock: Clock) -> anyhow::Result<(Self, Option<SavedPlace>)> {
        let shown = shown(path);
        let place = match File::open(path) {
            Ok(file) => {
                let mut text = String::new();
                file.take(FILE_BYTES)
                    .read_to_string(&mut text)
                    .with_context(|| format!("--resume: cannot read {shown}"))?;
                let fields: ResumeFields = serde_json::from_str(&text).map_err(|_| {
                    anyhow::anyhow!(
                        "--resume: {shown} is not a file of `listen --resume`; choose another file, or delete it"
                    )
                })?;
                ensure!(
                    fields.tenant == tenant.as_str(),
                    "--resume: {shown} belongs to the tenant {}; choose another file for {tenant}",
                    printable(&fields.tenant)
                );
                Some(SavedPlace { saved_at: EpochMillis::from_rfc3339(&fields.saved_at), bookmark: fields.bookmark })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // The file comes with the first place. A folder that is missing would be noticed only then.
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let exists = folder.is_none_or(Path::is_dir);
                ensure!(exists, "--resume: cannot write {shown}: its folder does not exist");
                None
            }
            Err(error) => return Err(anyhow::Error::new(error).context(format!("--resume: cannot read {shown}"))),
        };
        // Otherwise the first place would fail, minutes or hours later.
        check_replaceable(path).with_context(|| format!("--resume: cannot write {shown}"))?;
        let saved = place.as_ref().map(|place| place.bookmark.clone());
        let file = Self { path: path.to_owned(), tenant: tenant.clone(), clock, reached: None, saved };
        Ok((file, place))
    }

    /// The listener has printed everything up to this place.
    pub(crate) fn reach(&mut self, bookmark: Option<&Bookmark>) {
        if let Some(bookmark) = bookmark.filter(|bookmark| self.reached.as_ref() != Some(bookmark)) {
            self.reached = Some(bookmark.clone());
        }
    }

    /// Writes the place, if it has changed.
    pub(crate) fn save(&mut self) -> anyhow::Result<()> {
        let Some(bookmark) = self.reached.as_ref().filter(|reached| self.saved.as_ref() != Some(reached)) else {
            return Ok(());
        };
        let saved_at = self.clock.now().to_rfc3339();
        let fields = ResumeFields { tenant: self.tenant.to_string(), bookmark: bookmark.clone(), saved_at };
        let text = format!("{}\n", serde_json::to_string(&fields)?);
        replace(&self.path, text.as_bytes())
            .with_context(|| format!("--resume: cannot write {}", shown(&self.path)))?;
        self.saved = Some(fields.bookmark);
        Ok(())
    }
}

fn shown(path: &Path) -> String {
    printable(&path.display().to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    use entity_stream_protocol::{Position, Session};

    use super::*;

    fn bookmark(position: &str) -> Bookmark {
        Bookmark { position: Position::parse(position).unwrap(), session: Session::parse("s").unwrap() }
    }

    fn clock() -> Clock {
        Clock::new(|| EpochMillis::new(1_767_323_045_000))
    }

    fn tenant(name: &str) -> Tenant {
        Tenant::parse(name).unwrap()
    }

    #[test]
    fn a_place_is_kept_for_its_owner_and_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("place.json");
        let (mut file, place) = ResumeFile::open(&path, &tenant("demo"), clock()).unwrap();
        assert_eq!(place, None);
        file.save().unwrap();
        assert!(!path.exists(), "no place is reached");
        for position in ["01", "02"] {
            file.reach(Some(&bookmark(position)));
            file.reach(None);
            file.save().unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = r#"{"tenant":"demo","position":"02","session":"s","savedAt":"2026-01-02T03:04:05Z"}"#;
        assert_eq!(text.trim_end(), expected);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        let (_, place) = ResumeFile::open(&path, &tenant("demo"), clock()).unwrap();
        let saved_at = Some(EpochMillis::new(1_767_323_045_000));
        assert_eq!(place, Some(SavedPlace { bookmark: bookmark("02"), saved_at }));
        let error = ResumeFile::open(&path, &tenant("city"), clock()).unwrap_err();
        assert!(error.to_string().contains("belongs to the tenant demo"), "{error}");
    }

    #[test]
    fn another_file_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        for text in ["", "notes", "{}", r#"{"tenant":"demo","position":"","session":"s","savedAt":""}"#] {
            std::fs::write(&path, text).unwrap();
            let error = ResumeFile::open(&path, &tenant("demo"), clock()).unwrap_err();
            assert!(error.to_string().contains("is not a file of `listen --resume`"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        let error = ResumeFile::open(&folder.path().join("no/place"), &tenant("demo"), clock()).unwrap_err();
        assert!(error.to_string().ends_with("no/place: its folder does not exist"), "{error}");
        let (mut file, _) = ResumeFile::open(&folder.path().join("place"), &tenant("demo"), clock()).unwrap();
        drop(folder);
        file.reach(Some(&bookmark("01")));
        let error = file.save().unwrap_err();
        assert!(error.to_string().starts_with("--resume: cannot write "), "{error}");
    }
}
