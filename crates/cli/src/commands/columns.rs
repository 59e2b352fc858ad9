use crate::terminal::printable;

/// The longest foreign text that a cell shows, in characters. The JSON has the whole text.
const CELL_LENGTH: usize = 48;

/// Rows under titles. Each column is as wide as its widest cell.
pub(super) fn columns<const N: usize>(titles: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut lines = vec![titles.map(str::to_owned)];
    lines.extend(rows);
    let width = |column: usize| lines.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A text that clients, publishers or identity providers chose. It must neither control the terminal nor fill it.
pub(super) fn cell(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(CELL_LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_short() {
        assert_eq!(cell(&"é".repeat(200)).chars().count(), CELL_LENGTH + 1);
    }
}
