//! The suite on HDFS, served by Hadoop's own NameNode and DataNode.

use crate::files::{noise, read, write};
use crate::suite::check_file_system;
use firesteel_filesystem::{FileSystems, HadoopConf};
use firesteel_testkit::Hdfs;

#[test]
fn hdfs_passes_the_suite() {
    let hdfs = Hdfs::start().unwrap_or_else(|error| panic!("{error}: {error:?}"));
    let conf = HadoopConf::from_spark([("spark.hadoop.dfs.blocksize", "33554432")]);
    let systems = FileSystems::new(conf.clone());
    let root = systems.path(&format!("{}/suite", hdfs.uri())).unwrap();
    systems.get(&root).unwrap().mkdirs(&root).unwrap();
    check_file_system(&systems, &root);

    // Across several requests.
    let content = noise(40_000_000);
    write(&systems, &root.join("large"), &content);
    assert!(read(&systems, &root.join("large")) == content);
    let mut piece = vec![0; 100_000];
    let mut file = systems.get(&root).unwrap().open(&root.join("large")).unwrap();
    file.read_exact_at((16 << 20) - 50_000, &mut piece).unwrap();
    assert!(piece[..] == content[(16 << 20) - 50_000..(16 << 20) + 50_000]);

    // Permissions and blocks as the properties say.
    assert_eq!(systems.get(&root).unwrap().status(&root.join("large")).unwrap().block_size, 32 << 20);
    let mut masked = conf.clone();
    masked.set("fs.permissions.umask-mode", "027");
    let masked = FileSystems::new(masked);
    masked.get(&root).unwrap().mkdirs(&root.join("masked")).unwrap();
    write(&masked, &root.join("masked/file"), b"x");
    let client = hdfs_native::ClientBuilder::new().with_url(hdfs.uri()).build().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (name, permission) in [("/suite/masked", 0o750), ("/suite/masked/file", 0o640), ("/suite/large", 0o644)] {
        let status = runtime.block_on(client.get_file_info(name)).unwrap();
        assert_eq!(status.permission, permission, "{name}");
    }

    // The same file through the name that the site files give.
    let configured = FileSystems::new(conf.with_directory(&hdfs.configuration()).unwrap());
    let path = configured.path("hdfs:///suite/large").unwrap();
    assert_eq!(path, root.join("large"));
    assert_eq!(configured.path("/suite/large").unwrap(), path);
    assert_eq!(configured.get(&path).unwrap().status(&path).unwrap().length, 40_000_000);
}
