use std::io;

use console::Term;
use indicatif::TermLike;

/// The columns that stay free at the end of a line. The terminal shows `^C` where the cursor is, which is the end of the bar. Without
/// these columns, `^C` would move the cursor to the next line, and the bar would stay on the screen.
const FREE_COLUMNS: u16 = 8;

/// A terminal that seems narrower than it is.
#[derive(Debug)]
pub(crate) struct NarrowTerminal<T>(T);

impl NarrowTerminal<Term> {
    /// The terminal of standard error. `None` if that is no terminal.
    pub(crate) fn of_stderr() -> Option<Self> {
        let terminal = Term::buffered_stderr();
        terminal.is_term().then_some(Self(terminal))
    }
}

impl<T: TermLike> TermLike for NarrowTerminal<T> {
    fn width(&self) -> u16 {
        self.0.width().saturating_sub(FREE_COLUMNS).max(1)
    }

    fn height(&self) -> u16 {
        self.0.height()
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

    use super::*;

    /// The text of the line on which the cursor is, and the lines above it. Lines wrap at the end of the screen.
    #[derive(Clone, Debug, Default)]
    struct Screen(Arc<Mutex<(String, Vec<String>)>>);

    const COLUMNS: usize = 40;

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            COLUMNS as u16
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            let (line, above) = &mut *self.0.lock().unwrap();
            for character in text.chars() {
                if line.chars().count() == COLUMNS {
                    above.push(std::mem::take(line));
                }
                line.push(character);
            }
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            self.0.lock().unwrap().0.clear();
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Draws a bar, lets the terminal show the keys, clears the bar, and returns the lines that stay.
    fn left_after(keys: &str, target: impl FnOnce(Screen) -> Box<dyn TermLike>) -> Vec<String> {
        let screen = Screen::default();
        let bar = ProgressBar::with_draw_target(Some(10), ProgressDrawTarget::term_like(target(screen.clone())));
        bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg}").unwrap());
        bar.set_message("1,000 events published, 20.0/s, and a text that is too long for the screen");
        bar.tick();
        screen.write_str(keys).unwrap();
        bar.finish_and_clear();
        let (line, mut above) = screen.0.lock().unwrap().clone();
        above.push(line);
        above
    }

    #[test]
    fn a_bar_goes_after_a_key_was_shown_beside_it() {
        for keys in ["", "^C", "^C^C"] {
            assert_eq!(left_after(keys, |screen| Box::new(NarrowTerminal(screen))), [""], "{keys}");
        }
        assert_eq!(left_after("^C", |screen| Box::new(screen)).len(), 2, "without the free columns it stays");
    }
}
