//! A timer's settings.

use super::Converter;
use crate::config::classes::Meaning;
use crate::config::document::Named;
use crate::config::model::TimerSettings;
use crate::config::model::kind::Setting;
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
    let config = to.built(named, builder.build())?;
    let said = named.record.get("metric_names");
    if let Some((said, Setting::Text(name))) = said.map(|said| (said, &said.setting))
        && name != config.metric_names()
    {
        let first = config.metric_names();
        let message = format!("counts as {first}, which came first and is the same to Prometheus");
        to.report.warn(&said.origin, &said.path, message);
    }
    Some(config)
}
