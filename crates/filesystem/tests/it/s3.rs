//! The suite on S3, served by moto.

use std::io::{Read, Write};

use crate::files::{noise, read, tree, write};
use crate::suite::check_file_system;
use firesteel_filesystem::{
    Existing, FileError, FilePath, FileSystems, HadoopConf, OutputCommitter, OutputSpec, TaskAttempt,
};
use firesteel_testkit::{Moto, http_request};

/// A server with an empty bucket.
fn server() -> (Moto, FileSystems) {
    let moto = Moto::start().unwrap_or_else(|error| panic!("{error}: {error:?}"));
    assert_eq!(http_request(moto.port(), "PUT", "/bucket").unwrap().status, 200);
    let conf = HadoopConf::from_spark([
        ("spark.hadoop.fs.s3a.endpoint", moto.endpoint()),
        ("spark.hadoop.fs.s3a.path.style.access", "true".to_owned()),
        ("spark.hadoop.fs.s3a.endpoint.region", "us-east-1".to_owned()),
        ("spark.hadoop.fs.s3a.access.key", "test".to_owned()),
        ("spark.hadoop.fs.s3a.secret.key", "secret".to_owned()),
        ("spark.hadoop.fs.s3a.multipart.size", "5m".to_owned()),
    ]);
    (moto, FileSystems::new(conf))
}

/// How many uploads are neither completed nor aborted.
fn pending(moto: &Moto) -> usize {
    http_request(moto.port(), "GET", "/bucket?uploads").unwrap().body.matches("<UploadId>").count()
}

#[test]
fn s3_passes_the_suite() {
    let (moto, systems) = server();
    check_file_system(&systems, &systems.path("s3a://bucket/suite").unwrap());
    // What a process that was killed had begun and another has not aborted would be here.
    assert_eq!(pending(&moto), 0);
}

#[test]
fn large_objects_in_parts() {
    let (moto, systems) = server();
    let path = systems.path("s3://bucket/large").unwrap();
    let content = noise(38_000_000);
    write(&systems, &path, &content);
    assert!(read(&systems, &path) == content);
    assert_eq!(systems.path("s3n://bucket/large").unwrap().to_string(), "s3a://bucket/large");
    let mut file = systems.get(&path).unwrap().open(&path).unwrap();
    let mut piece = vec![0; 100_000];
    // Across the border of two requests.
    file.read_exact_at((16 << 20) - 50_000, &mut piece).unwrap();
    assert!(piece[..] == content[(16 << 20) - 50_000..(16 << 20) + 50_000]);

    let mut file =
        systems.get(&path).unwrap().create(&path.parent().unwrap().join("dropped"), Existing::Replace).unwrap();
    file.write_all(&content[..20_000_000]).unwrap();
    assert_eq!(pending(&moto), 1);
    drop(file);
    assert_eq!(pending(&moto), 0);
}

#[test]
fn an_object_that_is_replaced_while_it_is_read_fails() {
    let (_moto, systems) = server();
    let path = systems.path("s3a://bucket/changing").unwrap();
    write(&systems, &path, &noise(20_000_000));
    let mut file = systems.get(&path).unwrap().open(&path).unwrap();
    let mut piece = [0; 1000];
    file.read_exact(&mut piece).unwrap();
    write(&systems, &path, &noise(20_000_001));
    let error = file.read_exact_at(18_000_000, &mut piece).unwrap_err();
    assert!(error.to_string().contains("s3a://bucket/changing at byte 18000000"), "{error}");
}

#[test]
fn a_job_that_cannot_complete_takes_back_what_it_completed() {
    let (moto, systems) = server();
    let output = systems.path("s3a://bucket/output").unwrap();
    let job =
        OutputCommitter::new(&systems, OutputSpec::from_conf(output.clone(), "1", systems.conf()).unwrap()).unwrap();
    job.setup_job().unwrap();
    for partition in 0..3 {
        let task = TaskAttempt { partition, attempt: 0 };
        let mut part = job.create_part(task, None).unwrap();
        part.write_all(&noise(6_000_000)).unwrap();
        part.finish().unwrap();
        job.commit_task(task).unwrap();
    }
    assert_eq!(pending(&moto), 3);
    abort_behind_our_back(&systems, &output, 1);
    job.commit_job().unwrap_err();
    assert!(!tree(&systems, &output).keys().any(|name| name.starts_with("part-")), "completed files are taken back");
    job.abort_job().unwrap();
    assert_eq!(tree(&systems, &output).len(), 0);
    assert_eq!(pending(&moto), 0);
}

/// Aborts the upload of one partition, as an administrator's life-cycle rule might.
fn abort_behind_our_back(systems: &FileSystems, output: &FilePath, partition: u32) {
    let system = systems.get(output).unwrap();
    let record = read(systems, &output.join(&format!("_temporary/0/task_1_m_{partition:06}.pendingset")));
    let record = String::from_utf8(record).unwrap();
    let id = record.split("\"upload_id\": \"").nth(1).unwrap().split('"').next().unwrap();
    let path = output.join(&format!("part-{partition:05}"));
    let upload = firesteel_filesystem::PendingUpload { path, upload_id: id.to_owned(), parts: Vec::new(), length: 0 };
    system.pending_uploads().unwrap().abort(&upload).unwrap();
    system.pending_uploads().unwrap().abort(&upload).unwrap();
}

/// No path can name them, so whoever lists them must hear of them.
#[test]
fn keys_with_an_empty_part_are_not_passed_over() {
    for (key, listed, told) in [("dd//x", "s3a://bucket/dd", "dd//"), ("/x", "s3a://bucket/", "keys begin with /")] {
        let (moto, systems) = server();
        for key in ["dd/a", key] {
            assert_eq!(http_request(moto.port(), "PUT", &format!("/bucket/{key}")).unwrap().status, 200);
        }
        let path = systems.path(listed).unwrap();
        let error = systems.get(&path).unwrap().list(&path).unwrap_err();
        let mut causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        assert!(causes.any(|cause| cause.to_string().contains(told)), "{key}: {error:?}");
    }
}

#[test]
fn an_absent_bucket_is_an_error_that_names_it() {
    let (_moto, systems) = server();
    let path = systems.path("s3a://absent/x").unwrap();
    let error = systems.get(&path).unwrap().open(&path).err().unwrap();
    assert!(matches!(error, FileError::NoSuchBucket { .. }), "{error:?}");
    assert!(error.to_string().starts_with("no such bucket: absent (of s3a://absent/x)"), "{error}");
    assert!(std::error::Error::source(&error).is_none(), "the server's answer says no more");
    let written = systems.get(&path).unwrap().create(&path, Existing::Replace).unwrap().finish().unwrap_err();
    assert!(matches!(written, FileError::NoSuchBucket { .. }), "{written:?}");
}
