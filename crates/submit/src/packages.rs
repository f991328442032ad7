//! `--packages` (SS-18).
//!
//! Packages are JVM classes, and nothing here could load them. Two kinds are accepted all the same, because what they are
//! asked for is built in: connectors to S3 and HDFS, and Spark's own modules. Everything else is refused if the user asked
//! for it in this command; if a properties file that serves other installations too has it, a warning is enough. Either way
//! the user reads one line.

use firesteel_conf::SparkConf;

use crate::{Origin, Refusal};

/// The key of `--packages`.
pub(crate) const KEY: &str = "spark.jars.packages";

/// Groups, and the artifacts' beginnings, whose work is built in.
const BUILT_IN: [(&str, &str); 6] = [
    ("org.apache.spark", ""),
    ("org.apache.hadoop", "hadoop-aws"),
    ("org.apache.hadoop", "hadoop-client"),
    ("org.apache.hadoop", "hadoop-common"),
    ("org.apache.hadoop", "hadoop-hdfs"),
    ("com.amazonaws", "aws-java-sdk"),
];

/// Refuses packages that cannot be had. The result is a line for the user that says what becomes of the others.
pub(crate) fn check(conf: &SparkConf, origin: Option<Origin>) -> Result<Option<String>, Refusal> {
    let Some(list) = conf.get_raw(KEY) else { return Ok(None) };
    let source_name = match origin {
        Some(Origin::Option(name)) => name,
        _ => KEY,
    };
    let (mut built_in, mut for_a_jvm) = (Vec::new(), Vec::new());
    for coordinate in list.split(',').map(str::trim).filter(|coordinate| !coordinate.is_empty()) {
        let owned = || (source_name.to_owned(), coordinate.to_owned());
        let Some((group, artifact)) = group_and_artifact(coordinate) else {
            let (source_name, coordinate) = owned();
            return Err(Refusal::Coordinate { source_name, coordinate });
        };
        if BUILT_IN.iter().any(|(known, start)| *known == group && artifact.starts_with(start)) {
            built_in.push(coordinate);
        } else if origin == Some(Origin::PropertiesFile) {
            for_a_jvm.push(coordinate);
        } else {
            let (source_name, coordinate) = owned();
            return Err(Refusal::JvmPackage { source_name, coordinate });
        }
    }
    let mut parts = Vec::new();
    if !built_in.is_empty() {
        parts.push(format!("the work of {} is built in, so nothing is fetched", built_in.join(", ")));
    }
    if !for_a_jvm.is_empty() {
        parts.push(format!("nothing comes of {}: JVM classes cannot run here", for_a_jvm.join(", ")));
    }
    Ok(Some(format!("{source_name}: {}", parts.join("; "))).filter(|_| !parts.is_empty()))
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

    fn checked(list: &str, origin: Origin) -> Result<Option<String>, String> {
        let conf: SparkConf = [(KEY, list)].into_iter().collect();
        check(&conf, Some(origin)).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn built_in_connectors_pass_and_others_do_not() {
        let option = Origin::Option("--packages");
        let fine = "org.apache.hadoop:hadoop-aws:3.3.4, org.apache.spark:spark-avro_2.12:3.5.0,,com.amazonaws:aws-java-sdk-bundle:1";
        let line = "--packages: the work of org.apache.hadoop:hadoop-aws:3.3.4, org.apache.spark:spark-avro_2.12:3.5.0, \
                    com.amazonaws:aws-java-sdk-bundle:1 is built in, so nothing is fetched";
        assert_eq!(checked(fine, option).unwrap().as_deref(), Some(line));
        assert_eq!(checked("", option), Ok(None));
        let delta = "io.delta:delta-core_2.12:2.4.0";
        let refused = checked(delta, option).unwrap_err();
        assert!(refused.starts_with("io.delta:delta-core_2.12:2.4.0 in --packages is a JVM package"), "{refused}");
        assert!(checked(delta, Origin::Conf).unwrap_err().contains("in spark.jars.packages"));
        let both = format!("{delta},org.apache.hadoop:hadoop-aws:3.3.4");
        let line = "spark.jars.packages: the work of org.apache.hadoop:hadoop-aws:3.3.4 is built in, so nothing is fetched; \
                    nothing comes of io.delta:delta-core_2.12:2.4.0: JVM classes cannot run here";
        assert_eq!(checked(&both, Origin::PropertiesFile).unwrap().as_deref(), Some(line));
    }

    #[test]
    fn a_malformed_coordinate_is_named() {
        for bad in ["a:b", "a:b:c:d", ":b:c", "a::c", "a:b:", "a b:c:d", "a/b/c"] {
            let refused = checked(&format!("org.apache.spark:x:1,{bad}"), Origin::PropertiesFile).unwrap_err();
            assert!(refused.contains(&format!("{bad:?}")) && refused.contains("group:artifact:version"), "{refused}");
        }
    }
}
