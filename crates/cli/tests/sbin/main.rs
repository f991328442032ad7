//! The scripts in `sbin/`, run as people run them, with a fake `ssh` (SA-01…11).

mod cluster;
mod daemon;
#[path = "../installation/mod.rs"]
mod installation;
mod start_and_stop;
mod workers;
