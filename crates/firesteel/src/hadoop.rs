//! Hadoop's settings on their way from the application's configuration to the file systems of every process.

use std::collections::BTreeMap;

use firesteel_filesystem::{FileSystems, HadoopConf};
use serde::{Deserialize, Serialize};

use crate::{
    context::SparkContext,
    error::{SparkError, chain},
};

/// Every `spark.hadoop.*` key and what the driver's `HADOOP_CONF_DIR` says, in the environment of whatever touches files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HadoopProperties(BTreeMap<String, String>);

impl HadoopProperties {
    /// The application's, with its configuration as Hadoop knows it.
    pub(crate) fn of(context: &SparkContext) -> Result<(Self, HadoopConf), SparkError> {
        let conf = HadoopConf::from_spark(context.conf().get_all());
        let conf = conf.with_environment().map_err(|error| SparkError::Configuration(chain(&error)))?;
        let properties = conf.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Ok((Self(properties), conf))
    }

    /// The configuration, on an executor.
    pub(crate) fn conf(&self) -> HadoopConf {
        let mut conf = HadoopConf::default();
        self.0.iter().for_each(|(key, value)| conf.set(key, value));
        conf
    }

    /// The file systems, on an executor.
    pub(crate) fn file_systems(&self) -> FileSystems {
        FileSystems::new(self.conf())
    }
}
