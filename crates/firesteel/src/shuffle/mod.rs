//! Exchanges between stages: typed records over the record-agnostic files of `firesteel-shuffle`.

pub(crate) mod input;
pub(crate) mod output;
pub(crate) mod read;
mod record_reader;
pub(crate) mod write;
