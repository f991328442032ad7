//! Sockets beside the gateway: what is too much for lines of text.
//!
//! Whoever connects to one of ours on loopback sends the secret that the program has got by the gateway, and is told `ok`. All
//! numbers are big-endian, and an element is its length and its bytes.

mod accept;
mod accumulators;
mod barrier;
mod broadcast;
mod broadcast_file;
mod chunks;
mod parallelize;
mod results;
mod sockets;

pub(crate) use accumulators::{AccumulatorClient, AccumulatorServer};
pub(crate) use barrier::BarrierServer;
pub(crate) use broadcast::BroadcastServer;
pub(crate) use broadcast_file::{DecryptionServer, EncryptionServer};
pub(crate) use parallelize::{ParallelizeServer, elements_of_piece, read_pieces};
pub(crate) use results::{CLASS as RESULT_SERVER, ResultServer};
pub(crate) use sockets::{Address, Sockets};
