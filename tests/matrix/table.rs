//! The table.

use std::time::Duration;

use crate::callers::callers;
use crate::cell::{Cell, Played};
use crate::faults::Want;

/// Of a caller's column.
const WIDTH: usize = 32;

/// Prints all cells, and the wrong ones in full. Returns how many are wrong.
pub fn print(played: &[Played], took: Duration) -> usize {
    let mut reasons: Vec<&str> = Vec::new();
    println!(
        "\nA cell: what the caller got, attempts/requests, + plain, + over TLS, ! where it is wrong.\n\
         In each of them bulkhead, rate limiter, retry budget and circuit breaker (closed for once, half-open for\n\
         always) are as free afterwards as before, and no task and no connection is left.\n"
    );
    print!("{:<22}{:<7}{:<9}", "fault", "", "");
    for caller in callers() {
        print!("{:<WIDTH$}", caller.name());
    }
    println!();
    let mut line = None;
    for cell in Cell::all() {
        let key = (cell.fault.name, cell.how, cell.http2);
        if line == Some(key) || cell.tls {
            continue;
        }
        // All callers of this line.
        if callers().next().is_some_and(|first| first.name() != cell.caller.name()) {
            continue;
        }
        line = Some(key);
        let at = |name: &str, tls: bool| {
            played.iter().find(|it| {
                (it.cell.fault.name, it.cell.how, it.cell.http2) == key
                    && it.cell.caller.name() == name
                    && it.cell.tls == tls
            })
        };
        let row: Vec<_> =
            callers().map(|caller| (at(caller.name(), false), at(caller.name(), true))).collect();
        if row.iter().all(|(plain, tls)| plain.is_none() && tls.is_none()) {
            continue;
        }
        let version = if cell.http2 { "HTTP/2" } else { "HTTP/1.1" };
        let text: String = row.iter().map(|pair| both(*pair, &mut reasons)).collect();
        println!("{:<22}{:<7}{version:<9}{}", cell.fault.name, cell.how, text.trim_end());
    }
    println!();
    for (n, reason) in reasons.iter().enumerate() {
        println!("({}) {reason}", n + 1);
    }
    let wrong: Vec<_> = played.iter().filter(|played| !played.is_right()).collect();
    for Played { cell, want, got, kept } in &wrong {
        println!(
            "WRONG {cell}: wanted {}, got {}; kept: {kept:?}",
            show(want),
            match got {
                Ok(got) => got.to_string(),
                Err(reason) => (*reason).into(),
            }
        );
    }
    let exist = played.iter().filter(|played| played.got.is_ok()).count();
    println!(
        "{exist} cells played in {took:.1?}, {} cannot exist, {} wrong",
        played.len() - exist,
        wrong.len()
    );
    wrong.len()
}

fn show(want: &Want) -> String {
    match want {
        Want::Is { got, attempts, requests } => format!("{got} {attempts}/{requests}"),
        Want::Cannot(reason) => (*reason).into(),
    }
}

/// The cells of one caller, plain and over TLS.
fn both(
    (plain, tls): (Option<&Played>, Option<&Played>),
    reasons: &mut Vec<&'static str>,
) -> String {
    let Some(first) = plain.or(tls) else { return format!("{:<WIDTH$}", "") };
    let text = match &first.got {
        Ok(got) => {
            let mark = |played: Option<&Played>| match played {
                None => ' ',
                Some(played) if played.is_right() => '+',
                Some(_) => '!',
            };
            format!("{got} {}{}", mark(plain), mark(tls))
        }
        Err(reason) => {
            let n = reasons.iter().position(|known| known == reason).unwrap_or_else(|| {
                reasons.push(reason);
                reasons.len() - 1
            });
            format!("- ({})", n + 1)
        }
    };
    format!("{text:<WIDTH$}")
}
