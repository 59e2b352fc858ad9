use std::fs::File;
use std::io::{BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use entity_stream_client::ReceivedEvent;
use entity_stream_clock::Clock;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::private_file::private;
use crate::terminal::{printable, raw_line};

/// One line of a recording.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenLine<'a> {
    received_at: String,
    event: &'a RawValue,
}

/// Writes events to a file, one JSON object on each line.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// `None` for standard output.
    file: Option<(BufWriter<File>, PathBuf)>,
    /// True if this command has created the file.
    is_new: bool,
    clock: Clock,
}

impl Recorder {
    /// Creates the file, which may not exist unless events are appended. `-` is standard output.
    pub(crate) fn open(path: &Path, append: bool, clock: Clock) -> anyhow::Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self { file: None, is_new: false, clock });
        }
        let mut options = private();
        options.truncate(false);
        if append {
            options.append(true);
        } else {
            options.create_new(true);
        }
        let shown = printable(&path.display().to_string()).into_owned();
        let file = options.open(path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists if path.is_dir() => anyhow!("cannot write {shown}: it is a directory"),
            ErrorKind::AlreadyExists => anyhow!("{shown} exists; pass --append to add to it, or choose another file"),
            _ => anyhow::Error::new(error).context(format!("cannot write {shown}")),
        })?;
        let mut file = BufWriter::new(file);
        if append && is_cut_off(path).with_context(|| format!("cannot read {shown}"))? {
            file.write_all(b"\n").with_context(|| format!("cannot write {shown}"))?;
        }
        Ok(Self { file: Some((file, path.to_owned())), is_new: !append, clock })
    }

    /// Writes an event that has just arrived.
    pub(crate) fn write(&mut self, event: &ReceivedEvent) -> anyhow::Result<()> {
        let event: &RawValue = serde_json::from_str(event.frame())?;
        // Line breaks stand only between the tokens of JSON.
        let line = serde_json::to_string(&WrittenLine { received_at: self.clock.now().to_rfc3339_millis(), event })?;
        let line = line.replace(['\n', '\r'], " ");
        match &mut self.file {
            None => raw_line(&line),
            Some((file, path)) => writeln!(file, "{line}").with_context(|| format!("cannot write {}", path.display())),
        }
    }

    /// The command could not listen. Removes the file, so that the next command can create it.
    pub(crate) fn discard(self) {
        if let Some((_, path)) = self.file.filter(|_| self.is_new) {
            let _ = std::fs::remove_file(path);
        }
    }

    /// Writes the buffer.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        match &mut self.file {
            None => Ok(()),
            Some((file, path)) => file.flush().with_context(|| format!("cannot write {}", path.display())),
        }
    }
}

/// True if the last line of a recording has no end: it was cut off, for example by a full disk. The next event would be lost with it.
fn is_cut_off(path: &Path) -> std::io::Result<bool> {
    // A pipe has no end.
    if !path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0) {
        return Ok(false);
    }
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}
