//! The integration suite: one binary, so that the workspace links once.

#![cfg(test)]

mod alloc;
mod cli;
mod exact;
mod money;
mod oracle;
mod scenario;
mod session;
mod state;
mod tidy;
