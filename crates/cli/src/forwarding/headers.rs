//! The headers of the posts that a user adds, such as a token.
//!
//! They come from a file, because other users of the machine see the arguments of a command.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use http::{HeaderMap, HeaderName, HeaderValue, header};

pub(super) const EVENT_ID: HeaderName = HeaderName::from_static("entity-stream-event-id");
pub(super) const TENANT: HeaderName = HeaderName::from_static("entity-stream-tenant");

/// The headers that the command sets, and those that belong to the connection (RFC 9110, section 7.6.1).
const RESERVED: [HeaderName; 12] = [
    EVENT_ID,
    TENANT,
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::HOST,
    header::EXPECT,
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The longest file. Web servers refuse longer headers.
const BYTES: u64 = 16 * 1024;

/// Reads a file with one header a line: `Authorization: Bearer …`. Empty lines and those that begin with `#` are comments. An error
/// names the line and no value.
pub(super) fn headers_of(path: &Path) -> anyhow::Result<HeaderMap> {
    let shown = path.display();
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(BYTES + 1).read_to_string(&mut text));
    read.with_context(|| format!("cannot read {shown}, the file of --forward-headers"))?;
    ensure!(text.len() as u64 <= BYTES, "{shown} is longer than {BYTES} bytes, the limit for --forward-headers");
    let mut headers = HeaderMap::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("{shown}, line {}", number + 1);
        let Some((name, value)) = line.split_once(':').and_then(|(name, value)| header_of(name, value)) else {
            bail!("{place}: expected a header such as `Authorization: Bearer …`");
        };
        ensure!(!RESERVED.contains(&name), "{place}: the command sets the header `{name}` itself; remove the line");
        headers.append(name, value);
    }
    Ok(headers)
}

fn header_of(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let mut value = HeaderValue::from_str(value.trim()).ok()?;
    value.set_sensitive(true);
    Some((name.parse().ok()?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<HeaderMap> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("headers");
        std::fs::write(&path, text).unwrap();
        headers_of(&path)
    }

    #[test]
    fn a_file_has_one_header_a_line() {
        let headers = read("# of the hook\nAuthorization: Bearer a:b\r\n\nx-key:1\nx-key: 2\n").unwrap();
        assert_eq!(headers["authorization"], "Bearer a:b");
        assert!(headers["authorization"].is_sensitive());
        assert_eq!(headers.get_all("x-key").iter().collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn an_error_names_the_line_and_no_value() {
        for (text, expected) in [
            ("\nhidden", "line 2: expected a header such as `Authorization: Bearer …`"),
            ("a b: hidden", "line 1: expected a header"),
            ("a: hid\u{7}den", "line 1: expected a header"),
            (": hidden", "line 1: expected a header"),
            ("Content-Type: hidden", "line 1: the command sets the header `content-type` itself; remove the line"),
            ("ENTITY-STREAM-TENANT: hidden", "the header `entity-stream-tenant` itself"),
            (&"a: hidden\n".repeat(2000), "is longer than 16384 bytes, the limit for --forward-headers"),
        ] {
            let error = format!("{:#}", read(text).unwrap_err());
            assert!(error.contains(expected) && !error.contains("hidden"), "{error}");
        }
        let error = format!("{:#}", headers_of(Path::new("/nonexistent")).unwrap_err());
        assert!(error.starts_with("cannot read /nonexistent, the file of --forward-headers: "), "{error}");
    }
}
