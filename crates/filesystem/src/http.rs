//! Single files over HTTP and HTTPS, read once from beginning to end: application files, and applications themselves (SS-80,
//! SS-81). Not a file system: there is nothing to list, and input data sets cannot be there.

use std::{
    io::{self, Read},
    time::Duration,
};

use bytes::{Buf, Bytes};
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

/// A file that is on its way.
#[derive(Debug)]
pub struct HttpFile {
    response: Response,
    handle: Handle,
    chunk: Bytes,
}

impl HttpFile {
    /// Is this an address that [`HttpFile::open`] takes?
    pub fn is_address(text: &str) -> bool {
        let is_scheme =
            |(scheme, _): (&str, &str)| ["http", "https"].iter().any(|http| scheme.eq_ignore_ascii_case(http));
        text.split_once(':').is_some_and(is_scheme)
    }

    /// Asks for a file. Redirections are followed, and the `*_proxy` variables heard. Connecting, and then each wait for
    /// more of the file, may take `time_out`.
    ///
    /// # Errors
    ///
    /// The server cannot be reached, or answers with another status than success.
    pub fn open(address: &str, time_out: Duration) -> Result<Self, OpenHttpError> {
        let url: Url = address.parse().map_err(|_| OpenHttpError::Address(without_secrets(address)))?;
        let address = without_secrets(address);
        let handle = runtime::shared().map_err(|error| OpenHttpError::SetUp(error.into()))?;
        let client = Client::builder().connect_timeout(time_out).read_timeout(time_out).build();
        let client = client.map_err(|error| OpenHttpError::SetUp(error.into()))?;
        // Timers are made when the request is, and only inside of the runtime.
        let response = handle
            .block_on(async { client.get(url).send().await })
            .map_err(|error| OpenHttpError::Request { address: address.clone(), source: error.without_url() })?;
        match response.status() {
            status if status.is_success() => Ok(Self { response, handle, chunk: Bytes::new() }),
            status => Err(OpenHttpError::Status { address, status }),
        }
    }
}

impl Read for HttpFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.handle.block_on(self.response.chunk()) {
                Ok(Some(chunk)) => self.chunk = chunk,
                Ok(None) => return Ok(0),
                Err(error) => return Err(io::Error::other(error.without_url())),
            }
        }
        let length = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

/// An address as it may be shown.
fn without_secrets(address: &str) -> String {
    let plain = address.split(['?', '#']).next().unwrap_or_default();
    match plain.split_once("//") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
            let host = host.rsplit('@').next().unwrap_or_default();
            path.map_or(format!("{scheme}//{host}"), |path| format!("{scheme}//{host}/{path}"))
        }
        None => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        net::TcpListener,
        thread,
    };

    use super::*;

    /// Answers one request with these bytes and says what was asked for.
    fn answer(reply: &'static str) -> (u16, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            lines.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).for_each(drop);
            stream.write_all(reply.as_bytes()).unwrap();
            first
        });
        (port, asked)
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
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let refused = HttpFile::open(&format!("http://127.0.0.1:{closed}/x"), TIME_OUT).unwrap_err();
        assert!(matches!(refused, OpenHttpError::Request { .. }), "{refused:?}");
    }

    #[test]
    fn addresses_are_known_and_shown_without_secrets() {
        for (text, is) in [("http://h/x", true), ("HTTPS://h", true), ("hdfs://h/x", false), ("/x", false)] {
            assert_eq!(HttpFile::is_address(text), is, "{text}");
        }
        for (address, shown) in [
            ("https://user:pass@h:1/a/b?token=1#x", "https://h:1/a/b"),
            ("http://h", "http://h"),
            ("nonsense?x", "nonsense"),
        ] {
            assert_eq!(without_secrets(address), shown);
        }
    }
}
