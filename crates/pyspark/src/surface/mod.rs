//! The Java classes that PySpark and its users' programs call, as tables.
//!
//! To add a member is to write its function and an entry. What is in no table is refused by the gateway with class, member and
//! number of arguments.

mod approximate;
mod broadcast;
mod conf;
mod context;
mod files;
mod hadoop;
mod hadoop_conf;
mod hadoop_fs;
mod hadoop_path;
mod hadoop_streams;
mod java;
mod job_control;
mod log4j;
mod python;
mod rdd;
mod resources;
mod scala;
mod sql;
mod status;
mod storage;
mod storage_level;
mod system;
mod throwables;

use firesteel_py4j::{Call, Class, Failure, Value};

pub(crate) use sql::Session;

use crate::{channel, driver::Driver};

/// What every member gets and gives.
pub(crate) type JavaCall<'a> = Call<'a, Driver>;
pub(crate) type JavaResult = Result<Value, Failure>;

/// All of them.
pub(crate) fn classes() -> Vec<Class<Driver>> {
    let tables = [
        approximate::CLASSES,
        broadcast::CLASSES,
        conf::CLASSES,
        context::CLASSES,
        hadoop_conf::CLASSES,
        hadoop_fs::CLASSES,
        hadoop_path::CLASSES,
        hadoop_streams::CLASSES,
        java::CLASSES,
        job_control::CLASSES,
        log4j::CLASSES,
        python::CLASSES,
        rdd::CLASSES,
        resources::CLASSES,
        scala::CLASSES,
        sql::CLASSES,
        status::CLASSES,
        storage::CLASSES,
        storage_level::CLASSES,
        system::CLASSES,
        throwables::CLASSES,
    ];
    let declared = tables.into_iter().flatten().map(|class| Class { ..*class });
    declared.chain([channel::RESULT_SERVER]).collect()
}

/// What is said of members that are not there, by how their full names begin: what PySpark calls on the way to SQL, too.
pub(crate) const EXPLANATIONS: [(&str, &str); 5] = [
    (sql::PACKAGE, NO_SQL),
    ("org.apache.spark.api.python.PythonSQLUtils", NO_SQL),
    ("org.apache.spark.api.python.PythonUtils.toArray", NO_SQL),
    ("org.apache.spark.api.python.PythonUtils.toSeq", NO_SQL),
    ("org.apache.spark.api.python.SerDeUtil.toJavaArray", NO_SQL),
];

const NO_SQL: &str = "there is no SQL and there are no DataFrames, only data sets (RDDs)";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The list that the tests compare with what programs call. If a member is added or removed, so is its line.
    #[test]
    fn the_list_of_members_is_true() {
        let driver = Driver::new(firesteel::SparkConf::new(), crate::program::ProgramRelease::unknown());
        let surface = firesteel_py4j::Gateway::new(driver, classes()).surface();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/surface.txt");
        let listed = std::fs::read_to_string(path).unwrap_or_default();
        if listed != surface {
            let wanted = std::env::temp_dir().join("surface.txt");
            std::fs::write(&wanted, &surface).unwrap();
            panic!("{path} does not list the tables; what it should say is in {}", wanted.display());
        }
    }

    #[test]
    fn every_class_is_declared_once() {
        let classes = classes();
        let names: BTreeSet<_> = classes.iter().map(|class| class.name).collect();
        assert_eq!(names.len(), classes.len());
    }
}
