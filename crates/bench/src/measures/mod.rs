//! The measures, one module each.

mod executor_memory;
mod join;
mod many_tasks_memory;
mod no_op_tasks;
mod one_task_job;
mod page_rank;
mod python;
mod shuffle_fetch;
mod sort_by_key;
mod sort_records;
mod spark_pi;
mod word_count;

use crate::measure::Measure;

/// All, in the order of the table.
pub const ALL: [&Measure; 22] = [
    &spark_pi::MEASURE,
    &no_op_tasks::LOCAL,
    &no_op_tasks::LOCAL_CLUSTER,
    &one_task_job::LOCAL,
    &one_task_job::LOCAL_CLUSTER,
    &executor_memory::MEASURE,
    &many_tasks_memory::MEASURE,
    &word_count::MEASURE,
    &sort_by_key::MEASURE,
    &sort_records::IN_MEMORY,
    &sort_records::BEYOND_MEMORY,
    &join::MEASURE,
    &page_rank::MEASURE,
    &shuffle_fetch::MEASURE,
    &shuffle_fetch::BESIDE_PAIR,
    &python::PI,
    &python::NO_OP_TASKS,
    &python::WORD_COUNT,
    &python::SORT_BY_KEY,
    &python::CACHED_ITERATIONS,
    &python::COLLECT,
    &python::BROADCAST,
];
