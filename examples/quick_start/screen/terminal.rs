//! The terminal: whether it can show the live view, and that it is left as it was found.

use std::env;
use std::io::{self, IsTerminal};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::crossterm::terminal;

use super::draw::{self, LEAST};
use super::picture::Picture;

/// Would a live view be seen, and wanted? All else gets plain lines.
pub(crate) fn is_wanted() -> bool {
    let variable = |name| env::var(name).unwrap_or_default();
    let (columns, lines) = terminal::size().unwrap_or_default();
    io::stdout().is_terminal()
        && io::stdin().is_terminal()
        && variable("TERM") != "dumb"
        && variable("NO_COLOR").is_empty()
        && (columns >= LEAST.0 && lines >= LEAST.1)
}

/// The width of the terminal.
pub(crate) fn columns() -> Option<usize> {
    terminal::size().ok().map(|(columns, _)| columns.into())
}

/// The screen beside the normal one. Dropped, it gives the normal one back; a panic gives it back before it is told.
pub(crate) struct Screen(DefaultTerminal);

/// Has something panicked? Then the normal screen is back already, and the panic is told there.
static PANICKED: AtomicBool = AtomicBool::new(false);

impl Screen {
    pub(crate) fn open() -> io::Result<Self> {
        let tell = panic::take_hook();
        let terminal = ratatui::try_init()?;
        panic::set_hook(Box::new(move |info| {
            // Only once: to leave a screen again moves the cursor into what was told.
            if !PANICKED.swap(true, Relaxed) {
                ratatui::restore();
            }
            tell(info);
        }));
        Ok(Self(terminal))
    }

    /// # Errors
    ///
    /// The terminal's, or that something has panicked.
    pub(crate) fn show(&mut self, picture: &Picture) -> io::Result<()> {
        if PANICKED.load(Relaxed) {
            return Err(io::Error::other("something panicked"));
        }
        self.0.draw(|frame| draw::draw(frame, picture)).map(|_| ())
    }

    /// Has a key been pressed that ends it? Ctrl-C is a key here.
    pub(crate) fn is_ended(&self) -> io::Result<bool> {
        while event::poll(Duration::ZERO)? {
            if let Event::Key(key) = event::read()? {
                let control = key.modifiers.contains(KeyModifiers::CONTROL);
                match key.code {
                    KeyCode::Char('c') if control => return Ok(true),
                    KeyCode::Char('q') | KeyCode::Esc => return Ok(true),
                    _ => {}
                }
            }
        }
        Ok(false)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if !PANICKED.load(Relaxed) {
            ratatui::restore();
        }
    }
}
