//! A server on loopback, asked by a real client.

use std::{fs, net::IpAddr, time::Duration};

use axum::{Router, routing::get};
use firesteel_http_server::{HttpServer, HttpServerOptions, Limits, Origins, StartHttpServerError, Tls, resolve};
use firesteel_rpc::Ports;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn options(ports: Ports) -> HttpServerOptions {
    HttpServerOptions {
        addresses: vec![LOOPBACK],
        ports,
        limits: Limits::default(),
        origins: Origins::default(),
        tls: None,
    }
}

fn router() -> Router {
    Router::new().route("/", get(|| async { "here" }))
}

#[tokio::test]
async fn a_taken_port_is_followed_by_the_next_one_or_said() {
    let first = HttpServer::start(options(0.into()), router()).unwrap();
    let port = first.port();
    let taken = HttpServer::start(options(port.into()), router()).unwrap_err();
    assert!(matches!(taken, StartHttpServerError::Bind { .. }));
    assert!(taken.to_string().contains(&format!("port {port} of 127.0.0.1")), "{taken}");
    let second = HttpServer::start(options(Ports { port, max_retries: 16 }), router()).unwrap();
    assert_ne!(second.port(), port);
    let text = reqwest::get(second.url("127.0.0.1")).await.unwrap().text().await.unwrap();
    assert_eq!(text, "here");
    second.stop().await;
    first.stop().await;
    HttpServer::start(options(port.into()), router()).unwrap();
}

#[tokio::test]
async fn one_port_serves_several_addresses() {
    let addresses = vec![LOOPBACK, "127.0.0.2".parse().unwrap()];
    let server = HttpServer::start(HttpServerOptions { addresses, ..options(0.into()) }, router()).unwrap();
    for host in ["127.0.0.1", "127.0.0.2"] {
        let url = format!("http://{host}:{}/", server.port());
        assert_eq!(reqwest::get(url).await.unwrap().text().await.unwrap(), "here");
    }
    assert_eq!(server.url("::1"), format!("http://[::1]:{}", server.port()));
    assert_eq!(resolve("[::1]").await.unwrap(), [IpAddr::from(std::net::Ipv6Addr::LOCALHOST)]);
}

/// A bound that is reached makes others wait, and the first who waits is served when a connection has ended.
#[tokio::test]
async fn connections_are_bounded() {
    let limits = Limits { max_connections: 1, ..Limits::default() };
    let server = HttpServer::start(HttpServerOptions { limits, ..options(0.into()) }, router()).unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut first = TcpStream::connect(server.addresses()[0]).await.unwrap();
    first.write_all(request).await.unwrap();
    let mut buffer = [0; 4096];
    assert!(first.read(&mut buffer).await.unwrap() > 0);
    let mut second = TcpStream::connect(server.addresses()[0]).await.unwrap();
    second.write_all(request).await.unwrap();
    let mut third = TcpStream::connect(server.addresses()[0]).await.unwrap();
    third.write_all(request).await.unwrap();
    drop(first);
    assert!(second.read(&mut buffer).await.unwrap() > 0);
    drop(second);
    assert!(third.read(&mut buffer).await.unwrap() > 0);
    drop(third);
    server.stop().await;
}

#[tokio::test]
async fn with_a_certificate_it_speaks_tls_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let generated = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    fs::write(&certificate, generated.cert.pem()).unwrap();
    fs::write(&key, generated.signing_key.serialize_pem()).unwrap();
    let tls = Some(Tls::read(&certificate, &key).unwrap());
    let server = HttpServer::start(HttpServerOptions { tls, ..options(0.into()) }, router()).unwrap();
    let root = reqwest::Certificate::from_pem(generated.cert.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().add_root_certificate(root).build().unwrap();
    let url = server.url("127.0.0.1");
    assert!(url.starts_with("https://"));
    assert_eq!(client.get(url).send().await.unwrap().text().await.unwrap(), "here");
    // It has no other way in.
    assert!(reqwest::get(format!("http://127.0.0.1:{}/", server.port())).await.is_err());
    server.stop().await;

    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&key, other.signing_key.serialize_pem()).unwrap();
    assert!(Tls::read(&certificate, &key).unwrap_err().to_string().contains("does not go with"));
    fs::write(&certificate, "").unwrap();
    assert!(Tls::read(&certificate, &key).unwrap_err().to_string().contains("has no certificate"));
    fs::remove_file(&certificate).unwrap();
    assert!(Tls::read(&certificate, &key).unwrap_err().to_string().contains("could not read certificates"));
}

#[tokio::test]
async fn who_waits_for_a_request_is_told_when_the_server_ends() {
    let server = HttpServer::start(options(0.into()), router()).unwrap();
    let mut idle = TcpStream::connect(server.addresses()[0]).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut buffer = [0; 4096];
    assert!(idle.read(&mut buffer).await.unwrap() > 0);
    let stopped = tokio::time::timeout(Duration::from_secs(60), server.stop());
    stopped.await.expect("the server ends although a connection is open");
    assert_eq!(idle.read(&mut buffer).await.unwrap(), 0);
}
