//! How a picture is drawn. Knows neither the terminal nor the traffic.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{LineGauge, Paragraph, Sparkline, SparklineBar};
use seawall::patterns::circuit_breaker::State;

use super::picture::{Mood, Picture, ServerPicture, SidePicture, Slice};

/// Less than this and nothing can be read.
pub(crate) const LEAST: (u16, u16) = (80, 24);

/// What stands left of the bars, and how tall those may be.
const TEXT: u16 = 55;
const TALLEST: u16 = 4;

/// The wait of the lowest bar, and of the highest.
const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(4);

pub(crate) fn draw(frame: &mut Frame<'_>, picture: &Picture) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let note = format!("This needs {} columns and {} lines.", LEAST.0, LEAST.1);
        frame.render_widget(Paragraph::new(note), area);
        return;
    }
    let sides: usize = picture.servers.iter().map(|server| server.sides.len()).sum();
    let (servers, sides) = (rows(picture.servers.len()), rows(sides));
    // Title, progress, headings, legend, and at least four lines of news; a blank line after each server.
    let tall = area.height.saturating_sub(8 + 2 * servers) / sides.max(1);
    let tall = tall.clamp(1, TALLEST);

    let [title, progress, headings, lanes, news, legend] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(2 * servers + sides * tall),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);

    frame.render_widget(Line::from(picture.title.as_str().bold()), title);
    draw_progress(frame, picture, progress);
    frame.render_widget(Line::from(heading().dim()), headings);
    let mut top = lanes.y;
    for server in &picture.servers {
        top = draw_server(frame, server, Rect { y: top, ..lanes }, tall);
    }
    draw_news(frame, &picture.news, news);
    frame.render_widget(legend_line(), legend);
}

fn rows(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn draw_progress(frame: &mut Frame<'_>, picture: &Picture, area: Rect) {
    let share = picture.elapsed.as_secs_f64() / picture.length.as_secs_f64().max(1e-3);
    let (now, all) = (picture.elapsed.min(picture.length).as_secs_f64(), picture.length.as_secs());
    let gauge = LineGauge::default()
        .ratio(share.clamp(0.0, 1.0))
        .label(format!("{now:>4.1} of {all} s"))
        .filled_symbol("━")
        .filled_style(Style::new().fg(Color::Cyan))
        .unfilled_style(Style::new().dim());
    frame.render_widget(gauge, area);
}

fn heading() -> String {
    let texts = cells(["ok", "failed", "refused", "retries", "p99"].map(String::from));
    format!("{:18}{texts} waits, 1 ms to 4 s", "")
}

fn cells([ok, failed, refused, retries, p99]: [String; 5]) -> String {
    format!("{ok:>5}{failed:>7}{refused:>8}{retries:>8}{p99:>8}")
}

/// Draws from the top of `area` on, and says where the next one begins.
fn draw_server(frame: &mut Frame<'_>, server: &ServerPicture, area: Rect, tall: u16) -> u16 {
    let head = Rect { height: 1, ..area };
    let about = match server.trouble {
        Some(trouble) => trouble.red().bold(),
        None => server.weakness.as_str().dim(),
    };
    let line = vec![breaker(server.state), format!(" {:8}", server.name).bold(), about];
    frame.render_widget(Line::from(line), head);
    let mut top = head.bottom();
    for side in &server.sides {
        let area = Rect { y: top, height: tall, ..area };
        let [text, bars] =
            Layout::horizontal([Constraint::Length(TEXT), Constraint::Min(0)]).areas(area);
        frame.render_widget(Line::from(format!("  {:16}{}", side.label, tallies(side))), text);
        frame.render_widget(sparkline(side, bars), bars);
        top = area.bottom();
    }
    top + 1
}

fn breaker(state: Option<State>) -> Span<'static> {
    let Some(state) = state else { return "  no breaker".dim() };
    let (sign, colour) = match state {
        State::Closed => ('●', Color::Green),
        State::HalfOpen => ('◐', Color::Yellow),
        _ => ('○', Color::Red),
    };
    format!("{sign} {:10}", state.to_string()).fg(colour)
}

fn tallies(side: &SidePicture) -> String {
    // Zeros would hide what matters.
    let tally = |count: usize| if count == 0 { "·".into() } else { count.to_string() };
    let p99 = side.p99.map_or("·".into(), wait);
    cells([tally(side.ok), tally(side.failed), tally(side.refused), tally(side.retries), p99])
}

fn wait(span: Duration) -> String {
    if span < Duration::from_millis(995) {
        format!("{:.0} ms", span.as_secs_f64() * 1000.0)
    } else {
        format!("{:.2} s", span.as_secs_f64())
    }
}

/// The whole time over the whole width.
fn sparkline(side: &SidePicture, area: Rect) -> Sparkline<'static> {
    let steps = u64::from(area.height) * 8;
    let width = usize::from(area.width);
    let bars = (0..width).map_while(|column| {
        let slice = column_of(side, column, width)?;
        let colour = match slice.mood {
            Mood::Quiet => return Some(SparklineBar::from(0)),
            Mood::Answered => Color::Green,
            Mood::Refused => Color::Yellow,
            Mood::Failed => Color::Red,
        };
        let bar = SparklineBar::from(height(slice.longest, steps));
        Some(bar.style(Style::new().fg(colour)))
    });
    Sparkline::default().data(bars.collect::<Vec<_>>()).max(steps)
}

/// The slices that fall into this column; nothing if they are all still to come.
fn column_of(side: &SidePicture, column: usize, width: usize) -> Option<Slice> {
    let all = side.slices_in_all;
    let from = column * all / width;
    let until = ((column + 1) * all / width).max(from + 1);
    let slices = side.slices.get(from..until.min(side.slices.len()))?;
    slices.iter().copied().reduce(Slice::merge)
}

/// Each step is as many times as long as the one below it.
fn height(wait: Duration, steps: u64) -> u64 {
    let share = (wait.as_secs_f64() / SHORT.as_secs_f64()).max(1.0).ln()
        / (LONG.as_secs_f64() / SHORT.as_secs_f64()).ln();
    ((share * steps as f64).round() as u64).clamp(1, steps)
}

fn draw_news(frame: &mut Frame<'_>, news: &[String], area: Rect) {
    let room = usize::from(area.height);
    let newest = news[news.len().saturating_sub(room)..].iter().map(|it| Line::from(it.as_str()));
    frame.render_widget(Paragraph::new(newest.collect::<Vec<_>>()), area);
}

fn legend_line() -> Line<'static> {
    Line::from(vec![
        "Counted over one second. ".dim(),
        "█".green(),
        " all answered ".dim(),
        "█".yellow(),
        " some refused ".dim(),
        "█".red(),
        " some failed   q ends it".dim(),
    ])
}
