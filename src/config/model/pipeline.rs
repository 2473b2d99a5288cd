//! The settings of named pipelines and classifiers.

use std::time::Duration;

use super::kind::{Field, Kind, MS, Setting, span};
use super::table::{Key, Model, Table, settings};

const PROTOCOLS: Kind = Kind::Choice(&[("plain", &[]), ("http", &[]), ("grpc", &[])]);

settings! {
    /// A named pipeline in a file: which instances it is made of, by their names.
    ///
    /// One that names no instance at all is made of all those of its own name.
    PipelineSettings, PIPELINE = "pipelines";

    /// What kind of calls it is for. Not set: any.
    protocol: String = PROTOCOLS;
    /// The whole call must be over after this. Not set: no limit.
    deadline: Duration = span(MS);
    /// The name of its retry.
    retry: String = Kind::Text;
    /// The name of its circuit breaker.
    circuit_breaker: String = Kind::Text;
    /// The name of its rate limiter.
    rate_limiter: String = Kind::Text;
    /// The name of its time limiter.
    time_limiter: String = Kind::Text;
    /// The name of its bulkhead.
    bulkhead: String = Kind::Text;
    /// The name of its thread-pool bulkhead, which may stand in a bulkhead's place.
    thread_pool_bulkhead: String = Kind::Text;
    /// The name of its timer.
    timer: String = Kind::Text;
    /// The name of the classifier that judges its calls. Not set: the protocol's own.
    classifier: String = Kind::Text;
}

settings! {
    /// A named classifier in a file: how calls count, by status and kind of error. What is in several lists is in the first of
    /// ignore, failure, success; what is in none, the protocol's own classifier judges.
    ClassifierSettings, CLASSIFIER = "classifiers";

    /// What counts nowhere.
    ignore: Vec<String> = Kind::Matchers;
    /// What is a failure.
    failure: Vec<String> = Kind::Matchers;
    /// What is a success.
    success: Vec<String> = Kind::Matchers;
}
