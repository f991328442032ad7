//! The pages of logs, and their plain text (SA-63).

use std::{fs, io, path::PathBuf};

use axum::{Router, http::StatusCode, response::Response, routing::get};

use crate::{
    Link, LogView, LogWish, Page, Query, Section, answer, error,
    log_files::{DEFAULT_LENGTH, LogFiles, LogPart, read_log},
    plain,
};

/// A part of a log as a page. `query` names the log to this server.
pub fn log_page(title: &str, above: Vec<Link>, query: &[(&str, &str)], wish: LogWish, part: LogPart) -> Page {
    let with = |path: &str, text: &str, more: &[(&str, &str)]| {
        Link::here(text, path, &query.iter().chain(more).copied().collect::<Vec<_>>())
    };
    let LogPart { shown, text, start, end, total } = part;
    let at = |text: &str, offset: u64, length: u64| {
        with("/logPage/", text, &[("offset", &offset.to_string()), ("byteLength", &length.to_string())])
    };
    let before = start.saturating_sub(wish.length);
    let view = LogView {
        older: (start > 0).then(|| at("Load older", before, start - before)),
        newer: Some(at("Load newer", end, wish.length)),
        latest: with("/logPage/", "Latest", &[]),
        plain: with(
            "/log/",
            "Plain text",
            &[("offset", &start.to_string()), ("byteLength", &(end - start).max(1).to_string())],
        ),
        source: with("/log/", "", &[]).url,
        text,
        start,
        end,
        total,
        length: if wish.length > 0 { wish.length } else { DEFAULT_LENGTH },
    };
    Page {
        title: title.to_owned(),
        heading: shown,
        state: None,
        above,
        sections: vec![Section::Log(Box::new(view))],
        for_programs: Vec::new(),
    }
}

/// A part of a log as text, below a line that says which part it is: as Spark has it.
pub fn log_text(part: &LogPart) -> Response {
    let LogPart { shown, text, start, end, total } = part;
    plain(format!("==== Bytes {start}-{end} of {total} of {shown} ====\n{text}"))
}

/// A log that cannot be read, as an answer. What was asked for is not repeated (SE-40).
pub fn log_error(failure: &io::Error) -> Response {
    match failure.kind() {
        io::ErrorKind::NotFound => error(
            StatusCode::NOT_FOUND,
            "There is no such log. It goes with the work directory of its application (spark.worker.cleanup.*).",
        ),
        // A link or a directory that leads elsewhere is among these.
        _ => error(StatusCode::BAD_REQUEST, "This is no log that can be shown."),
    }
}

/// The daemon's own log (AS-25): where its standard error goes, if that is a file. It is asked for by `?self`.
fn own_log() -> io::Result<LogFiles> {
    let path: PathBuf = fs::read_link("/proc/self/fd/2")?;
    let not_found = || io::Error::from(io::ErrorKind::NotFound);
    if !fs::metadata(&path)?.is_file() {
        return Err(not_found());
    }
    let directory = path.parent().ok_or_else(not_found)?;
    LogFiles::open(directory, &[], path.file_name().and_then(|name| name.to_str()).ok_or_else(not_found)?)
}

/// The page of the daemon's own log.
pub async fn own_log_page(title: &str, query: &Query) -> Response {
    let wish = LogWish::of(query);
    match read_log(own_log, wish).await {
        Ok(part) => {
            let above = vec![Link::here("Home", "/", &[])];
            answer(&log_page(title, above, &[("self", ""), ("logType", "out")], wish, part))
        }
        Err(_) => error(StatusCode::NOT_FOUND, NO_OWN_LOG),
    }
}

/// Its plain text.
pub async fn own_log_text(query: &Query) -> Response {
    match read_log(own_log, LogWish::of(query)).await {
        Ok(part) => log_text(&part),
        Err(_) => error(StatusCode::NOT_FOUND, NO_OWN_LOG),
    }
}

const NO_OWN_LOG: &str =
    "The log of this daemon goes to no file that it knows: it was not started by sbin/spark-daemon.sh.";

/// The routes of a daemon that shows no other log than its own.
pub fn own_log_routes<S: Clone + Send + Sync + 'static>(title: &'static str) -> Router<S> {
    let page = move |query: Query| async move { own_log_page(title, &query).await };
    let text = |query: Query| async move { own_log_text(&query).await };
    let router = Router::new().route("/logPage", get(page)).route("/logPage/", get(page));
    router.route("/log", get(text)).route("/log/", get(text))
}
