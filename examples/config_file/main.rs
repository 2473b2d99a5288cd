//! Settings from a file.
//!
//! Without arguments it starts from an `application.yml`, makes calls to a backend that fails two times out of three, and
//! edits the file while they run: a good change, a bad one, and one that mends it.
//!
//! `config_file -- --check FILE` starts nothing: it prints what holds by FILE and where each value comes from, one a line, and
//! exits with 0; or all that is wrong with it, and exits with 1.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use seawall::config::{Loader, Watch};
use seawall::telemetry::{Event, EventKind};
use seawall::{Pipeline, Registry};

const FILE: &str = include_str!("application.yml");
const LOOK: Duration = Duration::from_millis(50);

/// Whoever reads may have seen enough, which is no error.
fn print(lines: impl IntoIterator<Item = String>) {
    let mut out = std::io::stdout().lock();
    let _ = lines.into_iter().try_for_each(|line| writeln!(out, "{line}"));
}

fn check(path: &OsStr) -> ExitCode {
    match Loader::from_env().load(path) {
        Ok(config) => {
            for warning in config.warnings() {
                eprintln!("warning: {warning}");
            }
            print(config.explain());
            ExitCode::SUCCESS
        }
        Err(errors) => {
            print([errors.to_string()]);
            ExitCode::FAILURE
        }
    }
}

/// Fails two times out of three.
async fn backend() -> Result<(), std::io::Error> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    tokio::time::sleep(Duration::from_millis(2)).await;
    if CALLS.fetch_add(1, Ordering::Relaxed) % 3 == 2 {
        return Ok(());
    }
    Err(std::io::ErrorKind::ConnectionReset.into())
}

async fn thirty_calls(orders: &Pipeline) {
    let mut good = 0;
    for _ in 0..30 {
        good += u32::from(orders.call(backend).await.is_ok());
    }
    let attempts = orders.retry().map_or(1, |retry| retry.config().max_attempts());
    println!("  30 calls with up to {attempts} attempts each: {good} succeed");
    if let Some(timer) = orders.timer() {
        let (metrics, config) = (timer.metrics(), timer.config());
        let (fine, failed) = (metrics.successful.count(), metrics.failed.count());
        println!("  {} so far: {fine} successful, {failed} failed", config.metric_names());
    }
}

/// Writes the file anew and waits until it was seen.
async fn edit(path: &Path, watch: &Watch, from: &str, to: &str) -> std::io::Result<()> {
    println!("\nedit: `{from}` becomes `{to}`");
    let text = fs::read_to_string(path)?.replace(from, to);
    let before = watch.reloads();
    // In one step, for a file that is read while it is written is read in part.
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(&new, path)?;
    while watch.reloads() == before {
        tokio::time::sleep(LOOK).await;
    }
    match watch.last_error() {
        Some(errors) => println!("  refused, and all stays as it was:\n  {errors}"),
        None => println!("  applied"),
    }
    Ok(())
}

async fn run(directory: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let path = directory.join("application.yml");
    fs::write(&path, FILE)?;
    let registry = Registry::new();
    registry.observe(|event: &Event<'_>| {
        if let EventKind::Reload(reload) = event.kind {
            println!("  event: {reload:?}");
        }
    });
    // The first reading: an error here is one at the start, with everything that is wrong in it.
    let watch = Loader::from_env().watch(&path, &registry, LOOK)?;
    println!("started from {}; for one:", path.display());
    for line in
        watch.config().explain().filter(|line| line.contains(".wait_duration_in_open_state"))
    {
        println!("  {line}");
    }
    let orders = registry.pipeline("orders")?;
    thirty_calls(&orders).await;
    edit(&path, &watch, "maxAttempts: 1", "maxAttempts: 3").await?;
    thirty_calls(&orders).await;
    edit(&path, &watch, "maxAttempts: 3", "maxAttempts: 0").await?;
    thirty_calls(&orders).await;
    edit(&path, &watch, "maxAttempts: 0", "maxAttempts: 2").await?;
    thirty_calls(&orders).await;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match &arguments[..] {
        [check_it, path] if check_it == "--check" => return check(path),
        [] => {}
        _ => {
            eprintln!("usage: config_file [--check FILE]");
            return ExitCode::from(2);
        }
    }
    let directory = std::env::temp_dir().join(format!("seawall-config-{}", std::process::id()));
    let ran = match fs::create_dir_all(&directory) {
        Ok(()) => run(&directory).await,
        Err(error) => Err(error.into()),
    };
    let _ = fs::remove_dir_all(&directory);
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
