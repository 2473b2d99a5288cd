//! Tags: what meters and events of an instance are marked with beside its name.

use std::fmt;
use std::sync::Arc;

/// Tags in the order of their keys, each key once. Cheap to clone.
///
/// ```
/// use seawall::registry::Tags;
///
/// let tags = Tags::from([("zone", "b"), ("team", "shop"), ("zone", "a")]);
/// assert_eq!(tags.iter().collect::<Vec<_>>(), [("team", "shop"), ("zone", "a")]);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Tags(Option<Arc<[Tag]>>);

type Tag = (Arc<str>, Arc<str>);

impl Tags {
    /// No tags.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// These tags and those of `inner`, which win where both have a key.
    #[must_use]
    pub fn merged(&self, inner: &Self) -> Self {
        if self.is_empty() {
            return inner.clone();
        }
        self.pairs().iter().chain(inner.pairs()).cloned().collect()
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let at = self.pairs().binary_search_by(|(other, _)| (**other).cmp(key)).ok()?;
        Some(&self.pairs()[at].1)
    }

    /// Keys and values, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs().iter().map(|(key, value)| (&**key, &**value))
    }

    /// Are there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs().is_empty()
    }

    fn pairs(&self) -> &[Tag] {
        self.0.as_deref().unwrap_or_default()
    }
}

/// The last of equal keys counts.
impl<K: Into<Arc<str>>, V: Into<Arc<str>>> FromIterator<(K, V)> for Tags {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(tags: I) -> Self {
        let mut tags: Vec<Tag> =
            tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        tags.reverse();
        tags.sort_by(|(a, _), (b, _)| a.cmp(b));
        tags.dedup_by(|(a, _), (b, _)| a == b);
        Self((!tags.is_empty()).then(|| tags.into()))
    }
}

impl<K: Into<Arc<str>>, V: Into<Arc<str>>, const N: usize> From<[(K, V); N]> for Tags {
    fn from(tags: [(K, V); N]) -> Self {
        tags.into_iter().collect()
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_keys_counts_and_the_inner_wins() {
        let outer = Tags::from([("a", "1"), ("b", "1"), ("a", "2")]);
        assert_eq!(outer, Tags::from([("b", "1"), ("a", "2")]));
        let merged = outer.merged(&Tags::from([("b", "3"), ("c", "3")]));
        assert_eq!(merged, Tags::from([("a", "2"), ("b", "3"), ("c", "3")]));
        assert_eq!(merged.get("b"), Some("3"));
        assert_eq!(merged.get("d"), None);
        assert_eq!(Tags::new().merged(&outer), outer);
        assert_eq!(outer.merged(&Tags::new()), outer);
        assert_eq!(Tags::from([] as [(&str, &str); 0]), Tags::new());
    }
}
