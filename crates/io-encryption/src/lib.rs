//! Encryption of what is written to local disks (SE-06): `spark.io.encryption.enabled`.
//!
//! An application has one random key, [`IoEncryption`], which its driver makes and every executor is started with. What goes to a
//! scratch directory is sealed with it as a *stream*, after it was compressed:
//!
//! ```text
//!  salt (16) | chunk | chunk | … | last chunk
//!  chunk: length of the plain text and whether it is the last (u32, little endian) | cipher text | tag (16)
//! ```
//!
//! Each stream has a key of its own, derived from the application's and the salt, so that no nonce can come twice however many
//! streams there are: an application may write 10⁸ shuffle segments, too many for random nonces of 96 bits under one key. The
//! chunks of a stream are sealed with AES-GCM, their number and whether one is the last in the nonce. So a chunk that was changed,
//! moved, left out or added is an error before a byte of it is given out, a stream that ends early is one too, and a reader holds
//! one chunk, whatever is in the file. Streams need no frame around them: neighbouring ones can be read one after the other.
//!
//! Spark has AES-CTR there, which hides what is written and does not notice what is changed.
//!
//! What does not belong here: where files are, and what is in them. Who makes scratch directories gives them the key
//! (`firesteel-local-dirs`), and whoever writes there asks them for it.
//!
//! ```
//! use firesteel_io_encryption::{IoEncryption, KeySize};
//!
//! let encryption = IoEncryption::generate(KeySize::Bits128);
//! let mut sealed = Vec::new();
//! encryption.seal(b"to be or not to be", &mut sealed);
//! let mut plain = Vec::new();
//! encryption.open(&sealed, &mut plain)?;
//! assert_eq!(plain, b"to be or not to be");
//! sealed[30] ^= 1;
//! assert!(encryption.open(&sealed, &mut plain).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod cipher;
mod error;
mod key;
mod opening;
mod sealing;

pub use error::{KeyLengthError, OpenStreamError};
pub use key::{IoEncryption, KeySize};
pub use opening::OpeningReader;
pub use sealing::{Onto, SealingWriter, StreamSealer};

/// A chunk has so much plain text; the last one of a stream may have less. What a reader has to hold, and what one tag is spent on.
pub const CHUNK: usize = 64 << 10;
