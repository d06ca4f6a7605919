//! Tests of the whole crate against real files in temporary directories.

mod damage;
pub(crate) mod faults;
mod faulty_disk;
mod keeper;
mod live;
mod outside;
mod round_trip;
mod summary;
mod support;
mod table;
mod writing;
