//! Jobs that read and write S3 and HDFS, on real servers: whole output or none (RT-37, DX-19).

use std::{collections::BTreeMap, io::Write};

use firesteel_e2e::wait_until;
use firesteel_filesystem::{Existing, FileError, FilePath, FileSystems, HadoopConf, read_whole_file};
use firesteel_testkit::{Hdfs, Moto, http_request};

use crate::{CLUSTER, application::Start};

const COUNTS: &str = r#"["and 1", "flint 3", "spark 1", "steel 2"]"#;

/// A directory in a store, for this process and for applications.
struct Store {
    systems: FileSystems,
    root: FilePath,
    settings: Vec<(&'static str, String)>,
}

impl Store {
    fn new(root: &str, settings: Vec<(&'static str, String)>) -> Self {
        let systems = FileSystems::new(HadoopConf::from_spark(settings.clone()));
        let root = systems.path(root).unwrap();
        Self { systems, root, settings }
    }

    fn write(&self, below: &str, content: &str) {
        let path = self.root.join(below);
        let mut file = self.systems.get(&path).unwrap().create(&path, Existing::Refuse).unwrap();
        file.write_all(content.as_bytes()).unwrap();
        file.finish().unwrap();
    }

    /// Every file below a directory with its length, by its path from there.
    fn tree(&self, below: &str) -> BTreeMap<String, u64> {
        let root = self.root.join(below);
        let mut files = BTreeMap::new();
        let mut left = vec![root.clone()];
        while let Some(directory) = left.pop() {
            match self.systems.get(&directory).unwrap().list(&directory) {
                // A running job may remove it just now.
                Err(FileError::NotFound { .. }) => {}
                entries => {
                    for entry in entries.unwrap() {
                        if entry.is_directory {
                            left.push(entry.path);
                        } else {
                            files.insert(entry.path.path()[root.path().len() + 1..].to_owned(), entry.length);
                        }
                    }
                }
            }
        }
        files
    }

    fn start(&self, scenario: &str) -> Start {
        let start = Start::new(scenario, CLUSTER).complete().with("spark.e2e.root", &self.root.to_string());
        self.settings.iter().fold(start, |start, (key, value)| start.with(key, value))
    }

    fn check(&self) {
        self.write("in/a.txt", "flint and steel\n");
        self.write("in/b.txt", "flint steel\nspark flint\n");
        self.write("in/c.log", "no input\n");
        let finished = self.start("count-words-in-store").finish();
        let output = self.root.join("counts");
        let refused = format!("refused: output directory {output} already exists");
        let lines = finished.lines();
        assert_eq!(lines[..3], ["3 lines", COUNTS, "as computed: true"], "{finished:?}");
        assert!(lines[3].starts_with(&refused), "{finished:?}");
        assert_eq!(lines[4..], ["4 lines are left"], "{finished:?}");
        let written: Vec<String> = self.tree("counts").into_keys().collect();
        assert_eq!(written, ["_SUCCESS", "part-00000.gz", "part-00001.gz"]);
        for name in &written[1..] {
            let bytes = read_whole_file(&self.systems, &output.join(name), false).unwrap();
            assert_eq!(bytes[..2], [0x1f, 0x8b], "{name} is gzip");
        }
        self.check_failed_job();
        self.check_files();
    }

    /// A pattern among the application's files stands for what it matches, and is refused if that is nothing.
    fn check_files(&self) {
        let files = |pattern: &str| {
            let pattern = self.root.join(pattern).to_string();
            self.start("files-by-pattern").with("spark.files", &pattern).finish()
        };
        let finished = files("in/*.txt");
        let [names, seen, driver, refused] = finished.lines()[..] else { panic!("four lines: {finished:?}") };
        assert_eq!(names, "a.txt b.txt", "{finished:?}");
        assert_eq!(seen, r#"[Some("flint and steel\n"), Some("flint steel\nspark flint\n")]"#, "{finished:?}");
        assert_eq!(driver, "driver flint and steel");
        let begin = format!("refused: {} cannot be added", self.root.join("in/*.log"));
        assert!(
            refused.starts_with(&begin) && refused.contains("add_file takes one path, and no pattern"),
            "{refused}"
        );
        files("in/*.gone").failed_with(&["spark.files: ", "/in/*.gone matches no file"]);
    }

    /// One partition is committed and the other one half written when the job fails.
    fn check_failed_job(&self) {
        let mut application = self.start("fail-while-saving").with("spark.task.maxFailures", "2").start();
        application.wait_for("fail");
        let is_committed = |name: &String| name.starts_with("_temporary/0/task_");
        wait_until("a partition to be committed", || self.tree("failed").keys().any(is_committed).then_some(()));
        application.gates().open("fail");
        let finished = application.finish();
        let [failed, then] = finished.lines()[..] else { panic!("two lines: {finished:?}") };
        assert!(failed.starts_with("failed: ") && failed.contains("attempt 1 fails as planned"), "{finished:?}");
        assert_eq!(then, format!("then: input path does not exist: {}", self.root.join("failed")), "{finished:?}");
        assert_eq!(self.tree("failed"), BTreeMap::new());
    }
}

#[test]
fn a_job_reads_and_writes_s3() {
    let moto = Moto::start().unwrap_or_else(|error| panic!("{error}: {error:?}"));
    assert_eq!(http_request(moto.port(), "PUT", "/bucket").unwrap().status, 200);
    let settings = vec![
        ("spark.hadoop.fs.s3a.endpoint", moto.endpoint()),
        ("spark.hadoop.fs.s3a.path.style.access", "true".to_owned()),
        ("spark.hadoop.fs.s3a.endpoint.region", "us-east-1".to_owned()),
        ("spark.hadoop.fs.s3a.access.key", "test".to_owned()),
        ("spark.hadoop.fs.s3a.secret.key", "secret".to_owned()),
        ("spark.hadoop.fs.s3a.multipart.size", "5m".to_owned()),
    ];
    Store::new("s3a://bucket/job", settings).check();
    let uploads = http_request(moto.port(), "GET", "/bucket?uploads").unwrap().body;
    assert!(!uploads.contains("<UploadId>"), "parts that nobody sees cost money: {uploads}");
}

#[test]
fn a_job_reads_and_writes_hdfs() {
    let hdfs = Hdfs::start().unwrap_or_else(|error| panic!("{error}: {error:?}"));
    let settings = vec![("spark.hadoop.dfs.blocksize", "1048576".to_owned())];
    Store::new(&format!("{}/job", hdfs.uri()), settings).check();
}
