//! `--packages` (SS-18).
//!
//! Packages are JVM classes, and nothing here could load them. Two kinds are accepted all the same, because what they are
//! asked for is built in: connectors to S3 and HDFS, and Spark's own modules. Everything else is refused if the user asked
//! for it in this command; if a properties file that serves other installations too has it, the general warning about keys
//! of the JVM is enough.

use firesteel_conf::SparkConf;

use crate::{Origin, Refusal};

const KEY: &str = "spark.jars.packages";

/// Groups, and the artifacts' beginnings, whose work is built in.
const BUILT_IN: [(&str, &str); 6] = [
    ("org.apache.spark", ""),
    ("org.apache.hadoop", "hadoop-aws"),
    ("org.apache.hadoop", "hadoop-client"),
    ("org.apache.hadoop", "hadoop-common"),
    ("org.apache.hadoop", "hadoop-hdfs"),
    ("com.amazonaws", "aws-java-sdk"),
];

/// Refuses packages that cannot be had.
pub(crate) fn check(conf: &SparkConf, origin: Option<Origin>) -> Result<(), Refusal> {
    let Some(list) = conf.get_raw(KEY) else { return Ok(()) };
    let source_name = match origin {
        Some(Origin::Option(name)) => name,
        _ => KEY,
    };
    for coordinate in list.split(',').map(str::trim).filter(|coordinate| !coordinate.is_empty()) {
        let owned = || (source_name.to_owned(), coordinate.to_owned());
        let Some((group, artifact)) = group_and_artifact(coordinate) else {
            let (source_name, coordinate) = owned();
            return Err(Refusal::Coordinate { source_name, coordinate });
        };
        let built_in = BUILT_IN.iter().any(|(known, start)| *known == group && artifact.starts_with(start));
        if !built_in && origin != Some(Origin::PropertiesFile) {
            let (source_name, coordinate) = owned();
            return Err(Refusal::JvmPackage { source_name, coordinate });
        }
    }
    Ok(())
}

/// The first two parts of `group:artifact:version`.
fn group_and_artifact(coordinate: &str) -> Option<(&str, &str)> {
    let parts: Vec<_> = coordinate.split(':').collect();
    let [group, artifact, version] = parts[..] else { return None };
    let formed = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c == '/');
    (formed(group) && formed(artifact) && formed(version)).then_some((group, artifact))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(list: &str, origin: Origin) -> Option<String> {
        let conf: SparkConf = [(KEY, list)].into_iter().collect();
        check(&conf, Some(origin)).err().map(|refusal| refusal.to_string())
    }

    #[test]
    fn built_in_connectors_pass_and_others_do_not() {
        let option = Origin::Option("--packages");
        let fine = "org.apache.hadoop:hadoop-aws:3.3.4, org.apache.spark:spark-avro_2.12:3.5.0,,com.amazonaws:aws-java-sdk-bundle:1";
        assert_eq!(checked(fine, option), None);
        let refused = checked("io.delta:delta-core_2.12:2.4.0", option).unwrap();
        assert!(refused.starts_with("io.delta:delta-core_2.12:2.4.0 in --packages is a JVM package"), "{refused}");
        assert!(checked("io.delta:delta-core_2.12:2.4.0", Origin::Conf).unwrap().contains("in spark.jars.packages"));
        assert_eq!(checked("io.delta:delta-core_2.12:2.4.0", Origin::PropertiesFile), None);
    }

    #[test]
    fn a_malformed_coordinate_is_named() {
        for bad in ["a:b", "a:b:c:d", ":b:c", "a::c", "a:b:", "a b:c:d", "a/b/c"] {
            let refused = checked(&format!("org.apache.spark:x:1,{bad}"), Origin::PropertiesFile).unwrap();
            assert!(refused.contains(&format!("{bad:?}")) && refused.contains("group:artifact:version"), "{refused}");
        }
    }
}
