//! The examples run, end as they should, and say what they are there to say.

use std::env;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

/// Much longer than any of them takes.
const HUNG: Duration = Duration::from_secs(60);

/// Where cargo has put the example's binary: beside the directory of this test's own.
fn binary(example: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().find(|path| path.join("examples").is_dir());
    let binary = profile
        .map(|profile| {
            profile.join("examples").join(format!("{example}{}", env::consts::EXE_SUFFIX))
        })
        .filter(|binary| binary.is_file());
    binary.unwrap_or_else(|| {
        panic!("`{example}` is not built: run `cargo test`, or `cargo build --examples` first")
    })
}

/// Runs an example to its end.
async fn run(example: &str, arguments: &str) -> Run {
    let child = Command::new(binary(example))
        .args(arguments.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let output = timeout(HUNG, child.wait_with_output()).await;
    let output = output.unwrap_or_else(|_| panic!("`{example} {arguments}` hangs")).unwrap();
    Run { what: format!("{example} {arguments}"), output }
}

struct Run {
    what: String,
    output: Output,
}

impl Run {
    fn text(&self) -> String {
        let Output { stdout, stderr, .. } = &self.output;
        format!("{}{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr))
    }

    #[track_caller]
    fn exits_with(&self, code: i32) -> &Self {
        let Self { what, output } = self;
        assert_eq!(output.status.code(), Some(code), "`{what}` said:\n{}", self.text());
        self
    }

    #[track_caller]
    fn says(&self, words: &str) -> &Self {
        assert!(
            self.text().contains(words),
            "`{}` does not say {words:?}:\n{}",
            self.what,
            self.text()
        );
        self
    }
}

// ## quick_start

/// Each step has one thing that only it can protect. The variants overlap, as they mostly wait, but
/// do not begin all at once: their bursts of calls shall not meet.
#[tokio::test]
async fn quick_start_protects_with_all_steps_and_not_with_one_less() {
    const STEPS: [&str; 5] =
        ["retry", "circuit-breaker", "bulkhead", "rate-limiter", "time-limiter"];
    let lines = |mark: &str| STEPS.map(|step| format!("{mark} {step} "));
    let variants =
        [(String::new(), 0, lines("✔").to_vec()), ("--bare".into(), 1, lines("✘").to_vec())];
    let variants = variants
        .into_iter()
        .chain(STEPS.map(|step| (format!("--without {step}"), 1, vec![format!("✘ {step} ")])));

    join_all(variants.zip(0..).map(async |((variant, code, lines), turn)| {
        sleep(Duration::from_millis(250) * turn).await;
        let run = quick_start(&variant, code, &lines).await;
        run.exits_with(code);
        lines.iter().for_each(|line| _ = run.says(line));
        // Nobody sees colours in a pipe.
        assert!(!run.text().contains('\x1b'));
    }))
    .await;
}

/// Runs it until it ends as it should. That is the first time, unless the machine has no time for it:
/// then it says so, and is worth another try.
async fn quick_start(variant: &str, code: i32, lines: &[String]) -> Run {
    let arguments = format!("--seconds 3 {variant}");
    for _ in 0..3 {
        let run = run("quick_start", &arguments).await;
        let text = run.text();
        let busy = text.contains("This machine was busy");
        let as_it_should =
            run.output.status.code() == Some(code) && lines.iter().all(|line| text.contains(line));
        if as_it_should || !busy {
            return run;
        }
    }
    run("quick_start", &arguments).await
}

#[tokio::test]
async fn quick_start_refuses_nonsense() {
    run("quick_start", "--help").await.exits_with(0).says("--without STEP").says("--plain");
    run("quick_start", "--nonsense").await.exits_with(2).says("unknown argument `--nonsense`");
    run("quick_start", "--without hope").await.exits_with(2).says("unknown step `hope`");
    run("quick_start", "--without").await.exits_with(2).says("needs a step");
    run("quick_start", "--seconds 2").await.exits_with(2).says("at least 3");
    run("quick_start", "--seed x").await.exits_with(2).says("needs a whole number");
}

// ## The others

#[tokio::test]
async fn reqwest_client() {
    let run = run("reqwest_client", "").await;
    run.exits_with(0)
        .says("42 in stock after 3 requests")
        .says("503 Service Unavailable after 1 request")
        .says("200 OK after 3 requests")
        .says("call given up: the deadline of `http` has passed");
}

#[tokio::test]
async fn hyper_client() {
    let run = run("hyper_client", "").await;
    run.exits_with(0)
        .says("circuit breaker `inventory`: closed → open")
        .says("call not made: circuit breaker `inventory` is open, try again in")
        .says("circuit breaker `inventory`: half-open → closed");
}

#[tokio::test]
async fn tonic_client() {
    let run = run("tonic_client", "").await;
    run.exits_with(0)
        .says("Serving after 3 requests")
        .says("Unavailable: circuit breaker `stock` is open, try again in")
        .says("never sent: true; requests for 10 calls: 5")
        .says("Serving after 1 request");
}

#[tokio::test]
async fn single_layers() {
    let run = run("single_layers", "").await;
    run.exits_with(0)
        .says("time limiter `all attempts` gave the attempt up, 1 time\n")
        .says("time limiter `each attempt` gave the attempt up, 3 times\n")
        .says("3 made, 3 refused")
        .says("in flight while the responses are kept:   3")
        .says("in flight when they are gone:             0");
}

#[tokio::test]
async fn plain_futures() {
    let run = run("plain_futures", "").await;
    run.exits_with(0)
        .says("stock: 42")
        .says("succeeded after a retry: 1, attempts that timed out: 1")
        .says("call not made: circuit breaker `inventory` is open")
        .says("a second call meanwhile: bulkhead `inventory` is full");
}

#[tokio::test]
async fn per_host() {
    let run = run("per_host", "").await;
    run.exits_with(0)
        .says("inventory  breaker never opened")
        .says("orders     breaker opened, and closed again")
        .says("group `hosts`: 1000 pipelines (1000 closed)")
        .says("✔ only the breaker of the host that failed opened");
}

// ## config_file

#[tokio::test]
async fn config_file_takes_good_changes_and_refuses_bad_ones() {
    run("config_file", "")
        .await
        .exits_with(0)
        .says("(configs.shared)")
        .says("30 calls with up to 1 attempts each: 10 succeed")
        .says("event: Applied { created: 0, updated: 1 }")
        .says("30 calls with up to 3 attempts each: 30 succeed")
        .says("maxAttempts: 0 is not allowed, must be from 1 to 4294967295")
        .says("30 calls with up to 2 attempts each: 15 succeed");
}

#[tokio::test]
async fn config_file_checks_a_file() {
    let good = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/config_file/application.yml");
    let run_of = run("config_file", &format!("--check {good}")).await;
    run_of
        .exits_with(0)
        .says("circuit_breaker.orders.wait_duration_in_open_state = 7.5s  # ")
        .says("application.yml:8 (configs.shared)")
        .says("retry.orders.max_attempts = 1  # ");
    let bad = env::temp_dir().join(format!("seawall-check-{}.yml", std::process::id()));
    std::fs::write(
        &bad,
        "resilience4j.retry.instances.orders:\n  maxAttempts: 0\n  waitDurtion: 1s\n",
    )
    .unwrap();
    let run_of = run("config_file", &format!("--check {}", bad.display())).await;
    std::fs::remove_file(&bad).unwrap();
    run_of
        .exits_with(1)
        .says(":2:3: resilience4j.retry.instances.orders.maxAttempts: 0 is not allowed, must be from 1 to 4294967295")
        .says(":3:3: resilience4j.retry.instances.orders.waitDurtion: unknown key, did you mean `waitDuration`?");
}

/// As with `--check FILE | head -1`, and with a path out of a shell's completion.
#[cfg(unix)]
#[tokio::test]
async fn config_file_bears_a_reader_that_goes_and_a_path_that_is_no_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let check = |path: &OsStr| {
        let mut command = Command::new(binary("config_file"));
        command.arg("--check").arg(path).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let good = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/config_file/application.yml");
    let mut child = check(good.as_ref()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = timeout(HUNG, child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));

    let ended = timeout(HUNG, check(OsStr::from_bytes(b"no\xff.yml")).output()).await;
    let ended = ended.unwrap().unwrap();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(String::from_utf8_lossy(&ended.stdout).contains("cannot be read"), "{ended:?}");
}

// ## observe

#[tokio::test]
async fn observe() {
    let run = run("observe", "").await;
    run.exits_with(0)
        .says("GET /flaky  200 OK")
        .says("of 10 were never sent")
        .says(r#"resilience4j_circuitbreaker_state{name="inventory",state="open",team="shop"} 1"#)
        .says(r#"resilience4j_timelimiter_calls_total{name="inventory",kind="timeout",team="shop"} 3"#)
        .says("\"state\": \"open\"");
}
