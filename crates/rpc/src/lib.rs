//! Authenticated, encrypted message channels between the processes of one application.
//!
//! A task channel is code execution by design, so nothing that arrives on a socket is parsed before its sender has proved
//! that it knows the application's [`Secret`] (SE-41, SE-47, SE-50), and everything after is under an AEAD (SE-03, SE-57).
//! [`Listener::bind`] and [`connect`] give a typed [`Connection`], which splits into a cloneable [`Sender`] with a bounded
//! queue and a [`Receiver`]. What is said on it is its users' business; this crate knows bytes, sizes and silence.
//!
//! # Why the Noise protocol and not gRPC over TLS
//!
//! - The processes of an application share a secret already; `NNpsk0` turns exactly that into mutual authentication with
//!   forward secrecy. Certificates would have to be made, spread and renewed, and would prove the same.
//! - "Use TLS 1.3 or Noise, do not invent" (SE-51): the protocol is analysed, and `snow` implements it.
//! - HTTP/2 brings a second flow control that stalls bulk messages, a header per message, and a dozen dependencies. A channel
//!   between two of our own processes needs none of it, and a batch of small messages here is one system call.
//!
//! # On the wire
//!
//! | part | content |
//! |---|---|
//! | preamble | both sides: protocol name, version; the connecting side: the id of the secret (module [`handshake`]) |
//! | handshake | two Noise messages, then one sealed greeting from each side; the connection counts as authenticated after the third |
//! | records | length (`u16`), ciphertext of at most 64 KiB less the tag |
//! | frames | inside the records, one stream: length (`u32`), message in postcard; lengths above any message mean *close* and *keep-alive* |
//!
//! # Example
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use firesteel_rpc::{Address, Connection, Listener, Options, Secret, connect};
//!
//! let secret = Secret::generate();
//! let mut listener = Listener::bind(&Address::tcp("127.0.0.1", 0), secret.clone(), Options::default()).await?;
//! let client: Connection<String, u64> = connect(listener.address(), &secret, &Options::default()).await?;
//! let (sender, mut receiver) = client.split();
//! sender.send(&42).await?;
//!
//! let (server_sender, mut server_receiver) = listener.accept::<u64, String>().await?.split();
//! let question = server_receiver.receive().await?;
//! server_sender.send(&format!("{question:?}")).await?;
//! server_sender.close().await?;
//! assert_eq!(receiver.receive().await?.as_deref(), Some("Some(42)"));
//! assert_eq!(receiver.receive().await?, None);
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```

#![forbid(unsafe_code)]

mod address;
mod connect;
mod connection;
mod frame;
pub mod gate;
pub mod handshake;
mod listener;
mod log_limit;
mod options;
mod ports;
mod receiver;
mod secret;
mod send_queue;
mod sender;
mod threads;

pub use address::{Address, MemoryAddress, ParseAddressError};
pub use connect::{ConnectError, connect};
pub use connection::{Connection, Peer};
pub use listener::{AcceptError, BindError, Listener};
pub use log_limit::{LogLimit, Refusals};
pub use options::Options;
pub use ports::Ports;
pub use receiver::{ReceiveError, Receiver};
pub use secret::{ParseSecretError, Secret, Secrets};
pub use sender::{SendError, Sender, TrySendError};
pub use threads::check_threads;
