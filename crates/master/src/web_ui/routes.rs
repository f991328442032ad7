//! What is answered to which request.

use axum::{
    Extension, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use firesteel_http_server::Peer;
use firesteel_model::{ApplicationId, SubmissionId};
use firesteel_standalone::master::MasterEvent;
use firesteel_web_pages::{
    Busy, Gauge, Query, Sort, answer, error, file_routes, json as json_answer, metrics_json, metrics_prometheus,
    own_log_routes, prometheus,
};

use super::{
    KillRights, MasterWebUi, json, metrics, pages,
    view::{ApplicationView, MasterView},
};

/// Each path is there with and without a slash at its end, as links in the field have both.
pub(super) fn router(ui: MasterWebUi) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/app", get(application))
        .route("/app/", get(application))
        .route("/json", get(all_json))
        .route("/json/", get(all_json))
        .route("/json/{field}", get(one_json))
        .route("/json/{field}/", get(one_json))
        .route("/app/kill", post(kill_application))
        .route("/app/kill/", post(kill_application))
        .route("/driver/kill", post(kill_driver))
        .route("/driver/kill/", post(kill_driver))
        .route("/metrics/{source}/{format}", get(metrics_of))
        .route("/metrics/{source}/{format}/", get(metrics_of))
        .merge(file_routes())
        .merge(own_log_routes("Master log"))
        .fallback(async || error(StatusCode::NOT_FOUND, "There is no such page."))
        .with_state(ui)
}

impl MasterWebUi {
    async fn view(&self) -> Result<MasterView, Busy> {
        self.master.look(MasterView::of).await.ok_or(Busy)
    }

    fn may_kill(&self, peer: Peer) -> bool {
        match self.kill {
            KillRights::Nobody => false,
            KillRights::ThisMachine => peer.is_local,
            KillRights::Everyone => true,
        }
    }

    /// Why a request that wants something to end is not heard.
    fn refusal(&self, peer: Peer) -> Option<Response> {
        let text = match self.kill {
            _ if self.may_kill(peer) => return None,
            KillRights::Nobody => "Nothing can be ended here: spark.ui.killEnabled of the master says so.",
            KillRights::ThisMachine | KillRights::Everyone => {
                "Only who is on the master's machine can end something here, unless spark.ui.killEnabled of the master is true."
            }
        };
        Some(error(StatusCode::FORBIDDEN, text))
    }
}

async fn home(State(ui): State<MasterWebUi>, Extension(peer): Extension<Peer>, query: Query) -> Result<Response, Busy> {
    let view = ui.view().await?;
    Ok(answer(&pages::home(&view, &Sort::parse(query.get("sort")), ui.may_kill(peer))))
}

async fn application(
    State(ui): State<MasterWebUi>,
    Extension(peer): Extension<Peer>,
    query: Query,
) -> Result<Response, Busy> {
    let id = ApplicationId::from(query.get("appId"));
    let found = ui.master.look(move |master| ApplicationView::of(master, &id)).await.ok_or(Busy)?;
    Ok(match found {
        Some(view) => answer(&pages::application(&view, &Sort::parse(query.get("sort")), ui.may_kill(peer))),
        None => error(StatusCode::NOT_FOUND, "The master knows no application with this id, or has forgotten it."),
    })
}

async fn all_json(State(ui): State<MasterWebUi>) -> Result<Response, Busy> {
    Ok(json_answer(&json::master(&ui.view().await?)))
}

async fn one_json(State(ui): State<MasterWebUi>, Path(field): Path<String>) -> Result<Response, Busy> {
    let view = ui.view().await?;
    if field == "clusterutilization" {
        return Ok(json_answer(&json::utilization(&view)));
    }
    let mut all = json::master(&view);
    Ok(match all.get_mut(&field) {
        Some(value) => json_answer(&serde_json::json!({ field: value.take() })),
        None => error(StatusCode::NOT_FOUND, "/json/ has no such field."),
    })
}

async fn metrics_of(
    State(ui): State<MasterWebUi>,
    Path((source, format)): Path<(String, String)>,
) -> Result<Response, Busy> {
    let gauges: fn(&MasterView) -> Vec<Gauge> = match source.as_str() {
        "master" => metrics::master,
        "applications" => metrics::applications,
        _ => return Ok(error(StatusCode::NOT_FOUND, "There are metrics of master and of applications.")),
    };
    let gauges = gauges(&ui.view().await?);
    Ok(match format.as_str() {
        "json" => json_answer(&metrics_json(gauges)),
        "prometheus" => prometheus(metrics_prometheus(&gauges)),
        _ => error(StatusCode::NOT_FOUND, "Metrics are there as json and as prometheus."),
    })
}

async fn kill_application(ui: State<MasterWebUi>, peer: Extension<Peer>, query: Query, body: Bytes) -> Response {
    kill(ui, peer, query, body, |id| MasterEvent::KillApplication { application_id: ApplicationId::from(id) }).await
}

async fn kill_driver(ui: State<MasterWebUi>, peer: Extension<Peer>, query: Query, body: Bytes) -> Response {
    kill(ui, peer, query, body, |id| MasterEvent::KillDriver { submission_id: SubmissionId::from(id) }).await
}

/// `id` and `terminate=true` are in the form or in the query.
async fn kill(
    State(ui): State<MasterWebUi>,
    Extension(peer): Extension<Peer>,
    query: Query,
    body: Bytes,
    event: impl FnOnce(&str) -> MasterEvent,
) -> Response {
    if let Some(refusal) = ui.refusal(peer) {
        return refusal;
    }
    let form = Query::parse(&body);
    let wish = if form.has("id") { form } else { query };
    if wish.get("id").is_empty() || wish.get("terminate") != "true" {
        return error(StatusCode::BAD_REQUEST, "A request to end something says id and terminate=true.");
    }
    let event = event(wish.get("id"));
    tracing::info!(?event, from = %peer.address, "somebody has asked for this by the web UI");
    if !ui.master.tell(event).await {
        return Busy.into_response();
    }
    Redirect::to("/").into_response()
}
