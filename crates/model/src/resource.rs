//! Custom resources such as GPUs (SC-07).

use serde::{Deserialize, Serialize};

/// Addresses of one kind of resource, as a discovery script prints them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ResourceInformation {
    /// The kind, such as `gpu`.
    pub name: String,
    /// The addresses, such as `0`, `1`.
    pub addresses: Vec<String>,
}

/// How much of one resource each executor is asked to have: Spark's `ExecutorResourceRequest`. Memory is in MiB.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ExecutorResourceRequest {
    /// `cores`, `memory`, `offHeap`, or the kind of a custom resource.
    pub name: String,
    /// How much.
    pub amount: u64,
    /// The script that finds the addresses; empty if there is none.
    pub discovery_script: String,
    /// Who makes it; empty if that is not said.
    pub vendor: String,
}

impl ExecutorResourceRequest {
    /// A request for what needs no script to be found.
    pub fn plain(name: &str, amount: u64) -> Self {
        Self { name: name.to_owned(), amount, discovery_script: String::new(), vendor: String::new() }
    }
}
