//! What a worker is told of its task.
//!
//! Numbers are big-endian; a text is its length as 32 bits and its UTF-8.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{Broadcasts, Release, output::special};

/// PySpark's type of a function on whole partitions of an RDD.
const NON_UDF: i32 = 0;

/// A task's context, as `TaskContext.get()` shows it in Python. The names are the protocol's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskContextInfo {
    /// Does it run in a barrier stage?
    pub is_barrier: bool,
    /// The port of the barrier's server; -1 if there is none.
    pub conn_info: i32,
    /// Its secret.
    pub secret: String,
    /// The stage.
    pub stage_id: u32,
    /// The task's partition.
    pub partition_id: u32,
    /// How often the task was launched before.
    pub attempt_number: u32,
    /// The attempt, unique in the application.
    pub task_attempt_id: u64,
    /// Its cores.
    pub cpus: u32,
    /// The same as a decimal number.
    pub cpu_amount: String,
    /// Its custom resources by name.
    pub resources: BTreeMap<String, TaskResource>,
    /// What the thread that started the job had set.
    pub local_properties: BTreeMap<String, String>,
}

impl TaskContextInfo {
    /// Before it was JSON.
    fn put(&self, release: Release, body: &mut Vec<u8>) {
        body.push(u8::from(self.is_barrier));
        if self.is_barrier || release.always_has_barrier_server() {
            put_number(body, self.conn_info);
            put_text(body, &self.secret);
        }
        put_number(body, self.stage_id as i32);
        put_number(body, self.partition_id as i32);
        put_number(body, self.attempt_number as i32);
        body.extend(self.task_attempt_id.to_be_bytes());
        put_number(body, self.cpus as i32);
        put_count(body, self.resources.len());
        for (name, resource) in &self.resources {
            put_text(body, name);
            put_text(body, &resource.name);
            put_count(body, resource.addresses.len());
            resource.addresses.iter().for_each(|address| put_text(body, address));
        }
        put_count(body, self.local_properties.len());
        for (key, value) in &self.local_properties {
            put_text(body, key);
            put_text(body, value);
        }
    }
}

/// A custom resource.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TaskResource {
    /// Its name.
    pub name: String,
    /// What the task may use.
    pub addresses: Vec<String>,
}

/// One task, for a worker.
#[derive(Clone, Debug)]
pub struct TaskInput<'a> {
    /// The partition of the data set, which is not the task's where the data set is part of a union.
    pub partition: u32,
    /// Python's version on the driver, `3.11`. A worker of another one refuses the task.
    pub python_version: &'a str,
    /// The context.
    pub context: &'a TaskContextInfo,
    /// Where the application's files are.
    pub files_directory: &'a str,
    /// Those that are put on the path of modules.
    pub includes: &'a [String],
    /// The broadcast values that the task needs, and where they are.
    pub broadcasts: &'a Broadcasts,
    /// The pickled function, with its serializers.
    pub command: &'a [u8],
}

impl TaskInput<'_> {
    /// What starts a task in a worker of this release that knows the broadcast values `known`: it is told to forget those that
    /// this task does not need, and where the new ones are.
    pub fn encode(&self, release: Release, known: &mut BTreeSet<i64>) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.command.len() + 1024);
        put_number(&mut body, self.partition as i32);
        put_text(&mut body, self.python_version);
        if release.has_json_context() {
            let context = serde_json::to_string(self.context).expect("texts, numbers and maps of them are JSON");
            put_text(&mut body, &context);
        } else {
            self.context.put(release, &mut body);
        }
        put_text(&mut body, self.files_directory);
        put_count(&mut body, self.includes.len());
        self.includes.iter().for_each(|include| put_text(&mut body, include));
        self.broadcasts.put(&mut body, known);
        put_number(&mut body, NON_UDF);
        if release.has_json_context() {
            // Settings of runners and of evaluation, which RDDs have none of.
            put_count(&mut body, 0);
            put_count(&mut body, 0);
        }
        encode_element(self.command, &mut body);
        if !release.has_init_message() {
            return body;
        }
        let mut message = Vec::with_capacity(body.len() + 8);
        put_number(&mut message, special::START_OF_INIT_MESSAGE);
        encode_element(&body, &mut message);
        message
    }

    /// What ends the input.
    pub fn encode_end(output: &mut Vec<u8>) {
        put_number(output, special::END_OF_DATA_SECTION);
        put_number(output, special::END_OF_STREAM);
    }
}

/// Appends an element: its length and its bytes. Panics if it has 2 GiB or more, which the protocol cannot say; whoever makes
/// elements checks that.
pub fn encode_element(bytes: &[u8], output: &mut Vec<u8>) {
    put_count(output, bytes.len());
    output.extend_from_slice(bytes);
}

pub(crate) fn put_number(output: &mut Vec<u8>, number: i32) {
    output.extend(number.to_be_bytes());
}

pub(crate) fn put_count(output: &mut Vec<u8>, count: usize) {
    put_number(output, i32::try_from(count).expect("an element has less than 2 GiB"));
}

pub(crate) fn put_text(output: &mut Vec<u8>, text: &str) {
    encode_element(text.as_bytes(), output);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> TaskContextInfo {
        TaskContextInfo {
            is_barrier: false,
            conn_info: -1,
            secret: String::new(),
            stage_id: 1,
            partition_id: 2,
            attempt_number: 0,
            task_attempt_id: 7,
            cpus: 1,
            cpu_amount: "1".into(),
            resources: BTreeMap::new(),
            local_properties: BTreeMap::from([("a".into(), "b".into())]),
        }
    }

    /// As the reader of PySpark 4.3 wants it, byte by byte.
    #[test]
    fn the_message_that_starts_a_task() {
        let json = r#"{"isBarrier":false,"connInfo":-1,"secret":"","stageId":1,"partitionId":2,"attemptNumber":0,"taskAttemptId":7,"cpus":1,"cpuAmount":"1","resources":{},"localProperties":{"a":"b"}}"#;
        let mut body = b"\0\0\0\x05\0\0\0\x043.11".to_vec();
        body.extend(b"\0\0\0\xb1");
        body.extend(json.as_bytes());
        body.extend(b"\0\0\0\x02/f\0\0\0\x01\0\0\0\x05m.zip");
        // Not encrypted; two changes: 3 is forgotten, 4 is new.
        body.extend(b"\0\0\0\0\x02\xff\xff\xff\xff\xff\xff\xff\xfc\0\0\0\0\0\0\0\x04\0\0\0\x02/b");
        body.extend(b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x03abc");
        let mut expected = b"\xff\xff\xff\xf8".to_vec();
        expected.extend((body.len() as u32).to_be_bytes());
        expected.extend(body);

        let context = context();
        let broadcasts = Broadcasts::Files(BTreeMap::from([(4, "/b".to_owned()), (5, "/known".to_owned())]));
        let input = TaskInput {
            partition: 5,
            python_version: "3.11",
            context: &context,
            files_directory: "/f",
            includes: &["m.zip".to_owned()],
            broadcasts: &broadcasts,
            command: b"abc",
        };
        let mut known = BTreeSet::from([3, 5]);
        assert_eq!(input.encode(Release::V4_3, &mut known), expected);
        assert_eq!(known, BTreeSet::from([4, 5]));
        // Before there was a message around it.
        assert_eq!(input.encode(Release::V4_2, &mut BTreeSet::from([3, 5])), expected[8..]);
    }

    #[test]
    fn before_4_2_a_context_was_no_json() {
        let name = || "gpu".to_owned();
        let resource = TaskResource { name: name(), addresses: vec!["0".into()] };
        let context = TaskContextInfo { resources: BTreeMap::from([(name(), resource)]), ..context() };
        let input = TaskInput {
            partition: 5,
            python_version: "3.11",
            context: &context,
            files_directory: "/f",
            includes: &[],
            broadcasts: &Broadcasts::Files(BTreeMap::new()),
            command: b"abc",
        };
        let server: &[u8] = b"\xff\xff\xff\xff\0\0\0\0";
        for (release, server) in [(Release::V3_5, server), (Release::V4_0, server), (Release::V4_1, &[])] {
            let mut expected = b"\0\0\0\x05\0\0\0\x043.11\0".to_vec();
            expected.extend(server);
            // Stage, partition, attempt, the attempt's number, cores.
            expected.extend(b"\0\0\0\x01\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\x07\0\0\0\x01");
            expected.extend(b"\0\0\0\x01\0\0\0\x03gpu\0\0\0\x03gpu\0\0\0\x01\0\0\0\x010");
            expected.extend(b"\0\0\0\x01\0\0\0\x01a\0\0\0\x01b");
            // Files, no includes, no broadcast values, the type of function.
            expected.extend(b"\0\0\0\x02/f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x03abc");
            assert_eq!(input.encode(release, &mut BTreeSet::new()), expected, "{release:?}");
        }
    }

    #[test]
    fn the_input_ends_with_two_marks() {
        let mut output = Vec::new();
        TaskInput::encode_end(&mut output);
        assert_eq!(output, b"\xff\xff\xff\xff\xff\xff\xff\xfc");
    }
}
