//! How two processes prove to one another that they know the application's secret.
//!
//! `Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s`: ephemeral keys on both sides (forward secrecy), the pre-shared key mixed in before
//! the first message. The key is derived from the [`Secret`], so a secret of any length serves.
//!
//! 1. The connecting side sends its preamble (magic, protocol name, version, key id) and the first Noise message. A wrong
//!    secret shows here already: the message does not open.
//! 2. The listening side sends its preamble and the second Noise message. A process that does not know the secret cannot make
//!    one that opens, so the connecting side now knows whom it talks to.
//! 3. The connecting side sends its greeting, sealed. A first message that was recorded and is played again gets no further
//!    than this, because the player lacks the ephemeral key. *Now* the connection counts as authenticated.
//! 4. The listening side answers with its own greeting, sealed, or with a refusal and its reason.
//!
//! Both preambles are the handshake's prologue: whoever changes a version or a key id on the way breaks it. All that is parsed
//! before authentication is a preamble of fixed shape and lengths of at most [`MAX_MESSAGE`] bytes.
//!
//! The data plane uses this module with greetings of its own and goes on as it likes; [`Session`] seals and opens records.

use std::{fmt, io, sync::Arc};

use snow::{Builder, HandshakeState, StatelessTransportState};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

use crate::{Secret, Secrets};

/// No message of a handshake is longer, so an unauthenticated peer can make nobody hold more.
pub const MAX_MESSAGE: usize = 1024;

/// The longest plaintext of one record: Noise's 65,535 bytes less the tag.
pub const MAX_RECORD: usize = 65_535 - TAG;

const TAG: usize = 16;
const MAGIC: [u8; 4] = *b"FSTL";
const NOISE: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";
const KEY_CONTEXT: &str = "firesteel 2026 Noise pre-shared key";
/// In place of a message's length: the listening side refuses the connection, in clear, because no key is agreed.
const REFUSED: u16 = u16::MAX;

/// What is spoken after the handshake. Printed as `name/version`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Protocol {
    /// Eight bytes of ASCII.
    pub name: [u8; 8],
    /// Both sides must have the same.
    pub version: u16,
}

impl Protocol {
    /// Message channels of this crate.
    pub const RPC: Self = Self { name: *b"rpc     ", version: 1 };
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name.escape_ascii().to_string().trim_end(), self.version)
    }
}

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The other side does not speak our framing at all.
    #[error("the other side is not a firesteel process: it does not begin with our magic number")]
    NotFiresteel,
    /// Another protocol or another version of it.
    #[error(
        "the other side speaks {theirs}, this side {ours}; both must run the same release and reach the right port"
    )]
    ProtocolMismatch {
        /// This side's.
        ours: Protocol,
        /// The other side's.
        theirs: Protocol,
    },
    /// One side does not know the other's secret. Trying again will not help.
    #[error("authentication failed: the two sides have different secrets (spark.authenticate.secret) or one has none")]
    Unauthenticated,
    /// The other side knows the secret, and refuses all the same.
    #[error("the other side refused the connection: {reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// A message of the handshake is longer than any can be.
    #[error("a handshake message of {length} bytes is longer than the {MAX_MESSAGE} bytes that one may have")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The connection failed or was closed in the middle.
    #[error("the connection failed during the handshake")]
    Io(#[from] io::Error),
}

/// The result of a handshake: the keys of both directions.
pub struct Session {
    sealer: Sealer,
    opener: Opener,
}

impl Session {
    /// The two directions.
    pub fn split(self) -> (Sealer, Opener) {
        (self.sealer, self.opener)
    }
}

/// Seals what this side sends.
pub struct Sealer {
    noise: Arc<StatelessTransportState>,
    nonce: u64,
}

/// Opens what the other side sent. Records must come in order: a lost, repeated or altered one does not open.
pub struct Opener {
    noise: Arc<StatelessTransportState>,
    nonce: u64,
}

/// A record was altered, repeated, left out or made by somebody else. The connection cannot go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a record failed authentication: it was altered on the way, or is not from the other side")]
pub struct NotAuthentic;

impl Sealer {
    /// Appends `plain` to `wire` as records of at most [`MAX_RECORD`] bytes, each after its length (`u16`, little endian).
    pub fn seal(&mut self, plain: &[u8], wire: &mut Vec<u8>) {
        for piece in plain.chunks(MAX_RECORD) {
            let start = wire.len();
            let sealed = piece.len() + TAG;
            wire.extend_from_slice(&(sealed as u16).to_le_bytes());
            wire.resize(start + 2 + sealed, 0);
            self.noise
                .write_message(self.nonce, piece, &mut wire[start + 2..])
                .expect("the piece fits a Noise message, and the nonce does not run out");
            self.nonce += 1;
        }
    }
}

impl Opener {
    /// Appends the plaintext of one record, given without its length, to `plain`.
    pub fn open(&mut self, record: &[u8], plain: &mut Vec<u8>) -> Result<(), NotAuthentic> {
        let start = plain.len();
        plain.resize(start + record.len(), 0);
        match self.noise.read_message(self.nonce, record, &mut plain[start..]) {
            Ok(length) => {
                self.nonce += 1;
                plain.truncate(start + length);
                Ok(())
            }
            Err(_) => {
                plain.truncate(start);
                Err(NotAuthentic)
            }
        }
    }
}

/// What the listening side learns of the connecting side.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Greeting {
    /// Which secret it proved.
    pub key_id: String,
    /// What it said, at most about 1000 bytes; its meaning is the protocol's business.
    pub bytes: Vec<u8>,
}

/// The connecting side. `greeting` is sealed; the result has the other side's greeting. Put a time-out around it.
///
/// # Panics
///
/// If the key id is longer than 255 bytes or the greeting does not fit a handshake message; both are the program's own.
pub async fn initiate(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    secret: &Secret,
    protocol: Protocol,
    key_id: &str,
    greeting: &[u8],
) -> Result<(Session, Vec<u8>), HandshakeError> {
    let ours = preamble(protocol, key_id);
    let mut expected = preamble(protocol, "");
    let prologue = [&ours[..], &expected].concat();
    let mut noise = handshake_state(&prologue, secret, Side::Initiator);

    let mut wire = ours;
    write_noise(&mut noise, &mut wire);
    stream.write_all(&wire).await?;

    stream.read_exact(&mut expected).await?;
    check_preamble(protocol, &expected)?;
    let answer = read_message(stream).await?.ok_or(HandshakeError::Unauthenticated)?;
    noise.read_message(&answer, &mut [0; MAX_MESSAGE]).map_err(|_| HandshakeError::Unauthenticated)?;
    let mut session = session(noise);

    wire.clear();
    seal_message(&mut session.sealer, greeting, &mut wire);
    stream.write_all(&wire).await?;

    let answer = read_message(stream).await?.ok_or(HandshakeError::Unauthenticated)?;
    let mut plain = Vec::new();
    session.opener.open(&answer, &mut plain).map_err(|_| HandshakeError::Unauthenticated)?;
    match plain.split_first() {
        Some((&ACCEPTED, greeting)) => Ok((session, greeting.to_vec())),
        Some((_, reason)) => Err(HandshakeError::Refused { reason: String::from_utf8_lossy(reason).into_owned() }),
        None => Err(HandshakeError::Unauthenticated),
    }
}

/// The listening side. `admit` sees the authenticated greeting and gives this side's, or the reason why it refuses. Put a
/// time-out around it.
pub async fn respond(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    secrets: &dyn Secrets,
    protocol: Protocol,
    admit: impl FnOnce(&Greeting) -> Result<Vec<u8>, String>,
) -> Result<(Session, Greeting), HandshakeError> {
    let mut theirs = vec![0; PREAMBLE];
    stream.read_exact(&mut theirs).await?;
    let ours = preamble(protocol, "");
    if theirs[..4] != MAGIC {
        return Err(HandshakeError::NotFiresteel);
    }
    if let Err(error) = check_preamble(protocol, &theirs) {
        // The other side names both versions too.
        stream.write_all(&ours).await?;
        stream.shutdown().await?;
        return Err(error);
    }
    let key_id_start = theirs.len();
    theirs.resize(key_id_start + usize::from(theirs[PREAMBLE - 1]), 0);
    stream.read_exact(&mut theirs[key_id_start..]).await?;
    let first = read_message(stream).await?.ok_or(HandshakeError::Unauthenticated)?;

    // An unknown key id takes the same path as a wrong secret, so that nobody can find out which ids exist.
    let key_id = String::from_utf8_lossy(&theirs[key_id_start..]).into_owned();
    let secret = secrets.secret(&key_id).unwrap_or_else(Secret::generate);
    let mut noise = handshake_state(&[&theirs[..], &ours].concat(), &secret, Side::Responder);
    if noise.read_message(&first, &mut [0; MAX_MESSAGE]).is_err() {
        return refuse(stream, ours).await;
    }
    let mut wire = ours;
    write_noise(&mut noise, &mut wire);
    stream.write_all(&wire).await?;
    let mut session = session(noise);

    let sealed = read_message(stream).await?.ok_or(HandshakeError::Unauthenticated)?;
    let mut bytes = Vec::new();
    if session.opener.open(&sealed, &mut bytes).is_err() {
        return refuse(stream, Vec::new()).await;
    }
    let greeting = Greeting { key_id, bytes };
    let verdict = admit(&greeting);
    let mut answer = vec![if verdict.is_ok() { ACCEPTED } else { DECLINED }];
    match &verdict {
        Ok(ours) => answer.extend_from_slice(ours),
        Err(reason) => answer.extend_from_slice(&reason.as_bytes()[..reason.len().min(MAX_GREETING)]),
    }
    wire.clear();
    seal_message(&mut session.sealer, &answer, &mut wire);
    stream.write_all(&wire).await?;
    match verdict {
        Ok(_) => Ok((session, greeting)),
        Err(reason) => Err(HandshakeError::Refused { reason }),
    }
}

const ACCEPTED: u8 = 1;
const DECLINED: u8 = 0;
/// Room for the verdict and the tag.
const MAX_GREETING: usize = MAX_MESSAGE - TAG - 1;
/// Magic, name, version, length of the key id.
const PREAMBLE: usize = 4 + 8 + 2 + 1;

fn preamble(protocol: Protocol, key_id: &str) -> Vec<u8> {
    let length = u8::try_from(key_id.len()).expect("a key id has at most 255 bytes");
    [&MAGIC[..], &protocol.name, &protocol.version.to_le_bytes(), &[length], key_id.as_bytes()].concat()
}

fn check_preamble(ours: Protocol, bytes: &[u8]) -> Result<(), HandshakeError> {
    if bytes[..4] != MAGIC {
        return Err(HandshakeError::NotFiresteel);
    }
    let name = bytes[4..12].try_into().expect("eight bytes");
    let theirs = Protocol { name, version: u16::from_le_bytes([bytes[12], bytes[13]]) };
    if theirs == ours { Ok(()) } else { Err(HandshakeError::ProtocolMismatch { ours, theirs }) }
}

async fn refuse<T>(stream: &mut (impl AsyncWrite + Unpin), mut before: Vec<u8>) -> Result<T, HandshakeError> {
    before.extend_from_slice(&REFUSED.to_le_bytes());
    stream.write_all(&before).await?;
    stream.shutdown().await?;
    Err(HandshakeError::Unauthenticated)
}

enum Side {
    Initiator,
    Responder,
}

fn handshake_state(prologue: &[u8], secret: &Secret, side: Side) -> HandshakeState {
    let key: Zeroizing<[u8; 32]> = secret.derive_key(KEY_CONTEXT);
    let parameters = NOISE.parse().expect("the pattern's name is right");
    let builder = Builder::new(parameters).psk(0, &key).and_then(|builder| builder.prologue(prologue));
    let state = builder.and_then(|builder| match side {
        Side::Initiator => builder.build_initiator(),
        Side::Responder => builder.build_responder(),
    });
    state.expect("the pattern needs one key, and has it")
}

fn session(noise: HandshakeState) -> Session {
    let noise = Arc::new(noise.into_stateless_transport_mode().expect("both Noise messages are exchanged"));
    Session { sealer: Sealer { noise: noise.clone(), nonce: 0 }, opener: Opener { noise, nonce: 0 } }
}

fn write_noise(noise: &mut HandshakeState, wire: &mut Vec<u8>) {
    let mut message = [0; MAX_MESSAGE];
    let length = noise.write_message(&[], &mut message).expect("it is this side's turn");
    wire.extend_from_slice(&(length as u16).to_le_bytes());
    wire.extend_from_slice(&message[..length]);
}

fn seal_message(sealer: &mut Sealer, plain: &[u8], wire: &mut Vec<u8>) {
    assert!(plain.len() <= MAX_GREETING + 1, "a greeting of {} bytes is too long", plain.len());
    if plain.is_empty() {
        // `seal` makes no record of nothing; a greeting may be nothing, and is a record all the same.
        let mut tag = [0; TAG];
        sealer.noise.write_message(sealer.nonce, &[], &mut tag).expect("a tag fits");
        sealer.nonce += 1;
        wire.extend_from_slice(&(TAG as u16).to_le_bytes());
        wire.extend_from_slice(&tag);
    } else {
        sealer.seal(plain, wire);
    }
}

/// The next message, or nothing if the other side refuses.
async fn read_message(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Vec<u8>>, HandshakeError> {
    match stream.read_u16_le().await? {
        REFUSED => Ok(None),
        length if usize::from(length) > MAX_MESSAGE => Err(HandshakeError::TooLong { length: length.into() }),
        length => {
            let mut message = vec![0; length.into()];
            stream.read_exact(&mut message).await?;
            Ok(Some(message))
        }
    }
}
