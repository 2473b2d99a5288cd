//! A `main` that behaves as that of every test binary, but hides nothing that a test prints.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::{env, fmt};

use tokio::time::Instant;

/// What a test ends with.
pub(crate) type Outcome = Result<(), String>;

pub(crate) struct Test {
    pub(crate) name: String,
    run: Box<dyn Fn() -> Outcome>,
}

impl Test {
    pub(crate) fn new(name: impl Into<String>, run: impl Fn() -> Outcome + 'static) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }

    fn outcome(&self) -> Outcome {
        caught(&self.run)
    }
}

/// A panic is a failure like any other.
pub(crate) fn caught<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("a panic: {}", said.unwrap_or("without a word")))
    })
}

/// The arguments of libtest that matter here; all the others are accepted.
#[derive(Debug, Default)]
struct Arguments {
    list: bool,
    exact: bool,
    ignored: bool,
    terse: bool,
    filters: Vec<String>,
    skip: Vec<String>,
}

impl Arguments {
    fn read(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut read = Self::default();
        while let Some(argument) = arguments.next() {
            let (key, mut value) = match argument.split_once('=') {
                Some((key, value)) if key.starts_with("--") => (key, Some(value.to_owned())),
                _ => (argument.as_str(), None),
            };
            match key {
                "--list" => read.list = true,
                "--exact" => read.exact = true,
                "--ignored" => read.ignored = true,
                "-q" | "--quiet" => read.terse = true,
                "--skip" => read.skip.extend(value.take().or_else(|| arguments.next())),
                "--format" => {
                    let format = value.take().or_else(|| arguments.next());
                    read.terse = format.as_deref() == Some("terse");
                }
                "--test-threads" | "--color" | "--logfile" | "--shuffle-seed" | "-Z" => {
                    if value.is_none() {
                        arguments.next();
                    }
                }
                _ if key.starts_with('-') => {}
                _ => read.filters.push(argument),
            }
        }
        read
    }

    fn wants(&self, test: &Test) -> bool {
        let fits = |pattern: &String| match self.exact {
            true => test.name == *pattern,
            false => test.name.contains(pattern),
        };
        // None of the tests is an ignored one.
        !self.ignored
            && (self.filters.is_empty() || self.filters.iter().any(fits))
            && !self.skip.iter().any(fits)
    }
}

/// Runs what the command line asks for.
pub(crate) fn main(tests: Vec<Test>) -> ExitCode {
    let arguments = Arguments::read(env::args().skip(1));
    let all = tests.len();
    let tests: Vec<Test> = tests.into_iter().filter(|test| arguments.wants(test)).collect();
    if arguments.list {
        for test in &tests {
            println!("{}: test", test.name);
        }
        if !arguments.terse {
            println!("\n{}, 0 benchmarks", Count(tests.len()));
        }
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {}", Count(tests.len()));
    let start = Instant::now();
    let mut failures = Vec::new();
    for test in &tests {
        let outcome = test.outcome();
        println!("test {} ... {}", test.name, if outcome.is_ok() { "ok" } else { "FAILED" });
        failures.extend(outcome.err().map(|what| (&test.name, what)));
    }
    if !failures.is_empty() {
        println!("\nfailures:\n");
        for (name, what) in &failures {
            println!("---- {name} ----\n{what}\n");
        }
    }
    println!(
        "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out; finished in {:.2}s\n",
        if failures.is_empty() { "ok" } else { "FAILED" },
        tests.len() - failures.len(),
        failures.len(),
        all - tests.len(),
        start.elapsed().as_secs_f64(),
    );
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

struct Count(usize);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} test{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}
