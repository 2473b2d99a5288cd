//! What all meters say at one moment.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::list::{Merge, Meter};
use super::timing::Timing;
use crate::registry::Tags;

/// What all meters say at one moment: each meter once, and under it one series for each set of labels.
///
/// Instances of one pattern that share name and tags are one series: counters, durations and most gauges are added up, of
/// rates the highest counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Families(BTreeMap<&'static str, Family>);

/// One meter with all its series.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    meter: &'static Meter,
    series: BTreeMap<Labels, Reading>,
}

/// The labels of one series: `name` first, then the meter's own, then the instance's tags.
///
/// A tag of an instance that is called like one of the others is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Vec<(Cow<'static, str>, String)>);

/// The value of one series.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reading {
    /// Of a counter.
    Counter(u64),
    /// Of a gauge.
    Gauge(f64),
    /// Of a timer.
    Timer(Timing),
}

impl Families {
    /// The meters that have any series, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Family> {
        self.0.values()
    }

    /// The meter of this name, with dots.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Family> {
        self.0.get(name)
    }

    pub(super) fn add(&mut self, meter: &'static Meter, labels: Labels, reading: Reading) {
        let family = self.0.entry(meter.name);
        family.or_insert_with(|| Family { meter, series: BTreeMap::new() }).add(labels, reading);
    }

    /// All of these, or those of one meter, are added to what is here.
    pub(super) fn take_in(&mut self, others: Self, only: Option<&'static Meter>) {
        let wanted = |meter: &Meter| only.is_none_or(|only| std::ptr::eq(only, meter));
        for family in others.0.into_values().filter(|family| wanted(family.meter)) {
            for (labels, reading) in family.series {
                self.add(family.meter, labels, reading);
            }
        }
    }

    /// All that only grows of these is added to what is here; gauges are of the moment, and gone.
    pub(super) fn keep(&mut self, gone: &Self) {
        for family in gone.iter() {
            for (labels, reading) in &family.series {
                if !matches!(reading, Reading::Gauge(_)) {
                    self.add(family.meter, labels.clone(), *reading);
                }
            }
        }
    }
}

impl Family {
    /// The meter.
    #[must_use]
    pub const fn meter(&self) -> &'static Meter {
        self.meter
    }

    /// Its series.
    pub fn series(&self) -> impl Iterator<Item = (&Labels, &Reading)> {
        self.series.iter()
    }

    fn add(&mut self, labels: Labels, reading: Reading) {
        match self.series.entry(labels) {
            Entry::Vacant(place) => {
                place.insert(reading);
            }
            Entry::Occupied(mut place) => place.get_mut().add(&reading, self.meter),
        }
    }
}

impl Reading {
    pub(in crate::telemetry) fn add(&mut self, other: &Self, meter: &Meter) {
        match (self, other) {
            (Self::Counter(sum), Self::Counter(more)) => *sum = sum.saturating_add(*more),
            (Self::Gauge(value), Self::Gauge(other)) => match meter.merge {
                Merge::Sum => *value += other,
                Merge::Max => *value = value.max(*other),
            },
            (Self::Timer(sum), Self::Timer(more)) => sum.add(more),
            _ => debug_assert!(false, "one meter, one kind"),
        }
    }
}

impl Labels {
    pub(super) fn new(name: Option<&str>, meter: &Meter, own: &[&str], tags: &Tags) -> Self {
        let name = name.map(|name| (Cow::Borrowed("name"), name.to_owned()));
        let own = meter.tags.iter().zip(own);
        let own = own.map(|(key, value)| (Cow::Borrowed(*key), (*value).to_owned()));
        let mut all: Vec<_> = name.into_iter().chain(own).collect();
        for (key, value) in tags.iter() {
            if !all.iter().any(|(taken, _)| taken == key) {
                all.push((Cow::Owned(key.to_owned()), value.to_owned()));
            }
        }
        Self(all)
    }

    /// Keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The value of one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(is, _)| *is == key).map(|(_, value)| value)
    }
}

/// Where an instance puts what its meters say.
#[derive(Debug)]
pub struct Out<'a> {
    pub(super) families: &'a mut Families,
    /// Nothing if all are wanted.
    pub(super) only: Option<&'static Meter>,
    pub(super) name: Option<&'a str>,
    pub(super) tags: &'a Tags,
}

impl Out<'_> {
    pub(super) fn counter(&mut self, meter: &'static Meter, own: &[&str], value: u64) {
        self.put(meter, own, Reading::Counter(value));
    }

    pub(super) fn gauge(&mut self, meter: &'static Meter, own: &[&str], value: impl Into<f64>) {
        self.put(meter, own, Reading::Gauge(value.into()));
    }

    pub(super) fn timer(&mut self, meter: &'static Meter, own: &[&str], timing: Timing) {
        self.put(meter, own, Reading::Timer(timing));
    }

    fn put(&mut self, meter: &'static Meter, own: &[&str], reading: Reading) {
        debug_assert_eq!(meter.tags.len(), own.len());
        if self.only.is_none_or(|only| std::ptr::eq(only, meter)) {
            let labels = Labels::new(self.name, meter, own, self.tags);
            self.families.add(meter, labels, reading);
        }
    }
}
