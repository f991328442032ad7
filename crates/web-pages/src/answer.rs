//! Answers.

use askama::Template;
use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::Value;

use crate::{Fact, Notice, Page, Section, Tone};

/// A page as an answer.
pub fn answer(page: &Page) -> Response {
    with_status(StatusCode::OK, page)
}

/// A page that says what is wrong.
pub fn error(status: StatusCode, text: &str) -> Response {
    let heading = status.canonical_reason().unwrap_or("Error").to_owned();
    let notice = Notice { tone: Tone::Bad, heading: heading.clone(), text: text.to_owned(), link: None };
    let above = vec![crate::Link::here("Home", "/", &[])];
    let facts = Section::Facts(Vec::<Fact>::new());
    let sections = vec![Section::Notice(notice), facts];
    with_status(status, &Page { title: heading.clone(), heading, state: None, above, sections, for_programs: vec![] })
}

fn with_status(status: StatusCode, page: &Page) -> Response {
    match page.render() {
        Ok(html) => (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        // Nothing in a template fails by itself.
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// JSON for programs, as Spark lays it out: with its content type, and with line breaks.
pub fn json(value: &Value) -> Response {
    json_text(serde_json::to_string_pretty(value).unwrap_or_default())
}

/// The same, of a text.
pub fn json_text(text: String) -> Response {
    ([(CONTENT_TYPE, "text/json; charset=utf-8")], text).into_response()
}

/// Plain text. What a log says is never taken for anything else (SE-45).
pub fn plain(text: String) -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

/// What Prometheus reads.
pub fn prometheus(text: String) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// The daemon has not said in time how it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Busy;

impl IntoResponse for Busy {
    fn into_response(self) -> Response {
        error(StatusCode::SERVICE_UNAVAILABLE, "It has too much to do to say how it is. Try again in a moment.")
    }
}
