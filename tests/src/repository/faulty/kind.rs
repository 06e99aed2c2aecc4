//! The table of faults that a destination can have.

use std::io::ErrorKind;

use super::Call;

/// The moment of a fault, relative to the effect of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The call has no effect.
    Before,
    /// The call has its effect, and its caller gets an error.
    After,
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// One call fails.
    Once(ErrorKind, When),
    /// Three calls in a row fail before their effect.
    Thrice(ErrorKind),
    /// Half of an append has its effect before the connection is reset.
    TornAppend,
    /// Every write from this one on fails before its effect.
    WritesFail(ErrorKind),
    /// No later call has an effect; this one may have its own.
    Crash(When),
    /// Half of an append has its effect, and no later call has one.
    CrashInAppend,
    /// A read ends early.
    ShortRead,
    /// A bit of a read is another one.
    FlippedBit,
    /// The object of this call is truncated from now on.
    Truncated,
    /// Lists from this one on lack what was published within the last calls.
    StaleLists,
    /// A list lacks an object.
    ListLacksOne,
    /// A list is empty.
    ListIsEmpty,
    /// An object or all objects of a list are a byte larger than they are.
    SizeTooLarge,
    /// An object or all objects of a list are a byte smaller than they are.
    SizeTooSmall,
    /// An object that exists is not there for this call.
    IsMissing,
    /// Another creator publishes the same object first.
    DuplicateCreator,
    /// A call does not return until it is released.
    Hang,
    /// Another repository is at the destination from now on.
    OtherRepository,
    /// Nothing is at the destination from now on.
    NothingThere,
    /// Deletions have no effect from now on.
    DeletesIgnored,
    /// Every call from now on takes a millisecond more.
    Slow,
}

/// What must become of an operation over the layer that repeats requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It succeeds.
    Success,
    /// It succeeds, or fails with an error.
    SuccessOrError,
}

use Expected::{Success, SuccessOrError};
use FaultKind::*;

/// Every fault with its name, and what must become of an operation that meets it.
pub const FAULTS: [(&str, FaultKind, Expected); 37] = [
    ("a request times out", Once(ErrorKind::TimedOut, When::Before), Success),
    ("the connection is reset", Once(ErrorKind::ConnectionReset, When::Before), Success),
    ("the connection is aborted", Once(ErrorKind::ConnectionAborted, When::Before), Success),
    ("the connection is refused", Once(ErrorKind::ConnectionRefused, When::Before), Success),
    ("the connection is closed", Once(ErrorKind::BrokenPipe, When::Before), Success),
    ("the host is unreachable", Once(ErrorKind::HostUnreachable, When::Before), Success),
    ("the network is unreachable", Once(ErrorKind::NetworkUnreachable, When::Before), Success),
    ("the server is busy", Once(ErrorKind::ResourceBusy, When::Before), Success),
    ("the answer is lost by a reset", Once(ErrorKind::ConnectionReset, When::After), Success),
    ("the answer is lost by a timeout", Once(ErrorKind::TimedOut, When::After), Success),
    ("the server is busy for three requests", Thrice(ErrorKind::ResourceBusy), Success),
    ("the network is gone for three requests", Thrice(ErrorKind::NetworkDown), Success),
    ("an append is torn", TornAppend, Success),
    ("an error of no known kind", Once(ErrorKind::Other, When::Before), SuccessOrError),
    (
        "an error of no known kind after the effect",
        Once(ErrorKind::Other, When::After),
        SuccessOrError,
    ),
    ("one permission is missing", Once(ErrorKind::PermissionDenied, When::Before), SuccessOrError),
    ("an answer makes no sense", Once(ErrorKind::InvalidData, When::Before), SuccessOrError),
    (
        "the disk is full for one request",
        Once(ErrorKind::StorageFull, When::Before),
        SuccessOrError,
    ),
    ("the disk is full from now on", WritesFail(ErrorKind::StorageFull), SuccessOrError),
    (
        "the disk is read-only from now on",
        WritesFail(ErrorKind::ReadOnlyFilesystem),
        SuccessOrError,
    ),
    (
        "writing is not permitted from now on",
        WritesFail(ErrorKind::PermissionDenied),
        SuccessOrError,
    ),
    ("a crash before the effect", Crash(When::Before), SuccessOrError),
    ("a crash after the effect", Crash(When::After), SuccessOrError),
    ("a crash in an append", CrashInAppend, SuccessOrError),
    ("a read ends early", ShortRead, Success),
    ("a read has a flipped bit", FlippedBit, SuccessOrError),
    ("an object is truncated", Truncated, SuccessOrError),
    ("lists are stale", StaleLists, SuccessOrError),
    ("a list lacks an object", ListLacksOne, SuccessOrError),
    ("a list is empty", ListIsEmpty, SuccessOrError),
    ("a size is too large", SizeTooLarge, SuccessOrError),
    ("a size is too small", SizeTooSmall, SuccessOrError),
    ("an object is missing once", IsMissing, SuccessOrError),
    ("another creator of the same bytes wins", DuplicateCreator, SuccessOrError),
    ("a request hangs", Hang, Success),
    ("another repository is there", OtherRepository, SuccessOrError),
    ("nothing is there", NothingThere, SuccessOrError),
];

/// Faults that change nothing for the operations that are tried so far, each tried once.
pub const HARMLESS_FAULTS: [(&str, FaultKind, Expected); 2] =
    [("deletes are ignored", DeletesIgnored, Success), ("every request is slow", Slow, Success)];

impl FaultKind {
    /// Returns true for lists that lack objects, as those of an earlier moment do.
    pub fn shows_less(self) -> bool {
        matches!(self, StaleLists | ListLacksOne | ListIsEmpty)
    }

    /// Returns true if a fault of this kind can happen at a call.
    pub fn concerns(self, call: &Call) -> bool {
        match self {
            TornAppend | CrashInAppend => matches!(call, Call::Append(..)),
            ShortRead | FlippedBit => call.is_read(),
            Truncated | IsMissing => matches!(call, Call::Read(..) | Call::Size(_)),
            StaleLists | ListLacksOne | ListIsEmpty => matches!(call, Call::List(_)),
            SizeTooLarge | SizeTooSmall => matches!(call, Call::Size(_) | Call::List(_)),
            DuplicateCreator => matches!(call, Call::Publish(_)),
            WritesFail(_) => call.is_write(),
            Once(..) | Thrice(_) | Crash(_) | Hang | OtherRepository | NothingThere => true,
            DeletesIgnored | Slow => true,
        }
    }
}
