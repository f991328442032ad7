//! Hadoop's settings: the application's own, and on their way to the file systems of every process.

use std::{collections::BTreeMap, sync::Arc};

use firesteel_filesystem::{FileSystems, HadoopConf};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::{
    context::SparkContext,
    error::{SparkError, chain},
};

/// Hadoop's configuration of an application: every `spark.hadoop.*` key and what the driver's `HADOOP_CONF_DIR` says, and what the
/// program sets here. Whatever reads or writes files takes it as it is at that moment. All clones are one.
///
/// ```
/// # let spark = firesteel::examples::context();
/// # let directory = firesteel::examples::directory();
/// let path = |name: &str| directory.join(name).to_string_lossy().into_owned();
/// let hadoop = spark.hadoop_configuration()?;
/// hadoop.set("mapreduce.output.fileoutputformat.compress", "true");
/// assert_eq!(hadoop.get("mapreduce.output.fileoutputformat.compress").as_deref(), Some("true"));
/// spark.parallelize(1..=4, 1).save_as_text_file(&path("compressed"))?;
/// assert!(directory.join("compressed/part-00000.deflate").exists());
/// hadoop.unset("mapreduce.output.fileoutputformat.compress");
/// assert!(hadoop.to_conf().iter().next().is_none());
/// # Ok::<(), firesteel::SparkError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HadoopConfiguration(Arc<Mutex<HadoopConf>>);

impl HadoopConfiguration {
    /// A property, if it is set; without blanks around it.
    pub fn get(&self, key: &str) -> Option<String> {
        self.0.lock().get(key).map(str::to_owned)
    }

    /// Sets a property, named without `spark.hadoop.`.
    pub fn set(&self, key: &str, value: &str) {
        self.0.lock().set(key, value);
    }

    /// Takes a property away.
    pub fn unset(&self, key: &str) {
        self.0.lock().unset(key);
    }

    /// All properties as they are now.
    pub fn to_conf(&self) -> HadoopConf {
        self.0.lock().clone()
    }
}

impl From<HadoopConf> for HadoopConfiguration {
    fn from(conf: HadoopConf) -> Self {
        Self(Arc::new(Mutex::new(conf)))
    }
}

impl SparkContext {
    /// Hadoop's configuration of this application, as [`HadoopConfiguration`] shows.
    ///
    /// # Errors
    ///
    /// [`SparkError::Configuration`] if a file in `HADOOP_CONF_DIR` cannot be read.
    pub fn hadoop_configuration(&self) -> Result<HadoopConfiguration, SparkError> {
        // Read when it is first needed, as an application that touches no files needs none.
        let mut made = self.hadoop().lock();
        if let Some(configuration) = &*made {
            return Ok(configuration.clone());
        }
        let conf = HadoopConf::from_spark(self.conf().get_all());
        let conf = conf.with_environment().map_err(|error| SparkError::Configuration(chain(&error)))?;
        Ok(made.insert(conf.into()).clone())
    }
}

/// Hadoop's configuration as it was when whatever touches files was made, in its environment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HadoopProperties(BTreeMap<String, String>);

impl HadoopProperties {
    /// The application's, with its configuration as Hadoop knows it.
    pub(crate) fn of(context: &SparkContext) -> Result<(Self, HadoopConf), SparkError> {
        Self::with(context, &[])
    }

    /// The application's, and some settings that override it.
    pub(crate) fn with(
        context: &SparkContext,
        settings: &[(String, String)],
    ) -> Result<(Self, HadoopConf), SparkError> {
        let mut conf = context.hadoop_configuration()?.to_conf();
        settings.iter().for_each(|(key, value)| conf.set(key, value));
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
