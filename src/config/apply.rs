//! Brings a registry to what a file says.

use std::collections::HashSet;
use std::sync::Arc;

use super::Config;
use super::loaded::{Entry, Patterns};
use super::pipelines::PipelinePlan;
use super::read::Record;
use crate::patterns::Instance;
use crate::registry::{
    InstanceKind, PipelineSpec, Registry, RegistryError, Tags, View, thread_pool,
};

/// What [`Config::apply`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// Instances that were made, in the order of the file; pipelines too.
    pub created: Vec<(InstanceKind, Arc<str>)>,
    /// Instances that were there and have other settings now; pipelines too.
    pub updated: Vec<(InstanceKind, Arc<str>)>,
    /// How many were as the file says already.
    pub unchanged: usize,
    /// Instances that are there and not in the file: removed from it, or made by the program. They live on as they are.
    pub not_in_file: Vec<(InstanceKind, Arc<str>)>,
}

impl Config {
    /// Brings `registry` to these settings, in place: makes the instances that are not there, in the order of the file, and
    /// updates those that are; whoever holds one goes on with it. What else is there stays, and is told in the answer.
    ///
    /// Shared configs become the registry's, and `default` its default for instances that are in no file. A retry whose budget
    /// has the same settings as before keeps it, with what it has counted.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when called from within the registry's own making of an instance; settings that were read are valid.
    pub fn apply(&self, registry: &Registry) -> Result<Applied, RegistryError> {
        self.apply_after(registry, None)
    }

    /// The same where `previous` was applied before: what is the same in both is not touched, and what `previous` had beside
    /// instances and this one has not is taken back.
    pub(super) fn apply_after(
        &self,
        registry: &Registry,
        previous: Option<&Self>,
    ) -> Result<Applied, RegistryError> {
        let mut run = Run { config: self, previous, done: Applied::default() };
        run.put(&registry.circuit_breakers(), |config| &config.circuit_breakers)?;
        run.put_with(
            &registry.retries(),
            |config| &config.retries,
            &Default::default(),
            |present, config| config.keeping_budget(present),
        )?;
        run.put(&registry.bulkheads(), |config| &config.bulkheads)?;
        run.put_with(
            &registry.thread_pool_bulkheads(),
            |config| &config.thread_pool_bulkheads,
            &thread_pool(),
            |_, config| config,
        )?;
        run.put(&registry.rate_limiters(), |config| &config.rate_limiters)?;
        run.put(&registry.time_limiters(), |config| &config.time_limiters)?;
        run.put(&registry.timers(), |config| &config.timers)?;
        let Run { mut done, .. } = run;
        // The instances come first: a pipeline refers to them.
        self.define(registry, previous, &mut done)?;
        Ok(done)
    }

    fn define(
        &self,
        registry: &Registry,
        previous: Option<&Self>,
        done: &mut Applied,
    ) -> Result<(), RegistryError> {
        let pipelines = registry.pipelines();
        for Entry { name, config, .. } in &self.pipelines {
            let spec = spec(config);
            let there = pipelines.spec(name);
            if there.as_ref() == Some(&spec) {
                done.unchanged += 1;
                continue;
            }
            pipelines.define(name, spec)?;
            let to = if there.is_some() { &mut done.updated } else { &mut done.created };
            to.push((InstanceKind::Pipeline, name.clone()));
        }
        let named: HashSet<_> = self.pipelines.iter().map(|entry| &*entry.name).collect();
        let gone = previous.iter().flat_map(|previous| &previous.pipelines);
        for Entry { name, .. } in gone {
            if !named.contains(&**name) {
                pipelines.undefine(name);
            }
        }
        Ok(())
    }
}

fn spec(plan: &PipelinePlan) -> PipelineSpec {
    let mut spec = PipelineSpec::new();
    if let Some(deadline) = plan.deadline {
        spec = spec.deadline(deadline);
    }
    if let Some(protocol) = plan.protocol {
        spec = spec.protocol(protocol);
    }
    if let Some(classifier) = &plan.classifier {
        spec = spec.rules(classifier.rules.clone());
    }
    type Setter = fn(PipelineSpec, Arc<str>) -> PipelineSpec;
    let steps: [(&Option<Arc<str>>, Setter); 7] = [
        (&plan.retry, PipelineSpec::retry),
        (&plan.circuit_breaker, PipelineSpec::circuit_breaker),
        (&plan.rate_limiter, PipelineSpec::rate_limiter),
        (&plan.time_limiter, PipelineSpec::time_limiter),
        (&plan.bulkhead, PipelineSpec::bulkhead),
        (&plan.thread_pool_bulkhead, PipelineSpec::thread_pool_bulkhead),
        (&plan.timer, PipelineSpec::timer),
    ];
    for (name, set) in steps {
        if let Some(name) = name {
            spec = set(spec, name.clone());
        }
    }
    spec
}

/// One application of a file.
struct Run<'a> {
    config: &'a Config,
    previous: Option<&'a Config>,
    done: Applied,
}

impl Run<'_> {
    /// Brings the instances of one pattern to what the file says.
    fn put<H: Instance>(
        &mut self,
        view: &View<H>,
        of: fn(&Config) -> &Patterns<H::Config>,
    ) -> Result<(), RegistryError> {
        self.put_with(view, of, &Default::default(), |_, config| config)
    }

    /// The same where the pattern's own settings are `built_in`, and where new ones are fitted to those that are there.
    fn put_with<H: Instance>(
        &mut self,
        view: &View<H>,
        of: fn(&Config) -> &Patterns<H::Config>,
        built_in: &H::Config,
        adapt: fn(&H::Config, H::Config) -> H::Config,
    ) -> Result<(), RegistryError> {
        let (patterns, previous) = (of(self.config), self.previous.map(of));
        let kind = view.kind();
        for Entry { name, config, .. } in &patterns.configs {
            if &**name == "default" {
                view.set_default_config(config.clone());
            } else {
                view.add_config(name, config.clone())?;
            }
        }
        let configs: HashSet<_> = patterns.configs.iter().map(|entry| &*entry.name).collect();
        for Entry { name, .. } in previous.iter().flat_map(|previous| &previous.configs) {
            if configs.contains(&**name) {
                continue;
            }
            if &**name == "default" {
                view.set_default_config(built_in.clone());
            } else {
                view.remove_config(name)?;
            }
        }
        if !patterns.tags.is_empty() || previous.is_some_and(|previous| !previous.tags.is_empty()) {
            let shared = |text: &String| Arc::<str>::from(text.as_str());
            let tags = patterns.tags.iter().map(|(key, value)| (shared(key), shared(value)));
            view.set_common_tags(tags.collect::<Tags>());
        }
        for Entry { name, config, record } in &patterns.instances {
            let there = view.find(name);
            let before = previous.and_then(|previous| previous.entry(name));
            match there {
                Some(_) if before.is_some_and(|before| same(&before.record, record)) => {
                    self.done.unchanged += 1;
                }
                Some(there) => {
                    let settings = adapt(&there.settings(), config.clone());
                    view.put(name, || settings)?;
                    self.done.updated.push((kind, name.clone()));
                }
                None => {
                    view.put(name, || config.clone())?;
                    self.done.created.push((kind, name.clone()));
                }
            }
        }
        let others = view.list().into_iter().map(|there| there.shared_name().clone());
        self.done
            .not_in_file
            .extend(others.filter(|name| patterns.get(name).is_none()).map(|name| (kind, name)));
        Ok(())
    }
}

/// Do two records say the same, wherever it stands?
fn same(one: &Record, other: &Record) -> bool {
    one.values.iter().zip(&other.values).all(|(one, other)| {
        one.as_ref().map(|set| &set.setting) == other.as_ref().map(|set| &set.setting)
    })
}
