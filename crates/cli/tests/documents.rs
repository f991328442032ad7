//! The generated pages of `docs/` are those that are committed.

use std::{fs, path::Path, process::Command};

#[test]
fn the_committed_pages_are_the_generated_ones() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let fresh = tempfile::tempdir().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_firesteel"))
        .args(["internal", "docs"])
        .arg(fresh.path())
        .output()
        .unwrap()
        .status;
    assert!(status.success());
    for page in ["configuration.md", "spark-submit.md"] {
        let committed = fs::read_to_string(docs.join(page)).unwrap_or_default();
        let generated = fs::read_to_string(fresh.path().join(page)).unwrap();
        assert!(
            committed == generated,
            "docs/{page} is out of date; run `cargo run -p firesteel-cli -- internal docs` and commit the result"
        );
    }
}
