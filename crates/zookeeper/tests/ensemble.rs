//! Election and records against real servers.

use std::time::{Duration, Instant};

use firesteel_master::{Change, LeaderElectionAgent, PersistenceEngine, PersistenceError};
use firesteel_model::{SubmissionId, WorkerId};
use firesteel_rpc::Secret;
use firesteel_standalone::{
    WorkerDescription,
    master::{Record, RecordKey},
};
use firesteel_testkit::ZooKeeper;
use firesteel_zookeeper::{ZooKeeperLeaderElectionAgent, ZooKeeperOptions, ZooKeeperPersistenceEngine, recovery};
use tokio::{task::JoinHandle, time::timeout};

/// Longer than anything takes, even on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(120);

type Part = (ZooKeeperPersistenceEngine, ZooKeeperLeaderElectionAgent);

/// Longer than a machine that has much else to do lets anybody wait.
const LONG: Duration = Duration::from_secs(10);
/// As short as the servers allow, twice over; for those that are to be missed.
const SHORT: Duration = Duration::from_secs(2);

fn part(servers: &str, directory: &str, secret: &Secret, name: &str) -> Part {
    part_for(servers, directory, secret, name, LONG)
}

fn part_for(servers: &str, directory: &str, secret: &Secret, name: &str, session_timeout: Duration) -> Part {
    let options = ZooKeeperOptions {
        servers: servers.parse().unwrap(),
        directory: directory.to_owned(),
        session_timeout,
        master_url: format!("spark://{name}:7077"),
    };
    recovery(options, secret)
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { timeout(PATIENCE, test).await.expect("it takes too long") });
}

fn worker(id: &str) -> Record {
    Record::Worker {
        worker_id: WorkerId::new(id),
        description: WorkerDescription {
            host: "h".to_owned(),
            port: 7,
            cores: 4,
            memory: firesteel_model::ByteCount::gib(2),
            resources: Vec::new(),
            web_ui_url: String::new(),
        },
    }
}

fn store(record: Record) -> Change {
    Change::Store(Box::new(record))
}

async fn records(engine: &mut ZooKeeperPersistenceEngine) -> Vec<Record> {
    let (stored, dropped) = engine.read().await.unwrap();
    assert_eq!(dropped, Vec::<String>::new());
    stored.records
}

/// Leads when it is its turn, and then gives everything back.
fn stand((engine, mut agent): Part) -> JoinHandle<(firesteel_standalone::Term, Part)> {
    tokio::spawn(async move {
        let term = agent.lead().await.unwrap();
        (term, (engine, agent))
    })
}

/// SA-50, SA-52, SA-54: one leads; what it keeps the next one finds; when it has lost its session it can keep nothing more.
#[test]
fn one_leads_and_the_next_one_finds_what_it_has_kept() {
    let mut ensemble = ZooKeeper::start(3).unwrap();
    // With a path, as if others used the ensemble too.
    let servers = format!("{}/others/spark", ensemble.connect_string());
    let secret = Secret::generate();
    run(async {
        let (mut engine, mut agent) = part(&servers, "/spark", &secret, "first");
        assert!(matches!(engine.write(Vec::new()).await, Err(PersistenceError::Deposed { .. })), "it does not lead");
        let first = agent.lead().await.unwrap();
        assert_eq!(records(&mut engine).await, []);
        let (w1, w2) = (worker("w1"), worker("../w2"));
        engine.write(vec![store(w1.clone()), store(w2.clone())]).await.unwrap();
        engine.write(vec![store(w1.clone()), Change::Erase(w1.key()), Change::Erase(w1.key())]).await.unwrap();
        engine.write(Vec::new()).await.unwrap();
        let numbers = Record::Numbers { next_application: 3, next_driver: 4 };
        engine
            .write(vec![store(numbers.clone()), Change::Erase(RecordKey::Driver(SubmissionId::new("d")))])
            .await
            .unwrap();
        assert_eq!(records(&mut engine).await, [numbers.clone(), w2.clone()]);

        let mut standby = stand(part(&servers, "/spark", &secret, "second"));
        assert!(timeout(Duration::from_millis(300), &mut standby).await.is_err(), "two lead");

        // A server dies, the one that all writes go through: the leader stays.
        let dead = ensemble.leader().expect("one leads the ensemble");
        ensemble.kill(dead);
        let many = (0..300).map(|index| store(worker(&format!("many-{index}")))).collect();
        engine.write(many).await.unwrap();
        assert_eq!(records(&mut engine).await.len(), 302);
        ensemble.restart(dead).unwrap();

        // It leaves, and cannot write any more.
        agent.leave().await;
        let (second, (mut next, _agent)) = standby.await.unwrap();
        assert!(second > first, "{second} after {first}");
        assert!(matches!(engine.write(vec![store(worker("late"))]).await, Err(PersistenceError::Deposed { .. })));
        assert_eq!(records(&mut next).await.len(), 302);

        // Of another cluster, nothing can be read; and nothing is in another directory.
        let (mut other, mut agent) = part(&servers, "/other", &Secret::generate(), "third");
        agent.lead().await.unwrap();
        assert_eq!(records(&mut other).await, []);
    });
}

/// SA-54: a leader that can reach no server knows that it leads no more, and another one leads when they are there again.
#[test]
fn a_leader_that_is_cut_off_is_deposed_and_its_writes_fail() {
    let mut ensemble = ZooKeeper::start(1).unwrap();
    let secret = Secret::generate();
    run(async {
        let (mut engine, mut agent) = part_for(&ensemble.connect_string(), "/spark", &secret, "first", SHORT);
        agent.lead().await.unwrap();
        engine.write(vec![store(worker("w1"))]).await.unwrap();
        ensemble.kill(0);
        let deposed = tokio::spawn(async move { agent.deposed().await });
        let written = engine.write(vec![store(worker("w2"))]).await;
        assert!(matches!(written, Err(PersistenceError::Deposed { .. })), "{written:?}");
        let reason = deposed.await.unwrap();
        assert!(reason.contains("ZooKeeper"), "{reason}");

        ensemble.restart(0).unwrap();
        let (mut next, mut agent) = part(&ensemble.connect_string(), "/spark", &secret, "second");
        let begin = Instant::now();
        agent.lead().await.unwrap();
        println!("the next one leads {} ms after the servers were there again", begin.elapsed().as_millis());
        assert_eq!(records(&mut next).await, [worker("w1")]);
    });
}

/// What others have put there is not read, and masters of Spark are not led with.
#[test]
fn foreign_nodes_are_left_out_or_refused() {
    let ensemble = ZooKeeper::start(1).unwrap();
    let (secret, servers) = (Secret::generate(), ensemble.connect_string());
    run(async {
        let (mut engine, mut agent) = part(&servers, "/spark", &secret, "first");
        agent.lead().await.unwrap();
        engine.write(vec![store(worker("w1"))]).await.unwrap();
        let client = zookeeper_client::Client::connect(&servers).await.unwrap();
        let persistent = zookeeper_client::CreateMode::Persistent.with_acls(zookeeper_client::Acls::anyone_all());
        // As Spark would have it.
        client.create("/spark/master_status/app_1", b"\xac\xed", &persistent).await.unwrap();
        let (sealed, _) = client.get_data("/spark/master_status/firesteel_worker_w1").await.unwrap();
        assert!(!sealed.windows(2).any(|bytes| bytes == b"w1"), "it can be read by anybody");
        client.create("/spark/master_status/firesteel_worker_w2", &sealed, &persistent).await.unwrap();
        let (stored, dropped) = engine.read().await.unwrap();
        assert_eq!(stored.records, [worker("w1")]);
        assert!(dropped.len() == 1 && dropped[0].contains("firesteel_worker_w2"), "{dropped:?}");

        let options = zookeeper_client::CreateMode::Persistent.with_acls(zookeeper_client::Acls::anyone_all());
        client.create("/spark/leader_election/_c_1-latch-0000000000", b"", &options).await.unwrap();
        let (_, mut other) = part(&servers, "/spark", &secret, "second");
        let refused = other.lead().await.unwrap_err().to_string();
        assert!(refused.contains("latch-") && refused.contains("spark.deploy.zookeeper.dir"), "{refused}");
    });
}
