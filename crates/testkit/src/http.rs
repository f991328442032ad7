//! Just enough HTTP to ask a server on loopback whether it is ready.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// A server that does not answer in this time is asked again.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpReply {
    /// The status code.
    pub status: u16,
    /// The body, as it was sent.
    pub body: String,
}

/// Sends one request without a body, such as `PUT /bucket`, and reads the answer until the server closes the connection.
pub fn http_request(port: u16, method: &str, target: &str) -> io::Result<HttpReply> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "{method} {target} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    let reply = String::from_utf8_lossy(&reply);
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer"))?;
    Ok(HttpReply { status, body: body.to_owned() })
}
