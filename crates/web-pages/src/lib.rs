//! What the pages of all web UIs are made of.
//!
//! A page is plain data, a [`Page`] of [`Section`]s; one template makes HTML of it. Whatever a program, a user or a log line says is
//! text in that data, and the template escapes all text, so that no page can forget to (SE-43, SE-45). Links to other places are made
//! by [`Link::elsewhere`], which takes nothing but HTTP.
//!
//! Nothing comes from another server: one style sheet, one script for logs, one icon. Everything can be read and done without the
//! script.
//!
//! What does not belong here: what masters, workers or applications are.

#![forbid(unsafe_code)]

mod answer;
mod cell;
mod files;
mod format;
mod link;
mod log;
mod log_files;
mod log_pages;
mod metrics;
mod page;
mod query;
mod table;

pub use answer::{Busy, answer, error, json, json_text, plain, prometheus};
pub use cell::{Cell, State, Tone};
pub use files::routes as file_routes;
pub use format::{cut, date, duration, java_date};
pub use link::Link;
pub use log::LogView;
pub use log_files::{LogFiles, LogPart, LogWish, read_log};
pub use log_pages::{log_error, log_page, log_text, own_log_page, own_log_routes, own_log_text};
pub use metrics::{Gauge, GaugeValue, metrics_json, metrics_prometheus};
pub use page::{Fact, Notice, Page, Section, Tile};
pub use query::Query;
pub use table::{Column, Sort, Table};
