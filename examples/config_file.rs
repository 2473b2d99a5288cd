//! Settings from a file.
//!
//! `config_file -- --check FILE` starts nothing: it prints what holds by FILE and where each value comes from, one a line, and
//! exits with 0; or all that is wrong with it, and exits with 1.

use std::process::ExitCode;

use seawall::config::Loader;

fn check(path: &str) -> ExitCode {
    match Loader::from_env().load(path) {
        Ok(config) => {
            for warning in config.warnings() {
                eprintln!("warning: {warning}");
            }
            for line in config.explain() {
                println!("{line}");
            }
            ExitCode::SUCCESS
        }
        Err(errors) => {
            println!("{errors}");
            ExitCode::FAILURE
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--check", path] => check(path),
        _ => {
            eprintln!("usage: config_file --check FILE");
            ExitCode::from(2)
        }
    }
}
