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
