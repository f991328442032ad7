//! What closures bring along.

use serde::{Serialize, de::DeserializeOwned};

/// The environment of a closure: the values, named by [`Rdd::with`](crate::Rdd::with), that travel with it. Implemented for
/// everything that serde can write and read back.
pub trait Env: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<E: Serialize + DeserializeOwned + Send + Sync + 'static> Env for E {}
