//! Connections in memory, on a clock that only moves when nothing else does.

use std::{convert::Infallible, pin::Pin, task::Poll, time::Duration};

use axum::{
    Extension,
    body::Bytes,
    routing::{get, post},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split},
    task::JoinHandle,
    time::Instant,
};

use super::*;

const HEAD: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

const LOCAL: super::Client =
    super::Client { address: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9), is_local: true };

struct Connected {
    reader: ReadHalf<DuplexStream>,
    writer: WriteHalf<DuplexStream>,
    served: JoinHandle<()>,
    stopping: watch::Sender<bool>,
}

fn connect(limits: Limits) -> Connected {
    let router = Router::new()
        .route("/", get(|Extension(peer): Extension<Peer>| async move { format!("hello {}", peer.is_local) }))
        .route("/length", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/late", get(|| async { sleep(Duration::from_secs(2)).await }))
        .route("/never", get(std::future::pending::<()>))
        .route("/endless", get(|| async { Body::new(Endless) }));
    let site = Arc::new(Site { router, limits, origins: Origins::default(), tls: None });
    let (client, server) = duplex(1 << 10);
    let (stopping, stopped) = watch::channel(false);
    let served = tokio::spawn(serve(site, LOCAL, server, stopped));
    let (reader, writer) = split(client);
    Connected { reader, writer, served, stopping }
}

/// Bytes without an end.
struct Endless;

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(hyper::body::Frame::data(Bytes::from_static(&[7; 4096])))))
    }
}

impl Connected {
    async fn send(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).await.unwrap();
    }

    /// All that comes until the server closes the connection.
    async fn rest(mut self) -> String {
        let mut bytes = Vec::new();
        self.reader.read_to_end(&mut bytes).await.unwrap();
        self.served.await.unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_has_the_headers_of_safety_and_says_where_it_was_asked_from() {
    let mut client = connect(Limits::default());
    client.send(HEAD).await;
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello true"), "{answer}");
    for field in
        ["content-security-policy: default-src 'none';", "x-content-type-options: nosniff", "cache-control: no-store"]
    {
        assert!(answer.contains(field), "{field}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_sends_a_head_byte_by_byte_is_cut_off() {
    let begun = Instant::now();
    let mut client = connect(Limits::default());
    let mut bytes = HEAD.bytes().cycle().filter(|byte| !byte.is_ascii_control());
    // Each byte comes in good time; all of them do not.
    while !client.served.is_finished() {
        let byte = bytes.next().unwrap();
        // The connection may have ended meanwhile.
        let _ = client.writer.write_all(&[byte]).await;
        sleep(Duration::from_secs(1)).await;
    }
    let lasted = begun.elapsed().as_secs();
    assert!((15..=17).contains(&lasted), "{lasted}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_ends_before_and_after_an_answer() {
    let begun = Instant::now();
    assert_eq!(connect(Limits::default()).rest().await, "");
    assert_eq!(begun.elapsed().as_secs(), 15);
    let mut client = connect(Limits::default());
    client.send(HEAD).await;
    client.rest().await;
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_slowly_or_is_too_long_is_not_waited_for() {
    let post = |length: usize| format!("POST /length HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    let mut client = connect(Limits::default());
    client.send(&post(5)).await;
    client.send("12345").await;
    assert!(client.rest().await.ends_with("\r\n5"));

    let begun = Instant::now();
    let mut client = connect(Limits::default());
    client.send(&post(5)).await;
    client.send("1234").await;
    assert!(client.rest().await.starts_with("HTTP/1.1 503 "));
    assert_eq!(begun.elapsed().as_secs(), 30);

    let limits = Limits { max_body_bytes: 8, ..Limits::default() };
    let mut client = connect(limits.clone());
    client.send(&post(9)).await;
    assert!(client.rest().await.starts_with("HTTP/1.1 413 "));
    // Its length is not said.
    let mut client = connect(limits);
    client.send("POST /length HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    client.send("9\r\n123456789\r\n0\r\n\r\n").await;
    assert!(client.rest().await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_too_large_is_refused() {
    let mut client = connect(Limits { max_head_bytes: 8 << 10, ..Limits::default() });
    let text = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(16 << 10));
    let mut answer = Vec::new();
    // It need not take all of it.
    let (_, read) = tokio::join!(client.writer.write_all(text.as_bytes()), client.reader.read_to_end(&mut answer));
    read.unwrap();
    client.served.await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_of_an_answer_is_cut_off_and_so_is_who_takes_it_for_ever() {
    let begun = Instant::now();
    let mut client = connect(Limits::default());
    client.send("GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    client.served.await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 30);

    let mut client = connect(Limits { max_age: Duration::from_secs(100), ..Limits::default() });
    client.send("GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let begun = Instant::now();
    let mut buffer = [0; 1 << 10];
    while client.reader.read(&mut buffer).await.is_ok_and(|length| length > 0) {
        sleep(Duration::from_millis(500)).await;
    }
    client.served.await.unwrap();
    let lasted = begun.elapsed().as_secs();
    assert!((100..=105).contains(&lasted), "{lasted}");
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_never_ready_is_answered_all_the_same() {
    let mut client = connect(Limits::default());
    client.send("GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(client.rest().await.starts_with("HTTP/1.1 503 "));
}

#[tokio::test(start_paused = true)]
async fn what_is_being_answered_is_answered_when_the_server_ends() {
    let mut client = connect(Limits::default());
    client.send("GET /late HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    // The clock moves when the request has been read.
    sleep(Duration::from_secs(1)).await;
    client.stopping.send(true).unwrap();
    assert!(client.rest().await.starts_with("HTTP/1.1 200 OK\r\n"));
    let begun = Instant::now();
    let mut client = connect(Limits::default());
    client.send("GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    sleep(Duration::from_secs(1)).await;
    client.stopping.send(true).unwrap();
    assert_eq!(client.rest().await, "");
    assert_eq!(begun.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_form_of_a_foreign_page_is_refused() {
    let mut client = connect(Limits::default());
    let head = "POST /length HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n\r\n";
    client.send(head).await;
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("spark.ui.trustedOrigins"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn who_comes_through_a_proxy_is_not_taken_for_local() {
    let mut client = connect(Limits::default());
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 10.0.0.9\r\n\r\n").await;
    assert!(client.rest().await.ends_with("hello false"));
}
