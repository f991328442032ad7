//! Starts a server, lets connections in, and ends it.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener as StdListener},
    sync::Arc,
    time::Duration,
};

use axum::{Router, extract::DefaultBodyLimit};
use firesteel_rpc::Ports;
use tokio::{
    net::{TcpListener, TcpStream, lookup_host},
    runtime::Handle,
    sync::{Semaphore, watch},
    task::{JoinHandle, JoinSet},
    time::sleep,
};

use crate::{
    Limits, Origins, Tls,
    connection::{Client, Site, serve},
};

/// Where a server listens, and what it bears.
#[derive(Debug)]
pub struct HttpServerOptions {
    /// The addresses to listen at; all have the same port.
    pub addresses: Vec<IpAddr>,
    /// Which port.
    pub ports: Ports,
    /// How much it bears.
    pub limits: Limits,
    /// Whose requests may change something.
    pub origins: Origins,
    /// Encryption; none is HTTP in clear.
    pub tls: Option<Tls>,
}

/// The server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartHttpServerError {
    /// A name leads nowhere.
    #[error("the name {host} leads to no address of this machine")]
    Resolve {
        /// The name.
        host: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No port could be had.
    #[error("could not listen at {ports} of {}; is it taken, or the address not of this machine?", listed(addresses))]
    Bind {
        /// At which addresses.
        addresses: Vec<IpAddr>,
        /// At which ports.
        ports: Ports,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn listed(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" and ")
}

/// A running server. Dropping it ends it without a word; [`Self::stop`] is the better way.
#[derive(Debug)]
pub struct HttpServer {
    addresses: Vec<SocketAddr>,
    https: bool,
    stopping: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

/// How long is waited where the system has no connection for the server because it has no more files: others end meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The addresses that a name leads to, or the address that it is.
pub async fn resolve(host: &str) -> Result<Vec<IpAddr>, StartHttpServerError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse() {
        return Ok(vec![address]);
    }
    let failed = |source| StartHttpServerError::Resolve { host: host.to_owned(), source };
    let mut found: Vec<IpAddr> = lookup_host((host, 0)).await.map_err(failed)?.map(|address| address.ip()).collect();
    found.sort();
    found.dedup();
    if found.is_empty() { Err(failed(io::ErrorKind::NotFound.into())) } else { Ok(found) }
}

/// A server that listens and does not answer yet: whoever connects waits. So its address is known before its pages are there.
#[derive(Debug)]
pub struct BoundHttpServer {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    limits: Limits,
    origins: Origins,
    tls: Option<Tls>,
}

impl BoundHttpServer {
    /// Listens. Must be called in a tokio runtime.
    pub fn bind(options: HttpServerOptions) -> Result<Self, StartHttpServerError> {
        let HttpServerOptions { addresses, ports, limits, origins, tls } = options;
        let bound = bind(&addresses, ports).and_then(|listeners| {
            let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<Vec<_>>>()?;
            Ok((listeners, addresses))
        });
        let (listeners, addresses) = bound.map_err(|source| StartHttpServerError::Bind { addresses, ports, source })?;
        Ok(Self { listeners, addresses, limits, origins, tls })
    }

    /// `http://host:port` with the name that others reach it by.
    pub fn url(&self, host: &str) -> String {
        url_of(self.tls.is_some(), host, &self.addresses)
    }

    /// Answers with what the router says.
    pub fn serve(self, router: Router) -> HttpServer {
        let Self { listeners, addresses, limits, origins, tls } = self;
        let https = tls.is_some();
        // The limit of bodies is this crate's.
        let router = router.layer(DefaultBodyLimit::disable());
        let (stopping, stopped) = watch::channel(false);
        let site = Arc::new(Site { router, limits, origins, tls });
        let accepting = Handle::current().spawn(accept_all(listeners, site, stopped));
        HttpServer { addresses, https, stopping, accepting }
    }
}

impl HttpServer {
    /// Listens, and answers with what the router says. Must be called in a tokio runtime.
    pub fn start(options: HttpServerOptions, router: Router) -> Result<Self, StartHttpServerError> {
        Ok(BoundHttpServer::bind(options)?.serve(router))
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The port of all its addresses.
    pub fn port(&self) -> u16 {
        self.addresses.first().map_or(0, SocketAddr::port)
    }

    /// `http://host:port` with the name that others reach it by.
    pub fn url(&self, host: &str) -> String {
        url_of(self.https, host, &self.addresses)
    }

    /// Takes nothing more, sees through what is being answered, and ends.
    pub async fn stop(mut self) {
        // Whoever listened to it has ended.
        let _ = self.stopping.send(true);
        // It has ended, or panicked, and is gone either way.
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn url_of(https: bool, host: &str, addresses: &[SocketAddr]) -> String {
    let scheme = if https { "https" } else { "http" };
    let port = addresses.first().map_or(0, SocketAddr::port);
    let is_bare_v6 = host.parse::<std::net::Ipv6Addr>().is_ok();
    if is_bare_v6 { format!("{scheme}://[{host}]:{port}") } else { format!("{scheme}://{host}:{port}") }
}

/// Listens at all addresses at the first port that is free at all of them.
fn bind(addresses: &[IpAddr], ports: Ports) -> io::Result<Vec<TcpListener>> {
    let listeners = ports.listen(|mut port| {
        let mut listeners = Vec::with_capacity(addresses.len());
        for address in addresses {
            let listener = StdListener::bind((*address, port))?;
            // The first one decides if the system chooses.
            port = listener.local_addr()?.port();
            listeners.push(listener);
        }
        Ok(listeners)
    })?;
    let listeners = listeners.into_iter().map(|listener| {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    });
    listeners.collect()
}

/// One that has an address of this machine is on this machine.
fn client_of(stream: &TcpStream, peer: SocketAddr) -> Client {
    let is_own = stream.local_addr().is_ok_and(|own| own.ip() == peer.ip());
    Client { address: peer, is_local: is_own || peer.ip().to_canonical().is_loopback() }
}

/// Waits until the server is to end.
pub(crate) async fn told(stopping: &mut watch::Receiver<bool>) {
    // An error says that the server is gone.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

async fn accept_all(listeners: Vec<TcpListener>, site: Arc<Site>, stopping: watch::Receiver<bool>) {
    // One bound for all addresses.
    let room = Arc::new(Semaphore::new(site.limits.max_connections));
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(listener, Arc::clone(&site), Arc::clone(&room), stopping.clone()));
    }
    while accepting.join_next().await.is_some() {}
}

async fn accept(listener: TcpListener, site: Arc<Site>, room: Arc<Semaphore>, stopping: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let mut stop = stopping.clone();
    loop {
        let next = async {
            let accepted = listener.accept().await;
            // One that was accepted waits here; the others wait in the backlog.
            (accepted, Arc::clone(&room).acquire_owned().await)
        };
        tokio::select! {
            (accepted, place) = next => match accepted {
                Ok((stream, peer)) => {
                    // Answers are written whole; without it they are only later.
                    let _ = stream.set_nodelay(true);
                    let served = serve(Arc::clone(&site), client_of(&stream, peer), stream, stopping.clone());
                    connections.spawn(async move {
                        served.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            () = told(&mut stop) => break,
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    // Each has a time for what it is about.
    while connections.join_next().await.is_some() {}
}
