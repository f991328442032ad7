//! A fixed number of seeds. More: `cargo run -p firesteel-simulation -- --seeds N --start S`.

use firesteel_simulation::{run, standalone};

#[test]
fn promises_are_kept_whatever_goes_wrong() {
    let (mut succeeded, mut failed) = (0, 0);
    for seed in 0..200 {
        let report = std::panic::catch_unwind(|| run(seed, false))
            .unwrap_or_else(|_| panic!("seed {seed} broke a promise; replay it with --seed {seed}"));
        succeeded += report.succeeded;
        failed += report.failed;
        if seed % 4 == 0 {
            assert_eq!(report.failed, 0, "seed {seed}: nothing went wrong, and a job failed");
        }
    }
    assert!(
        succeeded > 5 * failed && failed > 10,
        "{succeeded} jobs succeeded, {failed} failed: faults are off balance"
    );
}

#[test]
fn a_seed_replays_to_the_letter() {
    for seed in [1, 2, 3, 7] {
        assert_eq!(run(seed, false), run(seed, false), "seed {seed}");
    }
}

#[test]
fn clusters_keep_their_promises_whatever_goes_wrong() {
    let (mut succeeded, mut failed, mut fenced) = (0, 0, 0);
    for seed in 0..1000 {
        let report = std::panic::catch_unwind(|| standalone::run(seed, false))
            .unwrap_or_else(|_| panic!("seed {seed} broke a promise; replay it with standalone --seed {seed}"));
        succeeded += report.succeeded;
        failed += report.failed;
        fenced += report.fenced;
    }
    assert!(
        succeeded > 3 * failed && failed > 50 && fenced > 20,
        "{succeeded} applications succeeded, {failed} failed, {fenced} orders were refused: faults are off balance"
    );
}

#[test]
fn a_cluster_replays_to_the_letter() {
    for seed in [5, 7, 11, 13, 19] {
        assert_eq!(standalone::run(seed, false), standalone::run(seed, false), "seed {seed}");
    }
}
