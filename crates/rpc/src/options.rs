//! What a user of a channel may choose.

use std::time::Duration;

use firesteel_model::ByteCount;

use crate::handshake::Protocol;

/// What a user of a channel may choose. The defaults are Spark's where Spark has the choice.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is spoken; both sides must say the same.
    pub protocol: Protocol,
    /// Which of the server's secrets this side proves: empty, or the application id where a server has several applications.
    /// At most 255 bytes. Used by the connecting side only.
    pub key_id: String,
    /// The longest message, encoded: `spark.rpc.message.maxSize`, 128 MiB. At most 4 GiB less two bytes.
    pub max_message_size: ByteCount,
    /// How much may wait to be sent. A message is queued if less than this waits, so at most this and one message wait, and
    /// as much again is on its way into the socket.
    pub send_queue_size: ByteCount,
    /// How long connecting may take, without the handshake.
    pub connect_time_out: Duration,
    /// How long a handshake may take from its first byte to its last (slow loris).
    pub handshake_time_out: Duration,
    /// After so long with nothing to say, a keep-alive is sent. Must be well below the other side's `idle_time_out`.
    pub keep_alive_interval: Duration,
    /// After so long without a byte from the other side, or without it taking a byte, the connection counts as broken:
    /// `spark.network.timeout`, 120 s.
    pub idle_time_out: Duration,
    /// How many connections may be in the handshake at once. Used by the listening side only.
    pub max_unauthenticated: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            protocol: Protocol::RPC,
            key_id: String::new(),
            max_message_size: ByteCount::mib(128),
            send_queue_size: ByteCount::mib(4),
            connect_time_out: Duration::from_secs(30),
            handshake_time_out: Duration::from_secs(10),
            keep_alive_interval: Duration::from_secs(20),
            idle_time_out: Duration::from_secs(120),
            max_unauthenticated: 128,
        }
    }
}
