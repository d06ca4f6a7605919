//! The command line, as people and scripts meet it: a real child process each time.

mod bad_input;
mod binding;
mod chapter;
mod clear;
mod config;
mod contract;
mod data;
mod help;
mod hostile;
mod journal;
mod level;
mod measured;
mod money;
mod payments;
mod prefix;
mod rerun;
mod rules;
mod signals;
mod tour;
