//! What the data plane lets its users choose; names and defaults are those of `spark.shuffle.io.*` (SC-57).

use std::time::Duration;

use firesteel_model::ByteCount;

/// What the connecting side may choose.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Which of the server's secrets to prove: the application id at a shuffle service, else empty.
    pub key_id: String,
    /// Ask for every byte to be encrypted: `spark.network.crypto.enabled`.
    pub encrypt: bool,
    /// `spark.shuffle.io.numConnectionsPerPeer`, 1. Fast networks need some four.
    pub connections_per_peer: usize,
    /// After so long without a byte from a peer that owes an answer, the connection counts as broken:
    /// `spark.shuffle.io.connectionTimeout`, 120 s. Connecting may take as long.
    pub connection_time_out: Duration,
    /// How often a request is tried again after its connection failed: `spark.shuffle.io.maxRetries`, 3.
    pub max_retries: u32,
    /// How long to wait before each of them: `spark.shuffle.io.retryWait`, 5 s.
    pub retry_wait: Duration,
    /// A longer body goes to disk: `spark.network.maxRemoteBlockSizeFetchToMem`, 200 MiB.
    pub max_size_in_memory: ByteCount,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            key_id: String::new(),
            encrypt: false,
            connections_per_peer: 1,
            connection_time_out: Duration::from_secs(120),
            max_retries: 3,
            retry_wait: Duration::from_secs(5),
            max_size_in_memory: ByteCount::mib(200),
        }
    }
}

/// What the listening side may choose.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Insist on every byte being encrypted: `spark.network.crypto.enabled`.
    pub encrypt: bool,
    /// How many connections the system keeps waiting: `spark.shuffle.io.backLog`.
    pub backlog: u32,
    /// How many connections may be in the handshake at once.
    pub max_unauthenticated: usize,
    /// How long a handshake may take.
    pub handshake_time_out: Duration,
    /// After so long without a peer taking a byte of an answer, or sending the rest of a request, its connection is closed.
    pub connection_time_out: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            encrypt: false,
            backlog: 4096,
            max_unauthenticated: 128,
            handshake_time_out: Duration::from_secs(10),
            connection_time_out: Duration::from_secs(120),
        }
    }
}
