//! Local files that are encrypted (`spark.io.encryption.enabled`): the channels that take the place of files, and what is on disks.

use super::{assert_ok, installation::Installation};

const ENABLED: &str = "spark.io.encryption.enabled=true";
const MASTERS: [&str; 2] = ["local[2]", "local-cluster[2,1,1024]"];
/// A word in what is compressed may not be found.
const AS_IT_IS: [&str; 4] = ["--conf", "spark.shuffle.compress=false", "--conf", "spark.broadcast.compress=false"];

#[test]
fn what_python_leaves_on_disks_can_be_read_unless_it_is_encrypted() {
    for master in MASTERS {
        for (settings, is_encrypted) in [(&[][..], "plain"), (&["--conf", ENABLED], "encrypted")] {
            let installation = Installation::new();
            let options = [&["--master", master], settings, &AS_IT_IS].concat();
            assert_ok(&installation.submit(&options, "encryption.py", &[is_encrypted]));
            assert_eq!(installation.left_in_scratch(), Vec::<String>::new());
        }
    }
}

#[test]
fn a_program_that_starts_its_own_driver_can_ask_for_encryption() {
    let installation = Installation::new();
    let mut command = installation.python_command("encryption.py", &["encrypted"]);
    let arguments =
        format!("--master local[2] --conf {ENABLED} --conf spark.io.encryption.keySizeBits=256 pyspark-shell");
    assert_ok(&command.env("PYSPARK_SUBMIT_ARGS", arguments).output().unwrap().into());
}

#[test]
fn values_come_by_sockets_of_the_file_system_too() {
    // Names of sockets are short, so their directory is near the root.
    let sockets = tempfile::Builder::new().prefix("fs").rand_bytes(4).tempdir_in("/tmp").unwrap();
    let directory = format!("spark.python.unix.domain.socket.dir={}", sockets.path().display());
    let enabled = "spark.python.unix.domain.socket.enabled=true";
    for master in MASTERS {
        let options = ["--master", master, "--conf", ENABLED, "--conf", enabled, "--conf", &directory];
        assert_ok(&Installation::new().submit(&options, "encryption.py", &["encrypted"]));
    }
}

#[test]
fn data_sets_work_with_encryption() {
    for master in MASTERS {
        assert_ok(&Installation::new().submit(&["--master", master, "--conf", ENABLED], "rdd.py", &[]));
    }
}
