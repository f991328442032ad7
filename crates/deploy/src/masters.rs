//! The masters of a standalone cluster, as those reach them who ask something of it.

use std::{ffi::OsStr, time::Duration};

use firesteel_conf::{MasterUrl, SparkConf};
use firesteel_master_client::{AskError, Leader, PORT, ask, options};
use firesteel_rpc::{Address, Secret};
use firesteel_standalone::protocol::{ClientAnswer, ClientRequest};

use crate::{Environment, refusal::Refusal, secret::parsed_secret};

/// How long each master may take to answer (SS-95).
const TIME_OUT: Duration = Duration::from_secs(10);

/// The masters, and what has to be proved to them.
pub(crate) struct Masters {
    addresses: Vec<Address>,
    secret: Secret,
}

impl Masters {
    /// Of `spark://host:port[,host:port…]`.
    pub(crate) fn of(url: &MasterUrl, conf: &SparkConf, environment: &Environment) -> Result<Self, Refusal> {
        let MasterUrl::Standalone { masters } = url else {
            return Err(Refusal::Setting(format!("{} is no spark://HOST:PORT", url.redacted())));
        };
        let addresses = masters.iter().map(|master| Address::tcp(master.host.clone(), master.port.unwrap_or(PORT)));
        let secret = parsed_secret(&conf.cluster_secret(|name| environment.get(OsStr::new(name)).cloned())?)?;
        Ok(Self { addresses: addresses.collect(), secret })
    }

    /// As a worker knows them.
    pub(crate) fn new(addresses: Vec<Address>, secret: Secret) -> Self {
        Self { addresses, secret }
    }

    /// Puts a question to whichever leads.
    pub(crate) async fn ask(&self, request: ClientRequest) -> Result<ClientAnswer, AskError> {
        ask(&self.addresses, &self.secret, &options(), &request, TIME_OUT).await
    }

    /// Begins a conversation with whichever leads.
    pub(crate) async fn leader(&self) -> Result<Leader, AskError> {
        Leader::find(&self.addresses, &self.secret, &options(), TIME_OUT).await
    }
}
