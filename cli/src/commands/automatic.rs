//! Commands of backups that are made by themselves: schedule, watch, drill, alerts, history.

pub mod alert;
pub mod drill;
pub mod history;
pub mod papers;
pub mod schedule;
pub mod watch;
