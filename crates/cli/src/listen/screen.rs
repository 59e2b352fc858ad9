use console::Term;

use super::table::TableSize;
use crate::terminal::redraw;

/// Lines on a terminal that are drawn again and again in the same place.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: Term,
    /// The number of lines that it shows.
    drawn: usize,
}

impl Screen {
    /// The screen of standard output. `None` if that is no terminal.
    pub(super) fn of_stdout() -> Option<Self> {
        let terminal = Term::stdout();
        // One that is dumb has no lines to go back to.
        let is_dumb = std::env::var_os("TERM").is_some_and(|kind| kind == "dumb");
        (terminal.is_term() && !is_dumb).then_some(Self { terminal, drawn: 0 })
    }

    /// The size that it has now.
    pub(super) fn size(&self) -> TableSize {
        let (rows, columns) = self.terminal.size();
        // The cursor is below the last line.
        TableSize { rows: usize::from(rows).saturating_sub(1), columns: usize::from(columns) }
    }

    /// Replaces the lines. They have to fit.
    pub(super) fn draw(&mut self, lines: &[String]) -> anyhow::Result<()> {
        let erasing = self.erasing();
        let mut text = String::new();
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        self.drawn = lines.len();
        redraw(&erasing, &text)
    }

    /// Removes the lines, so that others can be written in their place.
    pub(super) fn clear(&mut self) -> anyhow::Result<()> {
        let erasing = self.erasing();
        self.drawn = 0;
        redraw(&erasing, "")
    }

    /// The control sequences that move the cursor to the first line and erase the rest.
    fn erasing(&self) -> String {
        let up = if self.drawn > 0 { format!("\u{1b}[{}A", self.drawn) } else { String::new() };
        format!("{up}\r\u{1b}[J")
    }
}
