//! Keys of real Spark (AS-22): what its own core declares is never called a slip or a stranger.
//!
//! `spark-4.3-keys.txt` holds the names in `ConfigEntry.knownConfigs` of Spark 4.3, without the families of which every key has one
//! answer here, such as `spark.sql.`.

use firesteel_conf::{ConfWarning, SparkConf};

#[test]
fn every_key_that_spark_declares_is_known() {
    let mut strangers = Vec::new();
    for key in include_str!("spark-4.3-keys.txt").lines() {
        let conf: SparkConf = [(key, "1")].into_iter().collect();
        for master in ["local[*]", "local-cluster[1,1,1024]", "yarn"] {
            let warnings = conf.review(&master.parse().unwrap());
            strangers.extend(
                warnings
                    .into_iter()
                    .filter(|warning| matches!(warning, ConfWarning::Unknown { .. } | ConfWarning::UsersOwn { .. })),
            );
        }
    }
    assert_eq!(strangers, [], "Spark 4.3 has these");
}
