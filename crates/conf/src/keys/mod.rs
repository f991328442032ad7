//! Every key that the engine honours, by subsystem. `cargo xtask check` finds a declaration that nothing reads.
//!
//! The doc comment of a declaration is the key's text in the manual. Numbers and defaults are those of Spark 3.5 unless the
//! comment says otherwise. Keys that mean something only elsewhere (to other cluster managers, to a JVM) are listed by name
//! in the crate, so that a warning can say so; see [`crate::SparkConf::review`].

use std::{collections::BTreeMap, sync::LazyLock};

use crate::{AnyKey, ClusterManager, CompressionCodec, DeployMode, Key, KeyPrefix, Managers, Section, Unit};

/// Declares the keys of one section: doc comment, name, type, key, since, and what [`Key`]'s builder says.
macro_rules! keys {
    ($section:ident: $(
        $(#[doc = $doc:literal])+
        $name:ident: $type:ty = $key:literal, since $since:literal $(, $method:ident($($argument:expr),*))*;
    )*) => {
        $(
            $(#[doc = $doc])+
            #[doc = concat!("\n\n`", $key, "`")]
            pub static $name: Key<$type> =
                Key::<$type>::new(Section::$section, $key, concat!($($doc, "\n"),+), $since)$(.$method($($argument),*))*;
        )*
        pub(super) static ALL: &[&dyn AnyKey] = &[$(&$name),*];
    };
}

/// Declares families of keys by their prefix.
macro_rules! prefixes {
    ($section:ident: $(
        $(#[doc = $doc:literal])+
        $name:ident = $prefix:literal, since $since:literal, on $managers:expr;
    )*) => {
        $(
            $(#[doc = $doc])+
            #[doc = concat!("\n\n`", $prefix, "*`")]
            pub static $name: KeyPrefix = KeyPrefix {
                prefix: $prefix,
                doc: concat!($($doc, "\n"),+),
                section: Section::$section,
                since: $since,
                managers: $managers,
            };
        )*
        pub(super) static PREFIXES: &[&KeyPrefix] = &[$(&$name),*];
    };
}

mod application;
mod console;
mod daemon_ui;
mod dynamic_allocation;
mod event_log;
mod exclude_on_failure;
mod executor;
mod files;
mod memory;
mod network;
mod python;
mod scheduler;
mod security;
mod shuffle;
mod speculation;
mod standalone;
mod storage;

pub use application::*;
pub use console::*;
pub use daemon_ui::*;
pub use dynamic_allocation::*;
pub use event_log::*;
pub use exclude_on_failure::*;
pub use executor::*;
pub use files::*;
pub use memory::*;
pub use network::*;
pub use python::*;
pub use scheduler::*;
pub use security::*;
pub use shuffle::*;
pub use speculation::*;
pub use standalone::*;
pub use storage::*;

/// Every declared key, in the order of the manual.
pub fn all() -> impl Iterator<Item = &'static dyn AnyKey> {
    [
        application::ALL,
        scheduler::ALL,
        speculation::ALL,
        dynamic_allocation::ALL,
        exclude_on_failure::ALL,
        shuffle::ALL,
        memory::ALL,
        storage::ALL,
        executor::ALL,
        python::ALL,
        standalone::ALL,
        daemon_ui::ALL,
        network::ALL,
        security::ALL,
        event_log::ALL,
        files::ALL,
        console::ALL,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Every declared family of keys.
pub fn prefixes() -> impl Iterator<Item = &'static KeyPrefix> {
    scheduler::PREFIXES.iter().chain(executor::PREFIXES).chain(files::PREFIXES).copied()
}

/// The declared key of this name.
pub fn find(name: &str) -> Option<&'static dyn AnyKey> {
    static BY_NAME: LazyLock<BTreeMap<&str, &'static dyn AnyKey>> =
        LazyLock::new(|| all().map(|key| (key.name(), key)).collect());
    BY_NAME.get(name).copied()
}

/// The declared key that once had this name.
pub(crate) fn find_by_older_name(name: &str) -> Option<&'static dyn AnyKey> {
    static BY_OLDER_NAME: LazyLock<BTreeMap<&str, &'static dyn AnyKey>> =
        LazyLock::new(|| all().flat_map(|key| key.formerly().iter().map(move |older| (*older, key))).collect());
    BY_OLDER_NAME.get(name).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{ConfError, SparkConf};

    #[test]
    fn every_default_can_be_read_and_passes_its_own_check() {
        for key in all() {
            match key.verify(&SparkConf::new()) {
                Ok(()) | Err(ConfError::Missing { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn names_are_unique_and_documented() {
        let mut names = BTreeSet::new();
        for key in all() {
            assert!(key.name().starts_with("spark."), "{}", key.name());
            assert!(names.insert(key.name()), "{} is declared twice", key.name());
            for older in key.formerly() {
                assert!(names.insert(older), "{older} is declared twice");
            }
            assert!(key.doc().trim().ends_with('.'), "the text of {} is no sentence", key.name());
        }
    }
}
