//! The style, the script and the icon: small files in the program.

use axum::{
    Router,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    routing::get,
};

const FILES: [(&str, &str, &str); 4] = [
    ("/static/firesteel.css", "text/css; charset=utf-8", include_str!("../static/firesteel.css")),
    ("/static/log-view.js", "text/javascript; charset=utf-8", include_str!("../static/log-view.js")),
    ("/static/firesteel.svg", "image/svg+xml", include_str!("../static/firesteel.svg")),
    // Browsers ask for it at this name where no page says another one.
    ("/favicon.ico", "image/svg+xml", include_str!("../static/firesteel.svg")),
];

/// Serves them. A browser asks for them again after an hour, as another release may have others.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.iter().fold(Router::new(), |router, (path, kind, text)| {
        router.route(path, get(move || async { ([(CONTENT_TYPE, *kind), (CACHE_CONTROL, "max-age=3600")], *text) }))
    })
}
