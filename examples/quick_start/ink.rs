//! Colours, where somebody sees them.

use std::env;
use std::io::{self, IsTerminal};

use seawall::patterns::circuit_breaker::State;

/// Paints nothing if the output is no terminal, or if `NO_COLOR` is set.
#[derive(Clone, Copy)]
pub(crate) struct Ink(bool);

impl Ink {
    pub(crate) fn new() -> Self {
        Self(io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|no| no.is_empty()))
    }

    fn paint(self, code: u8, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into() }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint(1, text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.paint(2, text)
    }

    pub(crate) fn state(self, state: State, text: &str) -> String {
        let code = match state {
            State::Closed => 32,
            State::HalfOpen => 33,
            _ => 31,
        };
        self.paint(code, text)
    }

    pub(crate) fn mark(self, holds: bool) -> String {
        if holds { self.paint(32, "✔") } else { self.paint(31, "✘") }
    }
}
