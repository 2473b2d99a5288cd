//! Four servers that misbehave, real calls through seawall, and a verdict.
//!
//! ```text
//! cargo run --example quick_start
//! cargo run --example quick_start -- --without retry
//! ```
//!
//! In a terminal it shows what happens as it happens; elsewhere it tells it in lines.
//! Begin with `protection.rs`: that is what you would write. The rest is the stage.

mod arguments;
mod figures;
mod ink;
mod news;
mod protection;
mod report;
mod scenario;
mod screen;
mod servers;
mod traffic;
mod verdict;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use arguments::{Arguments, HELP};
use protection::Protection;
use report::Report;
use scenario::{Kind, Scenario};
use screen::Live;
use seawall::Random;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tower::BoxError;
use traffic::Lane;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("{problem}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match run(arguments).await {
        Ok(Some(true)) => ExitCode::SUCCESS,
        Ok(Some(false)) => ExitCode::from(1),
        Ok(None) => {
            eprintln!("ended before its time, so there is no verdict");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("could not run: {error}");
            ExitCode::from(2)
        }
    }
}

/// Was everything protected that is judged? Nothing if the user did not wait for the verdict.
async fn run(
    Arguments { seconds, seed, protection, plain }: Arguments,
) -> Result<Option<bool>, BoxError> {
    // reqwest comes without a TLS provider here, and wants one even for plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let never = reqwest::retry::never();
    let client = reqwest::Client::builder().no_proxy().retry(never).build()?;

    let scenario = Scenario {
        start: Instant::now() + Duration::from_millis(100),
        length: Duration::from_secs(seconds),
    };
    let judged = lanes(scenario, protection, seed, &client).await?;
    // The whole pipelines are compared with the same calls to the same servers, without seawall.
    let control = match protection {
        Protection::Full => lanes(scenario, Protection::Bare, seed, &client).await?,
        Protection::Without(_) | Protection::Bare => Vec::new(),
    };
    let mut report = Report::new(scenario, protection, judged.clone(), control.clone());
    let mut traffic = JoinSet::new();
    for lane in judged.iter().chain(&control) {
        traffic.spawn(lane.clone().drive(scenario, Random::seeded(seed)));
    }

    let mut columns = None;
    if screen::is_wanted() && !plain {
        let live = Live::new(scenario, protection, judged.clone(), control);
        if !live.run(&mut traffic).await? {
            return Ok(None);
        }
        columns = screen::columns();
    } else {
        report.header();
        report.follow();
        for second in (1..=seconds).map(Duration::from_secs) {
            sleep_until(scenario.start + second).await;
            report.second(second);
        }
        traffic.join_all().await;
    }

    let judgements = verdict::judge(&judged, scenario);
    report.summary(&judgements, columns);
    Ok(Some(judgements.iter().all(|judgement| judgement.holds)))
}

/// A lane of traffic to each of four new servers.
async fn lanes(
    scenario: Scenario,
    protection: Protection,
    seed: u64,
    client: &reqwest::Client,
) -> Result<Vec<Arc<Lane>>, BoxError> {
    let mut lanes = Vec::new();
    for kind in Kind::ALL {
        lanes.push(Lane::open(kind, scenario, protection, seed, client).await?);
    }
    Ok(lanes)
}
