//! A broadcast value of the program, to and from its encrypted file: the program itself cannot encrypt.

use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
    sync::mpsc,
    thread::{self, JoinHandle},
};

use firesteel_io_encryption::IoEncryption;

use super::{Address, Sockets, accept::Listener, chunks::Chunks};

/// Takes a value from one connection, in chunks, and writes it to its file.
pub(crate) struct EncryptionServer {
    address: Address,
    receiver: JoinHandle<io::Result<()>>,
}

impl EncryptionServer {
    pub(crate) fn start(sockets: &Sockets, path: &Path, encryption: &IoEncryption) -> io::Result<Self> {
        let listener = Listener::bind(sockets)?;
        let address = listener.address().clone();
        let (path, encryption) = (PathBuf::from(path), encryption.clone());
        let receive = move || {
            let stream = listener.accept()?;
            let mut file = encryption.writer(File::create(path)?);
            io::copy(&mut Chunks::new(BufReader::new(stream)), &mut file)?;
            file.finish().map(drop)
        };
        let receiver = thread::Builder::new().name("python-encryption".to_owned()).spawn(receive)?;
        Ok(Self { address, receiver })
    }

    /// Where the value goes.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Waits until all of it has come and is in the file.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.receiver.join().unwrap_or_else(|_| Err(io::Error::other("the thread that took the value has panicked")))
    }
}

/// Sends a value from its file to one connection.
pub(crate) struct DecryptionServer {
    address: Address,
    is_sound: mpsc::Receiver<io::Result<()>>,
}

impl DecryptionServer {
    pub(crate) fn start(sockets: &Sockets, path: &Path, encryption: &IoEncryption) -> io::Result<Self> {
        let listener = Listener::bind(sockets)?;
        let address = listener.address().clone();
        let (path, encryption) = (PathBuf::from(path), encryption.clone());
        let (told, is_sound) = mpsc::sync_channel(1);
        let send = move || {
            let prepared = listener.accept().and_then(|stream| {
                // Read to its end before a byte of it is sent, as the program could not be told afterwards what is wrong with it.
                io::copy(&mut encryption.reader(File::open(&path)?), &mut io::sink())?;
                Ok((stream, encryption.reader(File::open(&path)?)))
            });
            let (mut stream, mut value) = match prepared {
                Ok(prepared) => prepared,
                Err(error) => return drop(told.send(Err(error))),
            };
            // The program reads when it knows this. It may also have gone.
            let _ = told.send(Ok(()));
            if let Err(error) = copy(&mut value, &mut stream) {
                tracing::debug!(%error, "a broadcast value was not read to its end");
            }
        };
        thread::Builder::new().name("python-decryption".to_owned()).spawn(send)?;
        Ok(Self { address, is_sound })
    }

    /// Where the value comes from.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Waits until the program has connected and the file has turned out to be what was written: the value is on its way then. That
    /// all of it was sent is not waited for, as Spark does: the program reads only after this, and a large value would stop there.
    pub(crate) fn wait(self) -> io::Result<()> {
        let ended = || io::Error::other("the thread that sends the value has panicked");
        self.is_sound.recv().unwrap_or_else(|_| Err(ended()))
    }
}

fn copy(value: &mut impl Read, stream: &mut impl Write) -> io::Result<()> {
    io::copy(value, stream)?;
    stream.flush()
}
