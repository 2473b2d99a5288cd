//! A timer's settings.

use super::Converter;
use crate::config::classes::Meaning;
use crate::config::document::Named;
use crate::config::model::TimerSettings;
use crate::config::read::model;
use crate::patterns::timer::TimerConfig;

pub(in crate::config) fn timer(to: &mut Converter<'_>, named: &Named) -> Option<TimerConfig> {
    let set: TimerSettings = model(&named.record);
    let mut builder = TimerConfig::builder();
    if let Some(name) = set.metric_names {
        builder = builder.metric_names(name);
    }
    let resolver = named.record.get("on_failure_tag_resolver");
    let resolver = to.meaning(resolver, false, "a failure tag", |meaning| match meaning {
        Meaning::FailureTag(tag) => Some(tag),
        _ => None,
    });
    if let Some(tag) = resolver {
        builder = builder.failure_tag(move |cause| tag(cause));
    }
    to.built(named, builder.build())
}
