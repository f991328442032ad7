//! What is answered to which request.

use std::io;

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::get,
};
use firesteel_web_pages::{
    Busy, Link, LogFiles, LogPart, LogWish, Query, Sort, answer, error, file_routes, json as json_answer, log_error,
    log_page, log_text, metrics_json, metrics_prometheus, own_log_page, own_log_text, prometheus, read_log,
};

use super::{json, metrics, page, view::WorkerView};
use crate::WorkerHandle;

/// Each path is there with and without a slash at its end, as links in the field have both.
pub(super) fn router(worker: WorkerHandle) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/json", get(all_json))
        .route("/json/", get(all_json))
        .route("/json/{field}", get(one_json))
        .route("/json/{field}/", get(one_json))
        .route("/metrics/{format}", get(metrics_of))
        .route("/metrics/{format}/", get(metrics_of))
        .route("/logPage", get(page_of_log))
        .route("/logPage/", get(page_of_log))
        .route("/log", get(text_of_log))
        .route("/log/", get(text_of_log))
        .merge(file_routes())
        .fallback(async || error(StatusCode::NOT_FOUND, "There is no such page."))
        .with_state(worker)
}

async fn view_of(worker: &WorkerHandle) -> Result<WorkerView, Busy> {
    worker.look(WorkerView::of).await.ok_or(Busy)
}

async fn home(State(worker): State<WorkerHandle>, query: Query) -> Result<Response, Busy> {
    Ok(answer(&page::home(&view_of(&worker).await?, &Sort::parse(query.get("sort")))))
}

async fn all_json(State(worker): State<WorkerHandle>) -> Result<Response, Busy> {
    Ok(json_answer(&json::worker(&view_of(&worker).await?)))
}

async fn one_json(State(worker): State<WorkerHandle>, Path(field): Path<String>) -> Result<Response, Busy> {
    let mut all = json::worker(&view_of(&worker).await?);
    Ok(match all.get_mut(&field) {
        Some(value) => json_answer(&serde_json::json!({ field: value.take() })),
        None => error(StatusCode::NOT_FOUND, "/json/ has no such field."),
    })
}

async fn metrics_of(State(worker): State<WorkerHandle>, Path(format): Path<String>) -> Result<Response, Busy> {
    let gauges = metrics::worker(&view_of(&worker).await?);
    Ok(match format.as_str() {
        "json" => json_answer(&metrics_json(gauges)),
        "prometheus" => prometheus(metrics_prometheus(&gauges)),
        _ => error(StatusCode::NOT_FOUND, "Metrics are there as json and as prometheus."),
    })
}

/// Which log a query names: that of an executor, or that of a driver.
struct Log {
    directories: Vec<String>,
    name: &'static str,
}

impl Log {
    /// SE-59: only these two names, and directories that are opened one by one.
    fn of(query: &Query) -> io::Result<Self> {
        let not_a_log = || io::Error::from(io::ErrorKind::InvalidInput);
        let name = match query.get("logType") {
            "stdout" => "stdout",
            "stderr" => "stderr",
            _ => return Err(not_a_log()),
        };
        let directories = match (query.get("appId"), query.get("executorId"), query.get("driverId")) {
            (application, executor, "") if !application.is_empty() && !executor.is_empty() => {
                vec![application.to_owned(), executor.to_owned()]
            }
            ("", "", driver) if !driver.is_empty() => vec![driver.to_owned()],
            _ => return Err(not_a_log()),
        };
        Ok(Self { directories, name })
    }

    fn query(&self) -> Vec<(&str, &str)> {
        let names: &[&str] = if self.directories.len() == 2 { &["appId", "executorId"] } else { &["driverId"] };
        let directories = names.iter().copied().zip(self.directories.iter().map(String::as_str));
        directories.chain([("logType", self.name)]).collect()
    }

    async fn read(&self, worker: &WorkerHandle, wish: LogWish) -> io::Result<LogPart> {
        let (root, directories, name) = (worker.work_directory().clone(), self.directories.clone(), self.name);
        let open = move || {
            let directories: Vec<&str> = directories.iter().map(String::as_str).collect();
            LogFiles::open(&root, &directories, name)
        };
        read_log(open, wish).await
    }
}

async fn page_of_log(State(worker): State<WorkerHandle>, query: Query) -> Response {
    if query.has("self") {
        return own_log_page("Worker log", &query).await;
    }
    match read(&worker, &query).await {
        Ok((log, wish, part)) => {
            let above = vec![Link::here("Back to Worker", "/", &[])];
            let title = format!("{} log page for {}", log.name, log.directories.join("/"));
            answer(&log_page(&title, above, &log.query(), wish, part))
        }
        Err(failure) => log_error(&failure),
    }
}

async fn text_of_log(State(worker): State<WorkerHandle>, query: Query) -> Response {
    if query.has("self") {
        return own_log_text(&query).await;
    }
    match read(&worker, &query).await {
        Ok((_, _, part)) => log_text(&part),
        Err(failure) => log_error(&failure),
    }
}

async fn read(worker: &WorkerHandle, query: &Query) -> io::Result<(Log, LogWish, LogPart)> {
    let (log, wish) = (Log::of(query)?, LogWish::of(query));
    let part = log.read(worker, wish).await?;
    Ok((log, wish, part))
}
