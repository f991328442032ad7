//! Data sets of Python.
//!
//! To Rust an element is a frame: bytes that only Python understands, or text as UTF-8. One that consists of several, as a pair
//! does, is those frames with their lengths, one after another, which is exactly how a worker and the program read it.

mod barrier;
mod broadcast;
mod elements;
mod function;
mod numbers;
mod pairs;
mod updates;
mod worker_settings;

pub(crate) use broadcast::{BroadcastFile, PythonBroadcast};
pub(crate) use elements::{Elements, Later, WeakElements, append, join_elements, piece};
pub(crate) use function::{BUFFER_SIZE, PythonFunction, SimplePythonFunction, apply, workers};
pub(crate) use numbers::{Number, read_numbers};
pub(crate) use pairs::{PythonPartitioner, pair_up, values};
pub(crate) use updates::Updates;
pub(crate) use worker_settings::WorkerSettings;
