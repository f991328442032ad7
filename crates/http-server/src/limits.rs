//! How much one server bears.

use std::time::Duration;

/// How much one server bears. Nothing that comes from outside is waited for without an end.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How many connections there are at once. More wait until one has ended.
    pub max_connections: usize,
    /// How long a head may take, counted from when the connection is free for it: also how long a connection may be idle.
    pub head_time_out: Duration,
    /// How large a head may be: the request line and all header fields. More is answered with 431.
    pub max_head_bytes: usize,
    /// How large a body may be. More is answered with 413.
    pub max_body_bytes: usize,
    /// How long an answer may take from the head of its request on: reading the body is in it. Then 503 is the answer.
    pub request_time_out: Duration,
    /// How long a peer may take nothing of what is sent to it.
    pub stall_time_out: Duration,
    /// How long a connection lasts at the most: it is closed after the answer that is under way, or without it if that takes
    /// longer than [`Self::stop_time_out`].
    pub max_age: Duration,
    /// How long answers that are under way get when the server ends.
    pub stop_time_out: Duration,
}

impl Default for Limits {
    /// For pages that people look at.
    fn default() -> Self {
        Self {
            // A browser takes six; so this is for some forty people, and costs at most 16 MiB of heads.
            max_connections: 256,
            // Typed by hand one would not be in time, and every browser is.
            head_time_out: Duration::from_secs(15),
            max_head_bytes: 64 << 10,
            // A form with an id is shorter by far.
            max_body_bytes: 64 << 10,
            request_time_out: Duration::from_secs(30),
            stall_time_out: Duration::from_secs(30),
            max_age: Duration::from_secs(600),
            stop_time_out: Duration::from_secs(3),
        }
    }
}
