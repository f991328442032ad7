//! Apache Spark in Rust.

#![deny(unsafe_code)]

mod accumulator;
mod action;
mod actions;
mod application_files;
mod approximate;
mod barrier;
mod broadcast;
mod cache;
mod call_site;
mod checkpoint;
mod clean;
mod cluster;
mod cluster_manager;
mod combine_by_key;
mod context;
mod data;
mod describe;
mod driver_metrics;
mod dynamic_allocation;
mod end_line;
mod env;
mod error;
mod event_log;
#[doc(hidden)]
pub mod examples;
mod executor_process;
mod executor_requests;
mod exit;
mod fair_scheduler_file;
mod files;
mod future_action;
mod hadoop;
mod hadoop_files;
mod hadoop_output;
mod interruptible;
mod io_encryption;
mod job_canceller;
mod job_control;
mod joins;
mod keyed;
mod launch;
mod lineage;
mod listeners;
mod local_cluster;
mod local_properties;
mod logging;
mod node;
mod numeric;
mod operator;
mod ordered;
mod output_commit;
mod pairs;
mod partitioner;
mod partitions;
mod persist;
mod pieces;
mod pipe;
mod rdd;
mod remote_files;
mod resource_profile;
mod resource_profiles;
mod resources;
mod runner;
mod sampling;
mod save;
mod sets;
mod settings;
mod shuffle;
mod spill;
mod stage_binary;
mod stage_lineage;
mod stages;
mod standalone;
mod stat_counter;
mod status_tracker;
mod take;
mod trees;
mod weak;
mod with;
mod writing;
pub use accumulator::{Accumulate, Accumulator};
pub use actions::LocalIterator;
pub use application_files::SparkFiles;
pub use approximate::{BoundedDouble, PartialResult};
pub use barrier::{BarrierTaskContext, BarrierTaskInfo, RddBarrier};
pub use broadcast::{Broadcast, BroadcastError};
pub use cluster_manager::{ClusterLayout, ClusterRequest, ExternalClusterManager, register_cluster_manager};
pub use context::SparkContext;
pub use data::{Data, Key, Records};
pub use describe::{Dependency, PartitionerInfo};
pub use env::Env;
pub use error::SparkError;
pub use firesteel_conf::{LogLevel, SparkConf};
pub use firesteel_filesystem::{Codec, Writable, WritableClass};
pub use firesteel_messages::{Executable, FileSource};
pub use firesteel_model::{
    ExecutorId, ExecutorLossReason, JobId, ListenerEvent, ResourceInformation, StageId, StorageLevel, TaskEndReason,
};
pub use firesteel_scheduler::LostOutputs;
pub use firesteel_scheduler_backend::{ClusterManager, ExecutorExit, ExecutorRequest, ManagerEvents};
pub use future_action::FutureAction;
pub use hadoop::HadoopConfiguration;
pub use hadoop_files::{HadoopInput, InputFormat};
pub use hadoop_output::{HadoopOutput, OutputFormat};
pub use job_canceller::JobCanceller;
pub use launch::{Application, leave_interrupts, main};
pub use local_properties::InheritedLocalProperties;
pub use numeric::Number;
pub use partitioner::{HashPartitioner, Partitioner, Partitioning, RangePartitioner};
pub use persist::{ExecutorMemory, RddStorageInfo};
pub use pipe::PipeCommand;
pub use rdd::Rdd;
pub use resource_profile::{ResourceProfile, ResourceProfileError, TaskResourceRequest, TaskResourceRequests};
pub use stat_counter::StatCounter;
pub use status_tracker::{SparkExecutorInfo, SparkJobInfo, SparkStageInfo, StatusTracker};
pub use weak::WeakRdd;
pub use with::With;

/// The samples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}
