//! Which master URLs are accepted, and what they mean (SS-40…52).

use firesteel_conf::{ClusterManager, DeployMode, MasterUrl, WorkerThreads};
use firesteel_model::hide_secrets_of_urls;
use proptest::prelude::*;

/// Accepted: the text, and the canonical form that it prints as.
const ACCEPTED: &[(&str, &str)] = &[
    ("local", "local[1]"),
    ("local[1]", "local[1]"),
    ("local[16]", "local[16]"),
    ("local[*]", "local[*]"),
    ("local[4,3]", "local[4,3]"),
    ("local[4, 3]", "local[4,3]"),
    ("local[4 ,3]", "local[4,3]"),
    ("local[*,8]", "local[*,8]"),
    ("local[*, 8]", "local[*,8]"),
    ("local-cluster[2,1,1024]", "local-cluster[2,1,1024]"),
    ("local-cluster[2, 1, 1024]", "local-cluster[2,1,1024]"),
    ("local-cluster[ 2 , 1 , 1024 ]", "local-cluster[2,1,1024]"),
    ("spark://host:7077", "spark://host:7077"),
    ("spark://host.example.org:7077", "spark://host.example.org:7077"),
    ("spark://my_host:7077", "spark://my_host:7077"),
    ("spark://10.0.0.1:7077", "spark://10.0.0.1:7077"),
    ("spark://[::1]:7077", "spark://[::1]:7077"),
    ("spark://[2001:db8::2]:7077", "spark://[2001:db8::2]:7077"),
    ("spark://h1:7077,h2:7078", "spark://h1:7077,h2:7078"),
    ("spark://h1:7077,[::1]:7078,h3:1", "spark://h1:7077,[::1]:7078,h3:1"),
    ("mesos://host:5050", "mesos://host:5050"),
    ("mesos://host", "mesos://host"),
    ("mesos://[::1]:5050", "mesos://[::1]:5050"),
    ("mesos://h1:7077,h2:7077", "mesos://h1:7077,h2:7077"),
    ("mesos://zk://a:2181/mesos", "mesos://zk://a:2181/mesos"),
    ("mesos://zk://a:2181,b:2181,c:2181/mesos", "mesos://zk://a:2181,b:2181,c:2181/mesos"),
    ("mesos://zk://a:2181/mesos,b:2181/mesos,c:2181/mesos", "mesos://zk://a:2181,b:2181,c:2181/mesos"),
    ("mesos://zk://a:2181,b:2181/mesos/eu", "mesos://zk://a:2181,b:2181/mesos/eu"),
    ("mesos://zk://user:pw@a:2181,b:2181/mesos", "mesos://zk://user:pw@a:2181,b:2181/mesos"),
    ("mesos://zk://[::1]:2181/mesos", "mesos://zk://[::1]:2181/mesos"),
    ("mesos://zk://a/mesos", "mesos://zk://a/mesos"),
    ("yarn", "yarn"),
    ("yarn-client", "yarn-client"),
    ("yarn-cluster", "yarn-cluster"),
    ("yarn-standalone", "yarn-cluster"),
    ("k8s://host:443", "k8s://https://host:443"),
    ("k8s://https://host:6443", "k8s://https://host:6443"),
    ("k8s://http://127.0.0.1:8001", "k8s://http://127.0.0.1:8001"),
    ("k8s://https://host/k8s/clusters/c-1", "k8s://https://host/k8s/clusters/c-1"),
    ("k8s://host", "k8s://https://host"),
    ("k8s://[::1]:443", "k8s://https://[::1]:443"),
];

/// Refused: the text, and a part of the reason.
const REFUSED: &[(&str, &str)] = &[
    ("", "it must be local"),
    (" local", "blank before or after"),
    ("local[2] ", "blank before or after"),
    ("local[0]", "at least 1"),
    ("local[-1]", "at least 1"),
    ("local[+1]", "at least 1"),
    ("local[]", "at least 1"),
    ("local[ 2]", "at least 1"),
    ("local[2", "closing bracket"),
    ("local[2.5]", "at least 1"),
    ("local[a]", "at least 1"),
    (
        "local[4294967296]",
        "the number of threads is \"4294967296\", but it must be a whole number of at most 4294967295",
    ),
    ("local[2,99999999999999999999]", "at most 4294967295"),
    ("local-cluster[1,1,4294967296]", "the memory in MiB is \"4294967296\", but it must be a whole number of at most"),
    ("local[2,0]", "allowed failures"),
    ("local[2,*]", "allowed failures"),
    ("local[2,]", "allowed failures"),
    ("local[2,3,4]", "allowed failures"),
    ("local2", "it must be local"),
    ("Local[2]", "it must be local"),
    ("LOCAL", "it must be local"),
    ("local[2]x", "closing bracket"),
    ("local-cluster", "it must be local"),
    ("local-cluster[2,1]", "three numbers"),
    ("local-cluster[2,1,1024,5]", "three numbers"),
    ("local-cluster[0,1,1024]", "number of workers"),
    ("local-cluster[2,0,1024]", "number of cores"),
    ("local-cluster[2,1,1g]", "memory in MiB"),
    ("local-cluster[2,1,1024", "closing bracket"),
    ("spark://", "host is missing"),
    ("spark://host", "port of host is missing"),
    ("spark://host:", "port of host"),
    ("spark://host:0", "1 to 65535"),
    ("spark://host:65536", "1 to 65535"),
    ("spark://host:+7077", "1 to 65535"),
    ("spark://host:seven", "1 to 65535"),
    ("spark://:7077", "host is missing"),
    ("spark://host:7077/", "last slash"),
    ("spark://host:7077/path", "without '/'"),
    ("spark://user@host:7077", "\"host:7077\" must be host:port, without '@'"),
    ("zk://me:word@a:2181/m", "write mesos://zk://*********(redacted)@a:2181/m"),
    ("spark://host:7077#f", "without '#'"),
    ("spark://host:7077?q", "without '?'"),
    ("spark://h 1:7077", "without ' '"),
    ("spark://h1:7077, h2:7077", "without ' '"),
    ("spark://h1:7077,", "host is missing"),
    ("spark://h1:7077,h2", "port of h2 is missing"),
    ("spark://::1:7077", "needs brackets, as in [::1]:7077"),
    ("spark://2001:db8:0:0:0:0:0:1:7078", "needs brackets, as in [2001:db8:0:0:0:0:0:1]:7078"),
    ("spark://fe80::", "needs brackets, as in [fe80::]:7077"),
    ("spark://h:7077:7078", "\"h:7077:7078\" must be host:port, where an IPv6 address stands in brackets"),
    ("spark://[::1:7077", "not closed"),
    ("spark://[::1]7077", "[address]:port"),
    ("spark://[nonsense]:7077", "not an IPv6 address"),
    ("spark:/host:7077", "it must be local"),
    ("spark:host:7077", "it must be local"),
    ("host:7077", "it must be local"),
    ("http://host:8080", "it must be local"),
    ("mesos://", "host is missing"),
    ("mesos://host:5050/", "last slash"),
    ("mesos://zk://a:2181", "path is missing"),
    ("mesos://zk://a:2181/", "path is missing"),
    ("mesos://zk://a:2181/x,b:2181/y", "different ZooKeeper paths"),
    ("mesos://zk:///mesos", "host is missing"),
    ("mesos://zk://a:2181,/mesos", "host is missing"),
    ("mesos://zk://a:2181/me sos", "blank"),
    ("zk://a:2181/mesos", "mesos://zk://a:2181/mesos"),
    ("yarn ", "blank before or after"),
    ("Yarn", "it must be local"),
    ("yarn://host", "it must be local"),
    ("yarn-other", "it must be local"),
    ("k8s://", "host is missing"),
    ("k8s://ftp://host", "neither http:// nor https://"),
    ("k8s://https://", "host is missing"),
    ("k8s://host:99999", "1 to 65535"),
    ("kubernetes://host", "it must be local"),
    ("*", "it must be local"),
    ("[*]", "it must be local"),
];

#[test]
fn accepted() {
    for (text, canonical) in ACCEPTED {
        let url: MasterUrl = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(url.to_string(), *canonical, "{text}");
        assert_eq!(canonical.parse(), Ok(url), "{canonical} does not parse back");
    }
}

#[test]
fn refused_with_a_reason() {
    for (text, reason) in REFUSED {
        match text.parse::<MasterUrl>() {
            Ok(url) => panic!("{text:?} was taken for {url:?}"),
            Err(error) => {
                assert!(error.reason().contains(reason), "{text:?}: {error}");
                assert!(error.to_string().starts_with(&format!("{:?}", hide_secrets_of_urls(text))));
            }
        }
    }
}

#[test]
fn meanings() {
    let threads = |text: &str| match text.parse() {
        Ok(MasterUrl::Local { threads, max_failures }) => (threads.count(8), max_failures),
        other => panic!("{other:?}"),
    };
    assert_eq!(threads("local"), (1, 1));
    assert_eq!(threads("local[3]"), (3, 1));
    assert_eq!(threads("local[*]"), (8, 1));
    assert_eq!(threads("local[*,5]"), (8, 5));
    assert_eq!(WorkerThreads::AllCores.count(0), 1);
    let modes =
        [("yarn", None), ("yarn-client", Some(DeployMode::Client)), ("yarn-standalone", Some(DeployMode::Cluster))];
    for (text, implied_mode) in modes {
        assert_eq!(text.parse(), Ok(MasterUrl::Yarn { implied_mode }));
    }
    assert_eq!("mesos://zk://a/m".parse::<MasterUrl>().unwrap().manager(), ClusterManager::Mesos);
}

#[test]
fn other_schemes_are_left_to_the_application() {
    let url = MasterUrl::external("foo+1://user:word@host:1/x").unwrap();
    assert_eq!((url.manager(), url.redacted()), (ClusterManager::External, "foo+1://host:1/x".to_owned()));
    for text in
        ["foo", "://host", "1foo://host", "foo bar://host", " foo://host", "spark://host", "mesos://", "zk://host"]
    {
        assert_eq!(MasterUrl::external(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_accepted_prints_back(text in "(local|spark://|mesos://|mesos://zk://|k8s://|yarn)?[a-z0-9:,/\\[\\]*@ .-]{0,16}") {
        if let Ok(url) = text.parse::<MasterUrl>() {
            prop_assert_eq!(url.to_string().parse(), Ok(url));
        }
    }
}
