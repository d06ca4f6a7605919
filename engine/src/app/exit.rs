//! How a command ends: the exit codes of the program.
//!
//! 0 fine, 1 a finding (a difference, a test that failed), 2 wrong usage or configuration, 3
//! corrupt data, 70 an internal fault: a defect or a failed disk, that of stdout included.

use engine::explain::ExplainError;
use engine::program::RulesError;
use engine::replay::ReplayError;
use engine::session::SessionError;
use engine::session::journaled::JournaledError;
use engine::session::resume::ResumeError;
use journal::ReadError;

use super::config::Faults;
use super::data::DataError;

/// Exit code of a finding.
pub(super) const FINDING: u8 = 1;
/// Exit code of wrong usage or configuration.
pub(super) const USAGE: u8 = 2;
/// Exit code of damaged data.
pub(super) const CORRUPT: u8 = 3;
/// Exit code of an internal fault.
pub(super) const INTERNAL: u8 = 70;

/// What a command that ran to its end found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// All is well.
    Nothing,
    /// There is something to look at.
    Something,
    /// What was read is damaged, as the result says.
    Damage,
}

/// Why a command did not run to its end.
#[derive(Debug)]
pub(super) enum Failure {
    /// Wrong usage or configuration: exit code 2.
    Usage(anyhow::Error),
    /// Rules that cannot be used: exit code 2, drawn under their lines.
    Rules(Box<RulesError>),
    /// A configuration that cannot be used: exit code 2, drawn likewise.
    Config(Box<Faults>),
    /// Data that is not what it says: exit code 3.
    Corrupt(anyhow::Error),
    /// A defect or a failed disk: exit code 70.
    Internal(anyhow::Error),
}

impl Failure {
    /// Returns the exit code.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Rules(_) | Self::Config(_) => USAGE,
            Self::Corrupt(_) => CORRUPT,
            Self::Internal(_) => INTERNAL,
        }
    }

    /// Returns a usage failure with a text.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(anyhow::anyhow!(text.into()))
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        match error {
            DataError::Damaged { .. } => Self::Corrupt(error.into()),
            DataError::Journal(error) => (*error).into(),
            other => Self::Usage(other.into()),
        }
    }
}

impl From<Box<RulesError>> for Failure {
    fn from(error: Box<RulesError>) -> Self {
        Self::Rules(error)
    }
}

impl From<ExplainError> for Failure {
    fn from(error: ExplainError) -> Self {
        match error {
            ExplainError::Replay(error) => error.into(),
            differs @ ExplainError::Differs { .. } => Self::Usage(differs.into()),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Corrupt { .. } => Self::Corrupt(error.into()),
            other => Self::Usage(other.into()),
        }
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Rules(error) => Self::Rules(error),
            SessionError::Setup(_) | SessionError::NoData | SessionError::Snapshot(_) => {
                Self::Usage(error.into())
            }
            SessionError::Pipeline(_) | SessionError::JournalLost => Self::Internal(error.into()),
        }
    }
}

impl From<JournaledError> for Failure {
    fn from(error: JournaledError) -> Self {
        match error {
            JournaledError::Session(error) => error.into(),
            JournaledError::Open(_) => Self::Usage(error.into()),
            JournaledError::Append(_)
            | JournaledError::Record(_)
            | JournaledError::Metadata(_)
            | JournaledError::Thread(_)
            | JournaledError::Panicked => Self::Internal(error.into()),
        }
    }
}

impl From<ResumeError> for Failure {
    fn from(error: ResumeError) -> Self {
        match error {
            ResumeError::Replay(error) => error.into(),
            ResumeError::Open(_) | ResumeError::Ended { .. } | ResumeError::Nothing { .. } => {
                Self::Usage(error.into())
            }
            ResumeError::Corrupt { .. } => Self::Corrupt(error.into()),
            // The state that was killed is not known: whatever the cause, nothing may go on.
            ResumeError::Diverged { .. } => Self::Internal(error.into()),
        }
    }
}

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Read(error) => error.into(),
            ReplayError::Rules(error) => Self::Rules(error),
            ReplayError::Session(error) => error.into(),
            ReplayError::Semantics { .. }
            | ReplayError::NoMetadata
            | ReplayError::Continued { .. } => Self::Usage(error.into()),
            ReplayError::Tape(_) | ReplayError::Metadata(_) => Self::Corrupt(error.into()),
        }
    }
}
