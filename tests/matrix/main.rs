//! Every client, over both versions of HTTP, with TLS and without, against every fault.
//!
//! For each cell: what the caller got, how many attempts were made, how many requests the server saw, and that nothing was
//! kept. What is expected stands beside each fault, in `faults.rs`; a cell that differs fails the run. Cells that cannot exist
//! are shown with their reason. Prints a table; has a `main` of its own, so that it is always seen.
//!
//! `cargo test --test matrix -- trickle tonic` plays the cells whose names have all of these words.

#![allow(unreachable_pub)]

mod callers;
mod cell;
mod faults;
mod kinds;
#[path = "../support/mod.rs"]
mod support;
mod table;

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use cell::{Cell, Played};

/// Cells at once: most of them only wait.
const AT_ONCE: usize = 24;

#[allow(clippy::disallowed_methods)]
fn main() -> ExitCode {
    support::install_provider();
    let words: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let mut cells = Cell::all();
    cells.retain(|cell| words.iter().all(|word| cell.to_string().contains(word)));
    let total = cells.len();

    let servers = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime for the servers");
    let start = Instant::now();
    let (done, played) = channel::<Played>();
    // The longest first.
    let (mut waiting, handle) = (VecDeque::from(cells), servers.handle());
    waiting.make_contiguous().sort_by_key(|cell| std::cmp::Reverse(cell.span()));
    let waiting = Mutex::new(waiting);
    let played = std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(total) {
            let (done, waiting) = (done.clone(), &waiting);
            scope.spawn(move || {
                let next = || waiting.lock().unwrap().pop_front();
                while let Some(cell) = next() {
                    done.send(cell.play(handle)).expect("main collects");
                }
            });
        }
        drop(done);
        played.iter().collect::<Vec<_>>()
    });
    servers.shutdown_timeout(Duration::from_secs(1));

    let wrong = table::print(&played, start.elapsed());
    if wrong == 0 && played.len() == total { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
