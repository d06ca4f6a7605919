//! Tests of the whole crate against real files in temporary directories.

mod damage;
pub(crate) mod faults;
mod faulty_disk;
mod keeper;
mod round_trip;
mod support;
mod table;
mod writing;
