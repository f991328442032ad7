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
            let mut value = Chunks::new(BufReader::new(listener.accept()?));
            let written = write(&mut value, &path, &encryption);
            if written.is_err() {
                // The program asks what went wrong when it has sent all; a connection that is closed before would tell it nothing.
                io::copy(&mut value, &mut io::sink())?;
            }
            written
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

fn write(value: &mut impl Read, path: &Path, encryption: &IoEncryption) -> io::Result<()> {
    let mut file = encryption.writer(File::create(path)?);
    io::copy(value, &mut file)?;
    file.finish().map(drop)
}

fn copy(value: &mut impl Read, stream: &mut impl Write) -> io::Result<()> {
    io::copy(value, stream)?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, TcpStream},
        time::Duration,
    };

    use firesteel_io_encryption::KeySize;

    use super::*;

    #[test]
    fn whoever_sends_a_value_that_cannot_be_written_is_told_why_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let nowhere = directory.path().join("gone/broadcast");
        let sockets = Sockets::new(None, Duration::from_secs(60));
        let encryption = IoEncryption::generate(KeySize::Bits128);
        let server = EncryptionServer::start(&sockets, &nowhere, &encryption).unwrap();
        let Address::Port(port, secret) = server.address().clone() else { panic!("sockets of loopback have ports") };
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.write_all(&(secret.len() as u32).to_be_bytes()).unwrap();
        stream.write_all(secret.as_bytes()).unwrap();
        // More than what sockets hold.
        let chunk = vec![7; 1 << 20];
        for _ in 0..16 {
            stream.write_all(&(chunk.len() as i32).to_be_bytes()).unwrap();
            stream.write_all(&chunk).unwrap();
        }
        stream.write_all(&(-1i32).to_be_bytes()).unwrap();
        assert_eq!(server.finish().unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
