//! One connection, from its first byte to its end.

use std::{convert::Infallible, future::Future, net::SocketAddr, pin::pin, sync::Arc};

use axum::{
    Router,
    body::{Body, HttpBody},
    http::{Request, Response, StatusCode, header},
    response::IntoResponse,
};
use http_body_util::Limited;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::{sleep, timeout},
};
use tower_service::Service;

use crate::{Limits, Origins, Tls, headers, server::told, stall::StallTimeOut};

/// Who has connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) is_local: bool,
}

/// Who has sent a request; each one has it among its extensions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Where it comes from: a proxy's address, if there is one.
    pub address: SocketAddr,
    /// It is encrypted.
    pub https: bool,
    /// It comes from this machine, and no proxy has said that it has it from somewhere else.
    pub is_local: bool,
}

/// What a proxy says.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// What all connections of a server have in common.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) router: Router,
    pub(crate) limits: Limits,
    pub(crate) origins: Origins,
    pub(crate) tls: Option<Tls>,
}

/// Answers whatever comes over one connection, until it ends or `stopping` says that it must.
pub(crate) async fn serve<S>(site: Arc<Site>, client: Client, stream: S, stopping: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = StallTimeOut::new(stream, site.limits.stall_time_out);
    match &site.tls {
        None => answer_all(Arc::clone(&site), client, false, stream, stopping).await,
        Some(tls) => match timeout(site.limits.head_time_out, tls.accept(stream)).await {
            Ok(Ok(stream)) => answer_all(Arc::clone(&site), client, true, stream, stopping).await,
            Ok(Err(error)) => {
                tracing::debug!(address = %client.address, %error, "a peer does not speak TLS as it should")
            }
            Err(_) => tracing::debug!(address = %client.address, "a peer was too slow for TLS"),
        },
    }
}

async fn answer_all<S>(site: Arc<Site>, client: Client, https: bool, stream: S, mut stopping: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Limits { head_time_out, max_head_bytes, max_age, stop_time_out, .. } = site.limits;
    let service = service_fn(|request: Request<Incoming>| {
        let forwarded = FORWARDED.iter().any(|name| request.headers().contains_key(*name));
        let peer = Peer { address: client.address, https, is_local: client.is_local && !forwarded };
        let site = Arc::clone(&site);
        async move { Ok::<_, Infallible>(site.answer(peer, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_time_out)
        .max_buf_size(max_head_bytes)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = told(&mut stopping) => None,
        () = sleep(max_age) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            match timeout(stop_time_out, connection).await {
                Ok(ended) => ended,
                Err(_) => return tracing::debug!(?client, "an answer has taken too long, and its connection is cut"),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(?client, error = firesteel_model::error_chain(&error), "a connection has failed");
    }
}

impl Site {
    async fn answer(&self, peer: Peer, request: Request<Incoming>) -> Response<Body> {
        let mut response = match self.refuse(peer, &request) {
            Some(refusal) => refusal,
            None => self.route(peer, request).await,
        };
        headers::put(response.headers_mut());
        response
    }

    fn refuse(&self, peer: Peer, request: &Request<Incoming>) -> Option<Response<Body>> {
        let limit = self.limits.max_body_bytes;
        if request.body().size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
            let text = format!("the body is longer than {limit} bytes\n");
            // What is left of it would be taken for the next request.
            return Some((StatusCode::PAYLOAD_TOO_LARGE, [(header::CONNECTION, "close")], text).into_response());
        }
        let checked = self.origins.check(request.method(), request.headers(), peer.https);
        checked.err().map(|foreign| (StatusCode::FORBIDDEN, format!("{foreign}\n")).into_response())
    }

    fn route(&self, peer: Peer, request: Request<Incoming>) -> impl Future<Output = Response<Body>> + use<> {
        let limit = self.limits.max_body_bytes;
        let mut request = request.map(|body| Body::new(Limited::new(body, limit)));
        request.extensions_mut().insert(peer);
        // A router is ready at all times.
        let routed = timeout(self.limits.request_time_out, self.router.clone().call(request));
        async move {
            match routed.await {
                Ok(Ok(response)) => response,
                Err(_) => {
                    let text = "no answer was found in time\n";
                    (StatusCode::SERVICE_UNAVAILABLE, [(header::CONNECTION, "close")], text).into_response()
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
