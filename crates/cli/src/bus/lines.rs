use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, ensure};
use entity_stream_publisher::limits::ENTRY_BYTES;
use tokio::sync::mpsc;

use crate::terminal;

/// The number of lines that are read ahead of the network.
const READ_AHEAD: usize = 256;

/// One line of input.
#[derive(Debug)]
pub(crate) struct Line {
    /// The number of the line, from 1.
    pub(crate) number: u64,
    /// The position after the line, in bytes.
    pub(crate) end: u64,
    /// The text, or the reason for which it cannot be read.
    pub(crate) text: anyhow::Result<String>,
}

/// The lines of a file or of standard input. A thread of its own reads them, because a pipe can be silent for hours.
#[derive(Debug)]
pub(crate) struct Lines {
    receiver: mpsc::Receiver<Line>,
    /// The size of the input in bytes. `None` if it is unknown.
    pub(crate) bytes: Option<u64>,
}

impl Lines {
    /// Opens a file, or standard input for `-`.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        if path.as_os_str() == "-" {
            terminal::note_typing();
            return Ok(Self::read(|| Box::new(std::io::stdin().lock()), None));
        }
        let cannot_read = || format!("cannot read {}", path.display());
        let file = std::fs::File::open(path).with_context(cannot_read)?;
        let metadata = file.metadata().with_context(cannot_read)?;
        ensure!(!metadata.is_dir(), "cannot read {}: it is a directory", path.display());
        // A named pipe has no length.
        let bytes = metadata.is_file().then_some(metadata.len());
        Ok(Self::read(move || Box::new(BufReader::with_capacity(64 * 1024, file)), bytes))
    }

    fn read(open: impl FnOnce() -> Box<dyn BufRead> + Send + 'static, bytes: Option<u64>) -> Self {
        let (sender, receiver) = mpsc::channel(READ_AHEAD);
        std::thread::spawn(move || {
            let (mut reader, mut end) = (open(), 0);
            for number in 1.. {
                let (text, consumed) = match read_line(&mut reader) {
                    Ok((_, 0)) => return,
                    Ok((text, consumed)) => (text, consumed),
                    Err(error) => {
                        let text = Err(anyhow::Error::new(error).context("cannot read the next line"));
                        let _ = sender.blocking_send(Line { number, end, text });
                        return;
                    }
                };
                end += consumed;
                // The command has ended.
                if sender.blocking_send(Line { number, end, text }).is_err() {
                    return;
                }
            }
        });
        Self { receiver, bytes }
    }

    /// The next line that is not blank. It is cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Line> {
        loop {
            let line = self.receiver.recv().await?;
            if !line.text.as_ref().is_ok_and(|text| text.trim().is_empty()) {
                return Some(line);
            }
        }
    }
}

/// Reads up to a newline or the end. A line that is longer than any event is skipped and not kept, because input without
/// newlines must not fill the memory. Also returns the number of bytes read, which is 0 at the end.
fn read_line(reader: &mut dyn BufRead) -> std::io::Result<(anyhow::Result<String>, u64)> {
    let (mut bytes, mut consumed, mut too_long) = (Vec::new(), 0_u64, false);
    loop {
        let available = match reader.fill_buf() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        let newline = available.iter().position(|byte| *byte == b'\n');
        let (part, used) = match newline {
            Some(position) => (&available[..position], position + 1),
            None => (available, available.len()),
        };
        too_long |= bytes.len() + part.len() > ENTRY_BYTES;
        if !too_long {
            bytes.extend_from_slice(part);
        }
        reader.consume(used);
        consumed += used as u64;
        if newline.is_some() || used == 0 {
            break;
        }
    }
    if too_long {
        return Ok((Err(anyhow::anyhow!("the line is longer than 1 MB, the limit of the event bus")), consumed));
    }
    // Windows editors put a byte order mark at the beginning of a file.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let text = std::str::from_utf8(bytes).map(str::to_owned).context("the line is not UTF-8");
    Ok((text, consumed))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(input: &'static [u8]) -> Vec<(u64, u64, Result<String, String>)> {
        let mut lines = Lines::read(move || Box::new(BufReader::with_capacity(7, input)), None);
        let mut all = Vec::new();
        while let Some(line) = lines.next().await {
            all.push((line.number, line.end, line.text.map_err(|error| error.to_string())));
        }
        all
    }

    #[tokio::test]
    async fn counts_blank_lines_and_skips_them() {
        let lines = all(b"\xef\xbb\xbf{\"a\":1}\r\n\n  \n{\"b\":2}").await;
        assert_eq!(lines, [(1, 12, Ok("{\"a\":1}\r".to_owned())), (4, 23, Ok("{\"b\":2}".to_owned()))]);
        assert_eq!(all(b"").await, []);
        assert_eq!(all(b"\n\n").await, []);
    }

    #[tokio::test]
    async fn one_bad_line_does_not_hide_the_next() {
        let lines = all(b"\xff\n{}\n").await;
        assert_eq!(lines, [(1, 2, Err("the line is not UTF-8".to_owned())), (2, 5, Ok("{}".to_owned()))]);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_skipped() {
        let input: &'static [u8] = [vec![b'x'; 3 * ENTRY_BYTES], b"\n{}".to_vec()].concat().leak();
        let lines = all(input).await;
        assert!(lines[0].2.as_ref().is_err_and(|reason| reason.contains("longer than 1 MB")));
        assert_eq!(lines[1].2.as_deref(), Ok("{}"));
    }
}
