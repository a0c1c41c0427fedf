//! Exit codes, the same for every binary.

/// The process's exit code for an error.
pub trait ExitKind {
    /// 2 usage or settings; 3 bad input data or artifact; 4 device or library; 130 interrupted; 1
    /// anything else.
    fn exit_code(&self) -> u8;
}

impl ExitKind for artifact::Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Io(_) | Self::Write { .. } | Self::Locked { .. } => 1,
            Self::OutputNotEmpty { .. } | Self::OutputFilled { .. } => 2,
            _ => 3,
        }
    }
}

impl ExitKind for fetch::Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Interrupted => 130,
            Self::Io(_)
            | Self::Unreachable { .. }
            | Self::TooManyRequests { .. }
            | Self::Status { .. }
            | Self::Busy { .. } => 1,
            _ => 3,
        }
    }
}
