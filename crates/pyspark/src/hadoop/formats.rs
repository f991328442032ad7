//! Which format of Hadoop's is meant, by the names of its classes and by the properties of a job.

use std::str::FromStr;

use firesteel::{HadoopOutput, InputFormat, OutputFormat, WritableClass};

/// The two interfaces that Hadoop has for formats. What is in files is the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Api {
    /// `org.apache.hadoop.mapred`
    Old,
    /// `org.apache.hadoop.mapreduce`
    New,
}

/// A job cannot be done as its settings say.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum JobError {
    #[error(
        "the format {0} is not built into Firesteel yet; of org.apache.hadoop.mapred and org.apache.hadoop.mapreduce.lib those of \
         text and of sequence files are: TextInputFormat, KeyValueTextInputFormat, NLineInputFormat, CombineTextInputFormat, \
         SequenceFileInputFormat, SequenceFileAsTextInputFormat, TextOutputFormat and SequenceFileOutputFormat"
    )]
    Format(String),
    #[error("class {class} not {wanted}")]
    OtherApi { class: String, wanted: &'static str },
    #[error("{0}")]
    Class(#[from] firesteel_filesystem::UnknownWritableError),
    #[error("No input paths specified in job")]
    NoInput,
    #[error("Output directory not set.")]
    NoOutput,
}

impl Api {
    fn package(self, kind: &str) -> String {
        match self {
            Self::Old => "org.apache.hadoop.mapred.".to_owned(),
            Self::New => format!("org.apache.hadoop.mapreduce.lib.{kind}."),
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Old => Self::New,
            Self::New => Self::Old,
        }
    }

    fn file_prefix(self) -> &'static str {
        match self {
            Self::Old => "part-",
            Self::New => "part-r-",
        }
    }

    /// The format that a class reads.
    pub(crate) fn input_format(self, class: &str) -> Result<InputFormat, JobError> {
        let named = |api: Self| match class.strip_prefix(api.package("input").as_str())? {
            "TextInputFormat" => Some(InputFormat::Text),
            "KeyValueTextInputFormat" => Some(InputFormat::KeyValueText),
            "SequenceFileInputFormat" => Some(InputFormat::SequenceFile),
            "SequenceFileAsTextInputFormat" => Some(InputFormat::SequenceFileAsText),
            // The old interface has these in a package of their own.
            other => match (api, other) {
                (Self::Old, "lib.NLineInputFormat") | (Self::New, "NLineInputFormat") => Some(InputFormat::NLine),
                (Self::Old, "lib.CombineTextInputFormat") | (Self::New, "CombineTextInputFormat") => {
                    Some(InputFormat::CombineText)
                }
                _ => None,
            },
        };
        let wanted = match self {
            Self::Old => "org.apache.hadoop.mapred.InputFormat",
            Self::New => "org.apache.hadoop.mapreduce.InputFormat",
        };
        named(self).ok_or_else(|| misnamed(class, wanted, named(self.other()).is_some()))
    }

    /// The format that a class writes.
    pub(crate) fn output_format(self, class: &str) -> Result<OutputFormat, JobError> {
        let named = |api: Self| match class.strip_prefix(api.package("output").as_str()) {
            Some("TextOutputFormat") => Some(OutputFormat::Text),
            Some("SequenceFileOutputFormat") => Some(OutputFormat::SequenceFile),
            _ => None,
        };
        let wanted = match self {
            Self::Old => "org.apache.hadoop.mapred.OutputFormat",
            Self::New => "org.apache.hadoop.mapreduce.OutputFormat",
        };
        named(self).ok_or_else(|| misnamed(class, wanted, named(self.other()).is_some()))
    }
}

fn misnamed(class: &str, wanted: &'static str, is_of_other_api: bool) -> JobError {
    let class = class.to_owned();
    if is_of_other_api { JobError::OtherApi { class, wanted } } else { JobError::Format(class) }
}

/// What a job's properties say, by their names of today and of old.
pub(crate) struct Job<F>(pub(crate) F);

const INPUT_DIRECTORY: [&str; 2] = ["mapreduce.input.fileinputformat.inputdir", "mapred.input.dir"];
const OUTPUT_DIRECTORY: [&str; 2] = ["mapreduce.output.fileoutputformat.outputdir", "mapred.output.dir"];
const OLD_OUTPUT_FORMAT: [&str; 1] = ["mapred.output.format.class"];
const NEW_OUTPUT_FORMAT: [&str; 2] = ["mapreduce.job.outputformat.class", "mapreduce.outputformat.class"];
const KEY_CLASS: [&str; 2] = ["mapreduce.job.output.key.class", "mapred.output.key.class"];
const VALUE_CLASS: [&str; 2] = ["mapreduce.job.output.value.class", "mapred.output.value.class"];

impl<F: Fn(&str) -> Option<String>> Job<F> {
    fn get(&self, keys: &[&str]) -> Option<String> {
        keys.iter().find_map(|key| self.0(key))
    }

    /// Where the input is.
    pub(crate) fn input(&self) -> Result<String, JobError> {
        self.get(&INPUT_DIRECTORY).filter(|paths| !paths.is_empty()).ok_or(JobError::NoInput)
    }

    /// What is to be written. What is not said is as Hadoop has it.
    pub(crate) fn output(&self, api: Api, settings: Vec<(String, String)>) -> Result<HadoopOutput, JobError> {
        let format = match api {
            Api::Old => self.get(&OLD_OUTPUT_FORMAT),
            Api::New => self.get(&NEW_OUTPUT_FORMAT),
        };
        let class = |keys: &[&str], default| {
            self.get(keys).map_or(Ok(default), |name| Ok::<_, JobError>(WritableClass::from_str(&name)?))
        };
        Ok(HadoopOutput {
            format: format.map_or(Ok(OutputFormat::Text), |class| api.output_format(&class))?,
            path: self.get(&OUTPUT_DIRECTORY).filter(|path| !path.is_empty()).ok_or(JobError::NoOutput)?,
            key_class: class(&KEY_CLASS, WritableClass::Long)?,
            value_class: class(&VALUE_CLASS, WritableClass::Text)?,
            file_prefix: api.file_prefix().to_owned(),
            settings,
        })
    }
}

/// What is to be written by the arguments of a call.
pub(crate) fn output(
    api: Api,
    path: &str,
    format: &str,
    (key_class, value_class): (WritableClass, WritableClass),
    settings: Vec<(String, String)>,
) -> Result<HadoopOutput, JobError> {
    Ok(HadoopOutput {
        format: api.output_format(format)?,
        path: path.to_owned(),
        key_class,
        value_class,
        file_prefix: api.file_prefix().to_owned(),
        settings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_their_classes() {
        assert_eq!(Api::Old.input_format("org.apache.hadoop.mapred.TextInputFormat"), Ok(InputFormat::Text));
        let new = "org.apache.hadoop.mapreduce.lib.output.SequenceFileOutputFormat";
        assert_eq!(Api::New.output_format(new), Ok(OutputFormat::SequenceFile));
        let error = Api::Old.output_format(new).unwrap_err().to_string();
        assert_eq!(error, format!("class {new} not org.apache.hadoop.mapred.OutputFormat"));
        let error = Api::New.input_format("com.example.Avro").unwrap_err().to_string();
        assert!(error.starts_with("the format com.example.Avro is not built into Firesteel yet"), "{error}");
    }

    #[test]
    fn a_job_is_what_its_properties_say() {
        let job = |settings: &'static [(&str, &str)]| {
            Job(|key: &str| settings.iter().find(|(own, _)| *own == key).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(job(&[]).input(), Err(JobError::NoInput));
        assert_eq!(job(&[("mapred.input.dir", "/a,/b")]).input(), Ok("/a,/b".to_owned()));
        assert_eq!(job(&[]).output(Api::New, Vec::new()), Err(JobError::NoOutput));
        let least = job(&[("mapred.output.dir", "/a")]).output(Api::New, Vec::new()).unwrap();
        assert_eq!(
            (least.format, least.key_class, least.value_class),
            (OutputFormat::Text, WritableClass::Long, WritableClass::Text)
        );
        assert_eq!((least.path.as_str(), least.file_prefix.as_str()), ("/a", "part-r-"));
        let all = job(&[
            ("mapred.output.format.class", "org.apache.hadoop.mapred.SequenceFileOutputFormat"),
            ("mapreduce.job.output.key.class", "org.apache.hadoop.io.IntWritable"),
            ("mapred.output.value.class", "org.apache.hadoop.io.NullWritable"),
            ("mapreduce.output.fileoutputformat.outputdir", "/b"),
        ]);
        let output = all.output(Api::Old, Vec::new()).unwrap();
        assert_eq!(
            (output.format, output.key_class, output.value_class),
            (OutputFormat::SequenceFile, WritableClass::Int, WritableClass::Null)
        );
        assert_eq!(output.file_prefix, "part-");
        let unknown = job(&[("mapred.output.dir", "/a"), ("mapred.output.key.class", "a.B")]);
        assert!(matches!(unknown.output(Api::Old, Vec::new()), Err(JobError::Class(_))));
    }
}
