//! The live view of the quick start, drawn into memory.

#![allow(unreachable_pub)]

#[path = "../examples/quick_start/screen/draw.rs"]
mod draw;
#[path = "../examples/quick_start/screen/picture.rs"]
mod picture;

use std::time::Duration;

use picture::{Mood, Picture, ServerPicture, SidePicture, Slice};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Color;
use seawall::patterns::circuit_breaker::State;

const NAMES: [&str; 4] = ["healthy", "flaky", "slow", "dying"];

fn slice(millis: u64, mood: Mood) -> Slice {
    Slice { longest: Duration::from_millis(millis), mood }
}

/// The first half of the time: good at first, then refusals, then failures.
fn half(label: &str) -> SidePicture {
    let slices = [
        vec![slice(1, Mood::Answered); 20],
        vec![slice(63, Mood::Refused); 20],
        vec![slice(4000, Mood::Failed); 20],
    ];
    SidePicture {
        label: label.into(),
        ok: 52,
        failed: 3,
        refused: 0,
        retries: 12,
        p99: Some(Duration::from_millis(45)),
        slices: slices.concat(),
        slices_in_all: 120,
    }
}

fn picture(state: Option<State>, labels: &[&str]) -> Picture {
    let servers = NAMES.map(|name| ServerPicture {
        name,
        weakness: "is dead from 4.5s to 9.5s".into(),
        trouble: (name == "dying").then_some("is dead now"),
        state,
        sides: labels.iter().map(|label| half(label)).collect(),
    });
    Picture {
        title: "seawall quick start: with seawall".into(),
        elapsed: Duration::from_millis(7500),
        length: Duration::from_secs(15),
        servers: servers.into(),
        news: (1..=30).map(|n| format!("{n:4}.0s dying: circuit breaker closed → open")).collect(),
    }
}

const BOTH: [&str; 2] = ["with seawall", "without seawall"];

fn drawn(width: u16, height: u16, picture: &Picture) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw::draw(frame, picture)).unwrap();
    terminal.backend().buffer().clone()
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width);
    let rows = buffer.content.chunks(width);
    rows.map(|row| row.iter().map(Cell::symbol).collect::<String>())
        .map(|row| row.trim_end().to_owned())
        .collect()
}

/// Where `text` begins.
fn place(buffer: &Buffer, text: &str) -> (u16, u16) {
    let lines = lines(buffer);
    let found = lines.iter().enumerate().find_map(|(y, line)| {
        let at = line.find(text)?;
        Some((line[..at].chars().count() as u16, y as u16))
    });
    found.unwrap_or_else(|| panic!("{text:?} is not in\n{}", lines.join("\n")))
}

#[test]
fn the_smallest_screen_shows_all_that_matters() {
    let shown = lines(&drawn(80, 24, &picture(Some(State::Closed), &BOTH)));
    let expected = [
        "seawall quick start: with seawall",
        " 7.5 of 15 s ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━──────────────────────────────────",
        "                     ok failed refused retries     p99 waits, 1 ms to 4 s",
        "● closed     healthy is dead from 4.5s to 9.5s",
        "  with seawall       52      3       ·      12   45 ms ▁▁▁▁▄▄▄▄█████",
        "  without seawall    52      3       ·      12   45 ms ▁▁▁▁▄▄▄▄█████",
    ];
    assert_eq!(shown[..6], expected);
    for name in NAMES {
        assert!(
            shown.iter().any(|line| line.starts_with(&format!("● closed     {name}"))),
            "{name}"
        );
    }
    // Of the news the newest.
    assert_eq!(shown[22], "  30.0s dying: circuit breaker closed → open");
    assert!(shown[23].ends_with("q ends it"), "{}", shown[23]);
}

#[test]
fn bars_are_coloured_by_the_worst_and_stop_at_the_present() {
    let buffer = drawn(80, 24, &picture(Some(State::Closed), &BOTH));
    let (_, y) = place(&buffer, "with seawall       52");
    let colour = |x: u16| buffer[(x, y)].fg;
    assert_eq!((colour(55), colour(60), colour(64)), (Color::Green, Color::Yellow, Color::Red));
    assert!((68..80).all(|x| buffer[(x, y)].symbol() == " "));
}

#[test]
fn a_larger_screen_has_taller_bars() {
    let small = drawn(80, 24, &picture(Some(State::Closed), &BOTH));
    let large = drawn(120, 40, &picture(Some(State::Closed), &BOTH));
    let count = |buffer: &Buffer| {
        buffer.content.iter().filter(|cell| cell.symbol() == "█" && cell.fg == Color::Red).count()
    };
    // More columns, and two lines instead of one; the legend has one more.
    assert_eq!(count(&small), 8 * 5 + 1);
    assert!(count(&large) > 4 * count(&small), "{}", count(&large));
    // One side more room than two.
    let alone = drawn(120, 40, &picture(Some(State::Closed), &["without retry"]));
    let (_, first) = place(&alone, "healthy");
    let (_, second) = place(&alone, "flaky");
    assert_eq!(second - first, 6);
}

#[test]
fn a_breaker_has_a_sign_and_a_colour_for_each_state() {
    for (state, sign, colour) in [
        (State::Closed, "● closed", Color::Green),
        (State::HalfOpen, "◐ half-open", Color::Yellow),
        (State::Open, "○ open", Color::Red),
        (State::ForcedOpen, "○ forced open", Color::Red),
    ] {
        let buffer = drawn(80, 24, &picture(Some(state), &BOTH));
        let (x, y) = place(&buffer, sign);
        assert_eq!((x, buffer[(x, y)].fg), (0, colour), "{state}");
    }
    let without = drawn(80, 24, &picture(None, &["without circuit breaker"]));
    place(&without, "no breaker healthy");
}

#[test]
fn what_is_wrong_at_this_moment_stands_out() {
    let buffer = drawn(80, 24, &picture(Some(State::Closed), &BOTH));
    let (x, y) = place(&buffer, "is dead now");
    assert_eq!(buffer[(x, y)].fg, Color::Red);
    assert!(lines(&buffer)[usize::from(y)].contains("dying"));
}

/// Whatever size the window is given while it runs, and whatever comes in.
#[test]
fn no_size_and_no_moment_makes_it_panic() {
    let mut empty = picture(None, &BOTH);
    empty.news.clear();
    empty.length = Duration::ZERO;
    empty.elapsed = Duration::MAX;
    for side in empty.servers.iter_mut().flat_map(|server| &mut server.sides) {
        side.slices.clear();
        side.slices_in_all = 0;
        side.p99 = None;
    }
    let full = picture(Some(State::Open), &BOTH);
    for picture in [full, empty] {
        for width in [1, 20, 54, 55, 79, 80, 81, 120, 250] {
            for height in [1, 2, 10, 23, 24, 25, 40, 100] {
                let buffer = drawn(width, height, &picture);
                if (width < 80 || height < 24) && width >= 40 {
                    place(&buffer, "This needs 80 columns and 24 lines.");
                }
            }
        }
    }
}
