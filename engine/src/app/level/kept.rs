//! The level that a data folder keeps.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Order, are_given, number};
use crate::app::exit::Failure;

/// The level that a data folder keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Kept {
    pub(super) level: u8,
    pub(super) by: String,
    pub(super) reason: String,
    /// The level before, where one person has lowered it and no session was there to say that it
    /// takes two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) alone: Option<u8>,
}

impl Kept {
    /// Returns what a session says is in force.
    pub(super) fn of(Order { level, by, reason }: Order) -> Self {
        Self { level, by, reason, alone: None }
    }

    /// Returns what is kept once an order came that no session heard.
    pub(super) fn then(self, order: Order) -> Self {
        let before = self.alone.unwrap_or(self.level).max(self.level);
        let signs = are_given(&order.by, &order.reason) && number(&order.by) != number(&self.by);
        let agrees = order.level == self.level && self.alone.is_some() && signs;
        let alone = (order.level < before && !agrees).then_some(before);
        Self { alone, ..Self::of(order) }
    }

    /// Returns the level at which a session starts that it takes two people to lower, or one.
    pub(super) fn start(&self, takes_two: bool) -> u8 {
        self.alone.filter(|_| takes_two).unwrap_or(self.level)
    }

    fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("level.json")
    }

    /// Reads what is kept; a folder without it is at level 0.
    ///
    /// # Errors
    /// [`Failure::Usage`] when it cannot be read: an unknown level is not taken for none.
    pub(super) fn read(data_dir: &Path) -> Result<Self, Failure> {
        let path = Self::path(data_dir);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => {
                return Err(Failure::usage(format!("read {}: {error}", path.display())));
            }
        };
        let sound = serde_json::from_str(&text).map_err(|error| error.to_string());
        let sound = sound.and_then(|kept: Self| match kept.level.max(kept.alone.unwrap_or(0)) {
            0..=engine::levels::FLATTEN => Ok(kept),
            other => Err(format!("there is no level {other}")),
        });
        sound.map_err(|error| {
            Failure::usage(format!(
                "{} does not say which level is in force: {error}; state it with `engine level N \
                 --by NAME --reason TEXT` after you have moved the file away",
                path.display()
            ))
        })
    }

    /// Keeps it: whole or not at all.
    ///
    /// # Errors
    /// [`Failure::Internal`] when the disk refuses.
    pub(in super::super) fn write(&self, data_dir: &Path) -> Result<(), Failure> {
        let path = Self::path(data_dir);
        let new = path.with_extension("new");
        let text = serde_json::to_string(self).unwrap_or_default();
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(data_dir)?;
            let mut file = File::create(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&new, &path)?;
            File::open(data_dir)?.sync_all()
        };
        let written = write();
        written.map_err(|error| {
            Failure::Internal(anyhow::anyhow!("keep the level in {}: {error}", path.display()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(level: u8, by: &str) -> Order {
        Order { level, by: by.to_owned(), reason: "seen".to_owned() }
    }

    #[test]
    fn what_one_person_lowers_where_nobody_hears_it_is_kept_as_such() {
        let halted = Kept::default().then(order(2, ""));
        assert_eq!((halted.start(true), halted.start(false)), (2, 2), "raised by anyone");
        let alone = halted.then(order(0, "ann"));
        assert_eq!((alone.start(true), alone.start(false)), (2, 0));
        assert_eq!(alone.clone().then(order(0, "ann")).start(true), 2, "the same person twice");
        assert_eq!(alone.clone().then(order(0, "")).start(true), 2, "nobody");
        assert_eq!(alone.clone().then(order(1, "bob")).start(true), 2, "another level");
        assert_eq!(alone.clone().then(order(0, "bob")).start(true), 0);
        let raised = alone.then(order(3, ""));
        assert_eq!((raised.start(true), raised.start(false)), (3, 3));
    }
}
