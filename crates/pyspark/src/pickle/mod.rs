//! Python's pickles, as far as they hold plain values.
//!
//! Most of Python's elements go through untouched. Those that are written in formats of Hadoop's must be looked into, and what is
//! read of such must be made into elements. Nothing of a pickle is ever executed: an object of a class is known by its name only.

mod read;
mod write;

pub(crate) use read::{Node, NodeId, Pickle, PickleError};
pub(crate) use write::Pickler;
