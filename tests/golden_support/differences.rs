//! Where seawall does not follow Resilience4j on purpose.

use serde_json::{Value, json};

use super::fields::Seen;

/// One way in which seawall differs: a rule over steps.
pub(crate) struct Difference {
    pub(crate) name: &'static str,
    pub(crate) pattern: &'static str,
    pub(crate) reason: &'static str,
    /// Does the step show it? Then what is expected becomes what seawall shall do; whatever the rule
    /// leaves alone is compared as it stands.
    pub(crate) rule: fn(&Step<'_>, &mut Seen) -> Option<()>,
}

/// A recorded step, as a rule sees it.
pub(crate) struct Step<'a> {
    pub(crate) pattern: &'a str,
    pub(crate) config: &'a Seen,
    /// What the step before was recorded to show; nothing at the first.
    pub(crate) previous: &'a Seen,
}

/// All of them.
pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "a hopeless request for permissions fails at once",
        pattern: "rate_limiter",
        reason: "Resilience4j lets a caller whose wait is too long sleep out the timeout before it \
                 fails; here it fails without sleeping",
        rule: refused_after_the_timeout,
    },
    Difference {
        name: "a call with a single attempt is not a retried one",
        pattern: "retry",
        reason: "with `max_attempts` 1 nothing is ever retried, but Resilience4j counts a call that \
                 failed as one that failed after retries; here it counts as failed without",
        rule: only_attempt_failed,
    },
];

/// Turns what Resilience4j did into what seawall shall do. Tells which rules applied.
pub(crate) fn apply(step: &Step<'_>, expected: &mut Seen) -> Vec<&'static Difference> {
    let rules = DIFFERENCES.iter().filter(|difference| difference.pattern == step.pattern);
    rules.filter(|difference| (difference.rule)(step, expected).is_some()).collect()
}

/// Nothing was waited for, though the recorded clock has moved by as much.
fn refused_after_the_timeout(step: &Step<'_>, expected: &mut Seen) -> Option<()> {
    let waited = expected.get("waited")?.as_u64()?;
    let before = step.previous.get("t").and_then(Value::as_u64).unwrap_or(0);
    let moved = expected.get("t")?.as_u64()?.checked_sub(before)?;
    if *expected.get("r")? != Value::Bool(false) || waited == 0 || waited != moved {
        return None;
    }
    expected.insert("waited".into(), 0.into());
    Some(())
}

/// The fourth counter, one more for every call that ended with an `error`, is part of the third.
fn only_attempt_failed(step: &Step<'_>, expected: &mut Seen) -> Option<()> {
    let [first, retried, not_retried, after_retries] = numbers(expected.get("m")?)?;
    let [_, _, _, before] = step.previous.get("m").map_or(Some([0; 4]), numbers)?;
    let failed = expected.get("log")?.as_array()?.last()?.get(0)? == "error";
    if step.config.get("max_attempts")? != 1
        || after_retries == 0
        || after_retries != before + u64::from(failed)
    {
        return None;
    }
    expected.insert("m".into(), json!([first, retried, not_retried + after_retries, 0]));
    Some(())
}

fn numbers<const N: usize>(list: &Value) -> Option<[u64; N]> {
    let numbers: Option<Vec<u64>> = list.as_array()?.iter().map(Value::as_u64).collect();
    numbers?.try_into().ok()
}
