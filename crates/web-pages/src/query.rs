//! The query of a request.

use std::collections::BTreeMap;

use axum::{extract::FromRequestParts, http::request::Parts};
use url::form_urlencoded;

/// The fields of a query or a form. Of several with one name the first counts; what is not there is empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads `a=1&b=2`.
    pub fn parse(text: &[u8]) -> Self {
        let mut fields = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text) {
            fields.entry(name.into_owned()).or_insert_with(|| value.into_owned());
        }
        Self(fields)
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Is it there?
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default().as_bytes()))
    }
}
