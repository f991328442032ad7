//! `spark.deploy.recoveryMode=ZOOKEEPER`: several masters, of which the one leads that ZooKeeper says (SA-50…54).
//!
//! Below the directory (`spark.deploy.zookeeper.dir`), as Spark has it:
//!
//! | node | what |
//! |---|---|
//! | `leader_election/_c_…-firesteel-N` | ephemeral: a master that lives; of those the lowest number leads |
//! | `master_status/firesteel_term` | the term of the last leader |
//! | `master_status/firesteel_…` | a record, sealed with a key made of the cluster's secret |
//!
//! Every write is one transaction with a check that the leader's own election node is still there. ZooKeeper takes that node away
//! with the leader's session, before another one is told that it leads; so a deposed master's writes fail, whatever it believes.
//!
//! Records are sealed, as whoever reaches ZooKeeper reads and writes them: a driver's may hold secrets, and a forged one would be
//! a program that workers run.

#![forbid(unsafe_code)]

mod connect_string;
mod election;
mod engine;
mod sealed;

use std::{sync::Arc, time::Duration};

pub use connect_string::{ConnectString, ParseConnectStringError};
pub use election::ZooKeeperLeaderElectionAgent;
pub use engine::ZooKeeperPersistenceEngine;
use firesteel_rpc::Secret;
use tokio::sync::watch;
use zookeeper_client::{Acls, CreateMode, CreateOptions, OwnedLockClient};

/// How a master takes part.
#[derive(Clone, Debug)]
pub struct ZooKeeperOptions {
    /// `spark.deploy.zookeeper.url`
    pub servers: ConnectString,
    /// `spark.deploy.zookeeper.dir`, such as `/spark`.
    pub directory: String,
    /// `spark.deploy.zookeeper.sessionTimeout`: a master of which ZooKeeper hears nothing for so long leads no more. The
    /// servers may allow no less than two of their ticks.
    pub session_timeout: Duration,
    /// What this master is called by in its election node, for people.
    pub master_url: String,
}

/// The two halves of a master's part in ZooKeeper.
pub fn recovery(
    options: ZooKeeperOptions,
    secret: &Secret,
) -> (ZooKeeperPersistenceEngine, ZooKeeperLeaderElectionAgent) {
    let directory = options.directory.trim_end_matches('/').to_owned();
    let directory = format!("{}{directory}", options.servers.chroot());
    let (leadership, seen) = watch::channel(Leadership::Standby);
    let engine = ZooKeeperPersistenceEngine::new(format!("{directory}/master_status"), secret, seen);
    (engine, ZooKeeperLeaderElectionAgent::new(options, directory, Arc::new(leadership)))
}

/// Where this master stands, as its agent knows.
#[derive(Clone, Debug)]
enum Leadership {
    /// It does not lead yet.
    Standby,
    /// It leads, as long as this node is there. Shared and never cloned: the node goes with any clone that is dropped.
    Leads(Arc<OwnedLockClient>),
    /// It has led.
    Lost(String),
}

/// Whoever reaches ZooKeeper may do anything there; what is secret is sealed.
const ACLS: Acls<'static> = Acls::anyone_all();
const PERSISTENT: CreateOptions<'static> = CreateMode::Persistent.with_acls(ACLS);
