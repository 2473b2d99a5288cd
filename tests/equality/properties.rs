//! They do the same.

use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use super::script::script;
use super::world::{Steps, play};

#[test]
fn pipeline_does_what_its_layers_do() {
    let config = Config { failure_persistence: None, ..Config::with_cases(cases()) };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let run = runner.run(&script(), |script| {
        let pipeline = play(&script, Steps::as_pipeline);
        let stack = play(&script, Steps::as_stack);
        proptest::prop_assert_eq!(pipeline, stack);
        Ok(())
    });
    if let Err(TestError::Fail(reason, script)) = run {
        panic!("they differ: {reason}\n{script:#?}");
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000)
}
