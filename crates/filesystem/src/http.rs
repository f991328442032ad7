//! Single files over HTTP and HTTPS, read once from beginning to end: application files, and applications themselves (SS-80,
//! SS-81). Not a file system: there is nothing to list, and input data sets cannot be there.

use std::{
    io::{self, Read},
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes};
use firesteel_model::url_without_secrets;
use reqwest::{Client, Response, StatusCode, Url};
use tokio::runtime::Handle;

use crate::{BoxedError, runtime};

/// A file over HTTP was not opened. Addresses are shown without user, password and query, which may be secrets.
#[derive(Debug, thiserror::Error)]
pub enum OpenHttpError {
    /// The text is no address.
    #[error("{0:?} is not an HTTP address")]
    Address(String),
    /// Threads or the client could not be started.
    #[error("could not set up HTTP")]
    SetUp(#[source] BoxedError),
    /// The server could not be reached or broke off.
    #[error("could not get {address}")]
    Request {
        /// Which file.
        address: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The server answered, and not with the file.
    #[error("the server of {address} answered {status}")]
    Status {
        /// Which file.
        address: String,
        /// What it answered.
        status: StatusCode,
    },
}

/// A server that sends less than this for each second of a whole time-out counts as one that sends nothing: every time-out
/// apart is kept by a byte now and then, and the file would take for ever.
const MIN_BYTES_PER_SECOND: u64 = 1 << 10;

/// A file that is on its way.
#[derive(Debug)]
pub struct HttpFile {
    response: Response,
    handle: Handle,
    chunk: Bytes,
    pace: Pace,
}

impl HttpFile {
    /// Is this an address that [`HttpFile::open`] takes?
    pub fn is_address(text: &str) -> bool {
        let is_scheme =
            |(scheme, _): (&str, &str)| ["http", "https"].iter().any(|http| scheme.eq_ignore_ascii_case(http));
        text.split_once(':').is_some_and(is_scheme)
    }

    /// Asks for a file. Redirections are followed, and the `*_proxy` variables heard. Connecting, and then each wait for
    /// more of the file, may take `time_out`; and in waits of `time_out` together there must come 1 KiB for each second. A file
    /// whose length the server tells thereby ends in time; how much may come of any other, the caller must bound.
    ///
    /// # Errors
    ///
    /// The server cannot be reached, or answers with another status than success. Reading fails with
    /// [`io::ErrorKind::TimedOut`] if the server is too slow.
    pub fn open(address: &str, time_out: Duration) -> Result<Self, OpenHttpError> {
        let url: Url = address.parse().map_err(|_| OpenHttpError::Address(url_without_secrets(address)))?;
        let address = url_without_secrets(address);
        let handle = runtime::shared().map_err(|error| OpenHttpError::SetUp(error.into()))?;
        let client = Client::builder().connect_timeout(time_out).read_timeout(time_out).build();
        let client = client.map_err(|error| OpenHttpError::SetUp(error.into()))?;
        // Timers are made when the request is, and only inside of the runtime.
        let response = handle
            .block_on(async { client.get(url).send().await })
            .map_err(|error| OpenHttpError::Request { address: address.clone(), source: error.without_url() })?;
        match response.status() {
            status if status.is_success() => {
                Ok(Self { response, handle, chunk: Bytes::new(), pace: Pace::new(time_out) })
            }
            status => Err(OpenHttpError::Status { address, status }),
        }
    }
}

impl Read for HttpFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            let asked = Instant::now();
            match self.handle.block_on(self.response.chunk()) {
                Ok(Some(chunk)) => {
                    self.pace.add(asked.elapsed(), chunk.len())?;
                    self.chunk = chunk;
                }
                Ok(None) => return Ok(0),
                Err(error) if error.is_timeout() => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, error.without_url()));
                }
                Err(error) => return Err(io::Error::other(error.without_url())),
            }
        }
        let length = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

/// How fast a file comes. Only waits for the server count: whoever reads may take its time.
#[derive(Debug)]
struct Pace {
    time_out: Duration,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    fn new(time_out: Duration) -> Self {
        Self { time_out, waited: Duration::ZERO, bytes: 0 }
    }

    /// So many bytes came after a wait. An error once a time-out has been waited and too little has come.
    fn add(&mut self, wait: Duration, bytes: usize) -> io::Result<()> {
        self.waited = self.waited.saturating_add(wait);
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.waited < self.time_out {
            return Ok(());
        }
        let (waited, bytes) = (self.waited, self.bytes);
        *self = Self::new(self.time_out);
        if u128::from(bytes) * 1000 >= u128::from(MIN_BYTES_PER_SECOND) * waited.as_millis() {
            return Ok(());
        }
        let message = format!(
            "the server sent {bytes} bytes in {:.1} s, and less than {MIN_BYTES_PER_SECOND} a second is too slow (spark.files.fetchTimeout)",
            waited.as_secs_f64()
        );
        Err(io::Error::new(io::ErrorKind::TimedOut, message))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        net::{TcpListener, TcpStream},
        thread,
    };

    use super::*;

    /// Answers one request with these bytes and says what was asked for.
    fn answer(reply: &'static str) -> (u16, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let asked = read_request(&stream);
            stream.write_all(reply.as_bytes()).unwrap();
            asked
        });
        (port, asked)
    }

    /// Takes a request, and gives its first line.
    fn read_request(stream: &TcpStream) -> String {
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next().unwrap().unwrap();
        lines.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).for_each(drop);
        first
    }

    const TIME_OUT: Duration = Duration::from_secs(60);

    fn get(reply: &'static str) -> (Result<String, String>, String) {
        let (port, asked) = answer(reply);
        let address = format!("http://127.0.0.1:{port}/d/a%20b.txt?secret=1");
        let read = HttpFile::open(&address, TIME_OUT).map_err(|error| error.to_string()).and_then(|mut file| {
            let mut text = String::new();
            file.read_to_string(&mut text).map(|_| text).map_err(|error| error.to_string())
        });
        (read.map_err(|error| error.replace(&port.to_string(), "PORT")), asked.join().unwrap())
    }

    #[test]
    fn a_file_is_read_to_its_end() {
        let (text, asked) = get("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        assert_eq!(text.as_deref(), Ok("hello"));
        assert_eq!(asked, "GET /d/a%20b.txt?secret=1 HTTP/1.1");
        assert_eq!(get("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").0.as_deref(), Ok(""));
    }

    #[test]
    fn what_is_no_file_is_an_error() {
        let (refused, _) = get("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello");
        assert_eq!(refused, Err("the server of http://127.0.0.1:PORT/d/a%20b.txt answered 404 Not Found".to_owned()));
        let (cut_off, _) = get("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
        assert!(cut_off.is_err(), "{cut_off:?}");
        // A port that nobody listens at, and nobody can, as a connection has it.
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = TcpStream::connect(other.local_addr().unwrap()).unwrap();
        let closed = taken.local_addr().unwrap().port();
        let refused = HttpFile::open(&format!("http://127.0.0.1:{closed}/x"), TIME_OUT).unwrap_err();
        assert!(matches!(refused, OpenHttpError::Request { .. }), "{refused:?}");
    }

    #[test]
    fn addresses_are_known() {
        for (text, is) in [("http://h/x", true), ("HTTPS://h", true), ("hdfs://h/x", false), ("/x", false)] {
            assert_eq!(HttpFile::is_address(text), is, "{text}");
        }
    }

    #[test]
    fn a_server_that_sends_next_to_nothing_is_too_slow() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::new(60 * second);
        // A long silence is made good by what comes after it.
        pace.add(59 * second, 10).unwrap();
        pace.add(second, 61_440).unwrap();
        for _ in 0..59 {
            pace.add(second, 1023).unwrap();
        }
        let slow = pace.add(second, 1023).unwrap_err();
        assert_eq!(slow.kind(), io::ErrorKind::TimedOut);
        assert!(slow.to_string().starts_with("the server sent 61380 bytes in 60.0 s, and less than 1024 a"), "{slow}");
        // What comes without a wait never is.
        (0..1000).for_each(|_| pace.add(Duration::ZERO, 1).unwrap());
    }

    #[test]
    fn a_file_that_trickles_ends_in_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/x", listener.local_addr().unwrap());
        let trickling = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            read_request(&stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            // Without end, until the other side hangs up: each byte keeps the time-out of a single wait.
            while stream.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(10));
            }
        });
        let mut file = HttpFile::open(&address, TIME_OUT).unwrap();
        file.pace = Pace::new(Duration::from_millis(100));
        let slow = file.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(slow.kind(), io::ErrorKind::TimedOut, "{slow}");
        drop(file);
        trickling.join().unwrap();
    }
}
