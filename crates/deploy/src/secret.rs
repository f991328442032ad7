//! The cluster's secret, as connections prove it.

use firesteel_model::error_chain;
use firesteel_rpc::Secret;

use crate::refusal::Refusal;

/// The secret as connections prove it.
pub(crate) fn parsed_secret(known: &firesteel_conf::Secret) -> Result<Secret, Refusal> {
    let text =
        str::from_utf8(known.bytes()).map_err(|_| Refusal::Setting("the cluster's secret is not UTF-8".to_owned()))?;
    Secret::parse(text).map_err(|error| Refusal::Setting(error_chain(&error)))
}
