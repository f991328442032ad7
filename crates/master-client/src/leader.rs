//! A conversation with the master that leads, where one answer is not enough: a submission with its files (AS-06).

use std::{
    fs::File,
    io::{self, Read},
    time::Duration,
};

use bytes::Bytes;
use firesteel_model::error_chain;
use firesteel_rpc::{Address, Options, Receiver, Secret, Sender, connect};
use firesteel_standalone::{
    ARTIFACT_PIECE, ArtifactAnswer, ArtifactContent, ArtifactRequest, ArtifactsId, RecoveryState,
    protocol::{ClientAnswer, ClientRequest, FromMaster, ToMaster},
};
use tokio::time::timeout;

use crate::AskError;

/// A connection to the master that leads. What is said to it is said to no other: a driver is never submitted twice.
#[derive(Debug)]
pub struct Leader {
    address: Address,
    sender: Sender<ToMaster>,
    receiver: Receiver<FromMaster>,
    time_out: Duration,
}

/// The conversation has come to nothing.
#[derive(Debug, thiserror::Error)]
pub enum LeaderError {
    /// The master has not answered, so nobody knows what it has done.
    #[error("the master {address} has not answered: {reason}")]
    Lost {
        /// Which.
        address: Address,
        /// What happened.
        reason: String,
    },
    /// The master does not take the files.
    #[error("the master {address} does not take the files of the submission: {reason}")]
    Refused {
        /// Which.
        address: Address,
        /// Why, by its own words.
        reason: String,
    },
    /// The master does not give the files.
    #[error("the master {address} does not have the files of the submission: {reason}")]
    Missing {
        /// Which.
        address: Address,
        /// Why, by its own words.
        reason: String,
    },
    /// A file cannot be read or written here.
    #[error("could not read or write {file}")]
    File {
        /// Which.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Leader {
    /// Connects to whichever of the masters leads. `time_out` is for each of them, and then for each answer.
    pub async fn find(
        masters: &[Address],
        secret: &Secret,
        options: &Options,
        time_out: Duration,
    ) -> Result<Self, AskError> {
        let mut failures = Vec::new();
        for address in masters {
            match timeout(time_out, Self::of(address, secret, options, time_out)).await {
                Ok(Ok(leader)) => return Ok(leader),
                Ok(Err(reason)) => failures.push(format!("{address}: {reason}")),
                Err(_) => failures.push(format!("{address}: no answer within {} s", time_out.as_secs_f64())),
            }
        }
        Err(AskError(failures))
    }

    async fn of(address: &Address, secret: &Secret, options: &Options, time_out: Duration) -> Result<Self, String> {
        let connected = connect::<FromMaster, ToMaster>(address, secret, options).await;
        let (sender, receiver) = connected.map_err(|error| error_chain(&error))?.split();
        let mut leader = Self { address: address.clone(), sender, receiver, time_out };
        match leader.ask(ClientRequest::MasterStatus).await.map_err(|error| error_chain(&error))? {
            ClientAnswer::Master { state: RecoveryState::Alive, .. } => Ok(leader),
            ClientAnswer::Master { state, .. } => Err(format!("it is {state}")),
            other => Err(format!("it has answered something else: {other:?}")),
        }
    }

    /// Which master it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Puts a question.
    pub async fn ask(&mut self, request: ClientRequest) -> Result<ClientAnswer, LeaderError> {
        self.said(ToMaster::Client(request)).await?;
        loop {
            if let FromMaster::Client(answer) = self.heard().await? {
                return Ok(answer);
            }
        }
    }

    /// Brings files, each by its name for people. They are the submission's that names the result, on this connection.
    pub async fn bring(&mut self, files: &mut [(String, ArtifactContent, File)]) -> Result<ArtifactsId, LeaderError> {
        let contents = files.iter().map(|(_, content, _)| *content).collect();
        let id = match self.ask_store(ArtifactRequest::Begin { files: contents }).await? {
            ArtifactAnswer::Begun(begun) => begun.map_err(|reason| self.refused(reason))?,
            other => return Err(self.confused(&other)),
        };
        for (number, (name, content, file)) in files.iter_mut().enumerate() {
            let mut offset = 0;
            while offset < content.length {
                let bytes = piece(file, content.length - offset)
                    .map_err(|source| LeaderError::File { file: name.clone(), source })?;
                let length = bytes.len() as u64;
                let number = number as u32;
                let write = ArtifactRequest::Write { id: id.clone(), file: number, offset, bytes };
                match self.ask_store(write).await? {
                    ArtifactAnswer::Written(written) => written.map_err(|reason| self.refused(reason))?,
                    other => return Err(self.confused(&other)),
                }
                offset += length;
            }
        }
        match self.ask_store(ArtifactRequest::Finish { id: id.clone() }).await? {
            ArtifactAnswer::Finished(finished) => finished.map_err(|reason| self.refused(reason))?,
            other => return Err(self.confused(&other)),
        }
        Ok(id)
    }

    /// Fetches a file that was brought, piece by piece.
    pub async fn fetch(
        &mut self,
        id: &ArtifactsId,
        file: u32,
        length: u64,
        mut write: impl FnMut(&[u8]) -> Result<(), LeaderError>,
    ) -> Result<(), LeaderError> {
        let mut offset = 0;
        while offset < length {
            let wanted = (length - offset).min(ARTIFACT_PIECE as u64) as u32;
            let read = ArtifactRequest::Read { id: id.clone(), file, offset, length: wanted };
            let bytes = match self.ask_store(read).await? {
                ArtifactAnswer::Read(Ok(bytes)) if bytes.len() == wanted as usize => bytes,
                ArtifactAnswer::Read(Ok(_)) => return Err(self.missing("a file is shorter than it was".to_owned())),
                ArtifactAnswer::Read(Err(reason)) => return Err(self.missing(reason)),
                other => return Err(self.confused(&other)),
            };
            write(&bytes)?;
            offset += u64::from(wanted);
        }
        Ok(())
    }

    /// Ends the conversation in good order.
    pub async fn close(self) {
        // A master that is gone needs no word.
        let _ = timeout(self.time_out, self.sender.close()).await;
    }

    async fn ask_store(&mut self, request: ArtifactRequest) -> Result<ArtifactAnswer, LeaderError> {
        self.said(ToMaster::Artifacts(request)).await?;
        loop {
            if let FromMaster::Artifacts(answer) = self.heard().await? {
                return Ok(answer);
            }
        }
    }

    async fn said(&self, message: ToMaster) -> Result<(), LeaderError> {
        match timeout(self.time_out, self.sender.send(&message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.lost(error_chain(&error))),
            Err(_) => Err(self.lost(format!("it takes nothing since {} s", self.time_out.as_secs_f64()))),
        }
    }

    async fn heard(&mut self) -> Result<FromMaster, LeaderError> {
        match timeout(self.time_out, self.receiver.receive()).await {
            Ok(Ok(Some(message))) => Ok(message),
            Ok(Ok(None)) => Err(self.lost("it has closed the connection".to_owned())),
            Ok(Err(error)) => Err(self.lost(error_chain(&error))),
            Err(_) => Err(self.lost(format!("nothing came within {} s", self.time_out.as_secs_f64()))),
        }
    }

    fn lost(&self, reason: String) -> LeaderError {
        LeaderError::Lost { address: self.address.clone(), reason }
    }

    fn refused(&self, reason: String) -> LeaderError {
        LeaderError::Refused { address: self.address.clone(), reason }
    }

    fn missing(&self, reason: String) -> LeaderError {
        LeaderError::Missing { address: self.address.clone(), reason }
    }

    fn confused(&self, answer: &ArtifactAnswer) -> LeaderError {
        self.lost(format!("it has answered something else: {answer:?}"))
    }
}

/// The next bytes of a file; never none.
fn piece(file: &mut File, left: u64) -> io::Result<Bytes> {
    let length = left.min(ARTIFACT_PIECE as u64);
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(length).read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it has become shorter while it was sent"));
    }
    Ok(bytes.into())
}
