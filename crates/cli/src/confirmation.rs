//! The question before something is deleted for ever.

use std::io::{self, BufRead, IsTerminal};

use anyhow::{bail, ensure};

use crate::terminal;

/// Asks a person whether to delete something, unless the command has `--yes`. A script has to say `--yes`.
pub(crate) fn confirm_deletion(of: &str, yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    ensure!(io::stdin().is_terminal(), "pass --yes to delete {of} without a question");
    terminal::note(format!("Delete {of}? This cannot be undone. [y/N]"));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => bail!("nothing was deleted"),
    }
}
