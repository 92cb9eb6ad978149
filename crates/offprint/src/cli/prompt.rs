//! Questions to the person at the terminal.

use std::io::{self, IsTerminal, Write};

use anyhow::bail;

/// Whether somebody is there to answer.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks; an empty answer takes the default.
///
/// # Errors
/// The terminal is gone.
pub(crate) fn confirm(question: &str, default: bool) -> anyhow::Result<bool> {
    let choices = if default { "[Y/n]" } else { "[y/N]" };
    let mut err = io::stderr();
    write!(err, "{question} {choices} ")?;
    err.flush()?;
    let mut answer = String::new();
    if io::stdin().read_line(&mut answer)? == 0 {
        return Ok(false);
    }
    Ok(match answer.trim().to_ascii_lowercase().as_str() {
        "" => default,
        answer => matches!(answer, "y" | "yes"),
    })
}

/// Makes sure that something irrevocable is meant. Without a terminal, only a flag can say so.
///
/// # Errors
/// It is not meant, or nobody is there to say.
pub(crate) fn confirm_or_flag(question: &str, yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if !is_interactive() {
        bail!("nobody is there to confirm this; pass --yes if it is meant");
    }
    if !confirm(question, false)? {
        bail!("nothing was changed");
    }
    Ok(())
}
