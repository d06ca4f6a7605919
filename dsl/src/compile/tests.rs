//! Binding and running of hand-built blocks; random programs against an oracle stand in `oracle`.

pub(crate) mod build;
mod oracle;
