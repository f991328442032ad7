//! `spark.deploy.recoveryMode`: who leads, and what outlives a master (SA-50…57).

use firesteel_conf::{SparkConf, keys};
use firesteel_master::{
    FileSystemPersistenceEngine, LeaderElectionAgent, MonarchyLeaderAgent, NoPersistence, PersistenceEngine, term_after,
};
use firesteel_model::error_chain;
use firesteel_rpc::Secret;
use firesteel_zookeeper::{ConnectString, ZooKeeperOptions};

use crate::refusal::Refusal;

/// A master's part in its cluster.
pub(crate) struct Recovery {
    pub(crate) persistence: Box<dyn PersistenceEngine>,
    pub(crate) election: Box<dyn LeaderElectionAgent>,
    /// There is no other master.
    pub(crate) alone: bool,
}

/// What is configured. `address` is what the master is called by in elections.
pub(crate) fn recovery(conf: &SparkConf, address: &str, secret: &Secret) -> Result<Recovery, Refusal> {
    let mode = conf.get(&keys::DEPLOY_RECOVERY_MODE)?;
    let refused = |text: String| Err(Refusal::Setting(text));
    match mode.to_ascii_uppercase().as_str() {
        "NONE" => Ok(Recovery {
            persistence: Box::new(NoPersistence),
            election: Box::new(MonarchyLeaderAgent::new(term_after(None))),
            alone: true,
        }),
        "FILESYSTEM" => file_system(conf),
        "ZOOKEEPER" => zookeeper(conf, address, secret),
        "CUSTOM" => refused(
            "spark.deploy.recoveryMode is CUSTOM, which names a class of the JVM (spark.deploy.recoveryMode.factory); a program that \
             embeds a master brings a PersistenceEngine and a LeaderElectionAgent instead. Built in are NONE, FILESYSTEM and ZOOKEEPER"
                .to_owned(),
        ),
        _ => refused(format!(
            "spark.deploy.recoveryMode is {mode:?}, which is not built in; NONE, FILESYSTEM and ZOOKEEPER are"
        )),
    }
}

fn file_system(conf: &SparkConf) -> Result<Recovery, Refusal> {
    let directory = conf.get(&keys::DEPLOY_RECOVERY_DIRECTORY)?.filter(|directory| !directory.is_empty());
    let directory = directory.ok_or_else(|| {
        Refusal::Setting(
            "spark.deploy.recoveryMode is FILESYSTEM; spark.deploy.recoveryDirectory must say where".to_owned(),
        )
    })?;
    let failed = |error: firesteel_master::StoreError| Refusal::Start(error_chain(&error));
    let engine = FileSystemPersistenceEngine::new(directory).map_err(failed)?;
    // Kept before any order is given, so that the next process has a later one even if the clock is set back.
    let term = term_after(engine.last_term());
    engine.keep_term(term).map_err(failed)?;
    Ok(Recovery { persistence: Box::new(engine), election: Box::new(MonarchyLeaderAgent::new(term)), alone: true })
}

fn zookeeper(conf: &SparkConf, address: &str, secret: &Secret) -> Result<Recovery, Refusal> {
    let url = conf.get(&keys::DEPLOY_ZOOKEEPER_URL)?.filter(|url| !url.is_empty()).ok_or_else(|| {
        Refusal::Setting(
            "spark.deploy.recoveryMode is ZOOKEEPER; spark.deploy.zookeeper.url must name its servers".to_owned(),
        )
    })?;
    let servers: ConnectString = url
        .parse()
        .map_err(|error| Refusal::Setting(format!("spark.deploy.zookeeper.url: {}", error_chain(&error))))?;
    let options = ZooKeeperOptions {
        servers,
        directory: conf.get(&keys::DEPLOY_ZOOKEEPER_DIR)?,
        session_timeout: conf.get(&keys::DEPLOY_ZOOKEEPER_SESSION_TIMEOUT)?,
        master_url: format!("spark://{address}"),
    };
    let (persistence, election) = firesteel_zookeeper::recovery(options, secret);
    Ok(Recovery { persistence: Box::new(persistence), election: Box::new(election), alone: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Recovery, String> {
        let conf: SparkConf = pairs.iter().copied().collect();
        recovery(&conf, "h:7077", &Secret::generate()).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_to_set() {
        let refused = |pairs: &[(&str, &str)]| of(pairs).err().unwrap();
        let mode = "spark.deploy.recoveryMode";
        assert!(refused(&[(mode, "filesystem")]).contains("recoveryDirectory"));
        assert!(refused(&[(mode, "ZOOKEEPER")]).contains("spark.deploy.zookeeper.url must name"));
        let bad = [(mode, "ZOOKEEPER"), ("spark.deploy.zookeeper.url", "a:x")];
        assert!(refused(&bad).contains("spark.deploy.zookeeper.url: "), "{}", refused(&bad));
        assert!(refused(&[(mode, "CUSTOM")]).contains("PersistenceEngine"));
        assert!(refused(&[(mode, "ROCKSDB")]).contains("not built in"));
    }

    /// SA-56: the term of a master that is started again is a later one, whatever its clock says.
    #[test]
    fn terms_go_on_where_the_last_master_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display().to_string();
        let engine = FileSystemPersistenceEngine::new(directory.path()).unwrap();
        let ahead = firesteel_standalone::Term(u64::MAX - 10);
        engine.keep_term(ahead).unwrap();
        let pairs = [("spark.deploy.recoveryMode", "FILESYSTEM"), ("spark.deploy.recoveryDirectory", path.as_str())];
        assert!(of(&pairs).is_ok_and(|recovery| recovery.alone));
        assert_eq!(engine.last_term(), Some(firesteel_standalone::Term(ahead.0 + 1)));
    }
}
