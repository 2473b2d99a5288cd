//! The tables of settings, and the macro that writes one and its struct from one list.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::kind::{Kind, Setting};
use crate::config::tree::path::fold;

/// One setting of a table.
#[derive(Debug)]
pub(in crate::config) struct Key {
    /// In `snake_case`.
    pub(in crate::config) name: &'static str,
    pub(in crate::config) aliases: &'static [&'static str],
    pub(in crate::config) kind: Kind,
    /// As it would be written; none is "not set".
    pub(in crate::config) default: Option<&'static str>,
    pub(in crate::config) doc: &'static str,
    /// Why it has no effect here, if it has none.
    pub(in crate::config) idle: Option<&'static str>,
}

/// The settings of one pattern.
#[derive(Debug)]
pub(in crate::config) struct Table {
    pub(in crate::config) name: &'static str,
    pub(in crate::config) about: &'static str,
    pub(in crate::config) keys: &'static [Key],
    /// Settings below a key of this table.
    pub(in crate::config) groups: &'static [(&'static str, &'static Self)],
    pub(in crate::config) flat: OnceLock<Vec<Flat>>,
    /// Where each of those is.
    pub(in crate::config) places: OnceLock<HashMap<&'static str, usize>>,
}

/// A setting with its place in the table, those of the groups included.
#[derive(Debug)]
pub(in crate::config) struct Flat {
    /// `group.name`, or just the name.
    pub(in crate::config) name: String,
    pub(in crate::config) group: Option<&'static str>,
    /// Every name it has, as all spellings of it have it in common.
    pub(in crate::config) folded: Vec<String>,
    pub(in crate::config) key: &'static Key,
}

impl Flat {
    fn new(group: Option<&'static str>, key: &'static Key) -> Self {
        let name = match group {
            Some(group) => format!("{group}.{}", key.name),
            None => key.name.to_owned(),
        };
        let names = std::iter::once(&key.name).chain(key.aliases);
        Self { name, group, folded: names.map(|name| fold(name)).collect(), key }
    }
}

impl Table {
    pub(in crate::config) fn flat(&'static self) -> &'static [Flat] {
        self.flat.get_or_init(|| {
            let own = self.keys.iter().map(|key| Flat::new(None, key));
            let below = self.groups.iter().flat_map(|(group, table)| {
                table.keys.iter().map(|key| Flat::new(Some(group), key))
            });
            own.chain(below).collect()
        })
    }

    pub(in crate::config) fn place(&'static self, name: &str) -> usize {
        let places = self.places.get_or_init(|| {
            self.flat()
                .iter()
                .enumerate()
                .map(|(place, flat)| (flat.name.as_str(), place))
                .collect()
        });
        places
            .get(name)
            .copied()
            .unwrap_or_else(|| unreachable!("`{}` has no setting `{name}`", self.name))
    }
}

/// A struct that a table belongs to.
pub(in crate::config) trait Model: Sized {
    const TABLE: &'static Table;

    /// Takes the values out in the order of the flat table.
    fn from_values(values: &mut dyn Iterator<Item = Option<&Setting>>) -> Self;

    fn push_values(&self, values: &mut Vec<Option<Setting>>);
}

macro_rules! settings {
    (
        $(#[doc = $about:literal])*
        $name:ident, $table:ident = $module:literal;
        $(
            $(#[doc = $doc:literal])*
            $field:ident: $ty:ty = $kind:expr
            $(, default $default:literal)?
            $(, alias $alias:literal)*
            $(, idle $idle:expr)?;
        )*
        $( @group $group:ident: $group_ty:ident = $group_table:ident; )*
    ) => {
        pub(in crate::config) static $table: Table = Table {
            name: $module,
            about: concat!($($about, "\n"),*),
            keys: &[$(Key {
                name: stringify!($field),
                aliases: &[$($alias),*],
                kind: $kind,
                default: $crate::config::model::table::first!($($default)?),
                doc: concat!($($doc, "\n"),*),
                idle: $crate::config::model::table::first!($($idle)?),
            }),*],
            groups: &[$((stringify!($group), &$group_table)),*],
            flat: std::sync::OnceLock::new(),
            places: std::sync::OnceLock::new(),
        };

        $(#[doc = $about])*
        ///
        /// What is not set is inherited, or has its default. Read and written by serde with the names that a file has, in any
        /// spelling; made valid by [`Config`](crate::config::Config).
        #[derive(Clone, Debug, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[doc = $doc])*
                pub $field: Option<$ty>,
            )*
            $(
                #[doc = concat!("See [`", stringify!($group_ty), "`].")]
                pub $group: $group_ty,
            )*
        }

        impl Model for $name {
            const TABLE: &'static Table = &$table;

            fn from_values(values: &mut dyn Iterator<Item = Option<&Setting>>) -> Self {
                Self {
                    $($field: values.next().flatten().and_then(Field::from_setting),)*
                    $($group: $group_ty::from_values(values),)*
                }
            }

            fn push_values(&self, values: &mut Vec<Option<Setting>>) {
                $(values.push(self.$field.as_ref().and_then(|value| value.to_setting($kind)));)*
                $(self.$group.push_values(values);)*
            }
        }

        $crate::config::model::serde::with_serde!($name);
    };
}

macro_rules! first {
    () => {
        None
    };
    ($one:expr) => {
        Some($one)
    };
}

pub(in crate::config) use {first, settings};
