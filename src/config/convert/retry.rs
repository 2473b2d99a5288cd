//! A retry's settings.

use std::time::Duration;

use super::backoff::WaitKeys;
use super::{CauseKeys, Converter, is};
use crate::config::classes::Meaning;
use crate::config::document::Named;
use crate::config::inherit::WAIT;
use crate::config::model::{BudgetSettings, RetrySettings};
use crate::config::read::{Record, model};
use crate::patterns::retry::{RetryBudget, RetryConfig};
use crate::random::Random;
use crate::settings::ConfigError;

const WAITS: WaitKeys = WaitKeys {
    wait: "wait_duration",
    max_wait: "exponential_max_wait_duration",
    flags: WAIT,
    group: "backoff",
    default: Duration::from_millis(500),
    both: true,
};

const CAUSES: CauseKeys = CauseKeys {
    record_classes: "retry_exceptions",
    record_predicate: "retry_exception_predicate",
    record: "retry",
    ignore_classes: "ignore_exceptions",
    ignore_predicate: None,
    ignore: "ignore",
};

pub(in crate::config) fn retry(to: &mut Converter<'_>, named: &Named) -> Option<RetryConfig> {
    let record = &named.record;
    let set: RetrySettings = model(record);
    let lenient = is(record, "ignore_class_binding_exceptions");
    let mut builder = RetryConfig::builder();
    if let Some(attempts) = set.max_attempts {
        builder = builder.max_attempts(attempts);
    }
    let function = record.get("interval_bi_function");
    let function = to.meaning(function, lenient, "a backoff", |meaning| match meaning {
        Meaning::Backoff(backoff) => Some(backoff),
        _ => None,
    });
    let waits = to.waits(record, &WAITS);
    if let Some(backoff) = function.or(waits) {
        builder = builder.backoff(backoff);
    }
    let causes = to.causes(record, &CAUSES);
    if !causes.is_empty() {
        builder = builder.causes(causes);
    }
    to.result_predicate(record, "result_predicate");
    let hook = record.get("consume_result_before_retry_attempt");
    let hook = to.meaning(hook, lenient, "a function before retries", |meaning| match meaning {
        Meaning::Hook(hook) => Some(hook),
        _ => None,
    });
    if let Some(hook) = hook {
        builder = builder.before_retry(move |context| hook(context));
    }
    if let Some(fail) = set.fail_after_max_attempts {
        builder = builder.fail_after_max_attempts(fail);
    }
    if let Some(refusals) = set.retry_refusals {
        builder = builder.retry_refusals(refusals);
    }
    if let Some(limit) = set.max_duration {
        builder = builder.max_duration(limit);
    }
    if let Some(most) = set.max_retry_after {
        builder = builder.max_retry_after(most);
    }
    if let Some(share) = set.retry_after_spread {
        builder = builder.retry_after_spread(share);
        let reason = "it needs maxRetryAfter";
        to.idle_unless(set.max_retry_after.is_some(), record, &["retry_after_spread"], reason);
    }
    if let Some(fail) = set.fail_when_budget_spent {
        builder = builder.fail_when_budget_spent(fail);
    }
    if let Some(seed) = set.random_seed {
        builder = builder.random(Random::seeded(seed.unsigned_abs()));
    }
    if let Some(budget) = budget(to, record, &set.budget) {
        builder = builder.budget(budget);
    }
    to.built(named, builder.build())
}

fn budget(to: &mut Converter<'_>, record: &Record, set: &BudgetSettings) -> Option<RetryBudget> {
    let kind = set.kind.as_deref().unwrap_or("none");
    let own: &[&str] = match kind {
        "share" => &["max_share", "min_concurrency"],
        "deposits" => &["time_to_live", "min_per_second", "share"],
        "tokens" => &[
            "capacity",
            "retry_cost",
            "timeout_cost",
            "throttling_cost",
            "first_success_reward",
            "refill_per_second",
        ],
        _ => &[],
    };
    let mut fine = true;
    for (_, flat, set) in record.group("budget") {
        if flat.key.name != "kind" && !own.contains(&flat.key.name) {
            to.refuse(set, format!("left out: a budget of kind `{kind}` has none"));
            fine = false;
        }
    }
    let capacity = set.capacity.unwrap_or(500);
    for name in ["budget.retry_cost", "budget.timeout_cost", "budget.throttling_cost"] {
        if let Some(cost) = record.get(name)
            && let crate::config::model::kind::Setting::Int(tokens) = cost.setting
            && tokens > capacity.into()
        {
            to.refuse(cost, format!("from 0 to {capacity}, the capacity"));
            fine = false;
        }
    }
    let budget = match kind {
        _ if !fine => return None,
        "share" => {
            let least = set.min_concurrency.unwrap_or(3);
            RetryBudget::new(set.max_share.unwrap_or(0.2), least)
        }
        "deposits" => deposits(set),
        "tokens" => tokens(set),
        _ => return None,
    };
    match budget {
        Ok(budget) => Some(budget),
        Err(error) => {
            let kind = record.get("budget.kind")?;
            let wrong =
                format!("its {} is {}, must be {}", error.key(), error.value(), error.expected());
            to.report.error(&kind.origin, &kind.path, wrong);
            None
        }
    }
}

fn deposits(set: &BudgetSettings) -> Result<RetryBudget, ConfigError> {
    let mut budget = RetryBudget::deposits();
    if let Some(span) = set.time_to_live {
        budget = budget.time_to_live(span);
    }
    if let Some(retries) = set.min_per_second {
        budget = budget.min_per_second(retries);
    }
    if let Some(share) = set.share {
        budget = budget.share(share);
    }
    budget.build()
}

fn tokens(set: &BudgetSettings) -> Result<RetryBudget, ConfigError> {
    let mut budget = RetryBudget::tokens();
    if let Some(tokens) = set.capacity {
        budget = budget.capacity(tokens);
    }
    if let Some(tokens) = set.retry_cost {
        budget = budget.retry_cost(tokens);
    }
    if let Some(tokens) = set.timeout_cost {
        budget = budget.timeout_cost(tokens);
    }
    if let Some(tokens) = set.throttling_cost {
        budget = budget.throttling_cost(tokens);
    }
    if let Some(tokens) = set.first_success_reward {
        budget = budget.first_success_reward(tokens);
    }
    if let Some(tokens) = set.refill_per_second {
        budget = budget.refill_per_second(tokens);
    }
    budget.build()
}
