//! The part of a writer: the steps (1) to (7).

use super::{Blobs, Mutant, Packs, PruneProtocol, State, Verdict};

/// Holds what a writer remembers, and its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Writer {
    pub(super) stage: WriterStage,
    pub(super) base: u8,
    pub(super) verdict: Verdict,
}

/// Tells how far a writer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum WriterStage {
    /// Has no session, `again` when a newer generation made it abort one.
    Start { again: bool },
    /// Knows its base.
    Listed { condemned: Packs },
    /// Has a session.
    Opened,
    /// Knows that no newer generation came before its session.
    Fenced { condemned: Packs },
    /// Knows the blobs that it has to upload.
    Planned { missing: Blobs },
    /// Has a pack that is not indexed.
    Uploaded,
    /// Has a snapshot without verdict.
    Saved,
    /// Was told that its snapshot counts.
    Committed,
    /// Was told that its session was aborted.
    Failed,
}

/// Names a step of a writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriterStep {
    /// Lists the generations and takes the newest as base.
    ListGenerations,
    /// Creates its session.
    OpenSession,
    /// Lists the generations again, and starts over if there is a newer one.
    ListAgain,
    /// Lists the packs and the index, and finds what is missing.
    ReadIndex,
    /// Uploads a pack of what is missing.
    Upload,
    /// Indexes its pack and saves its snapshot, which nobody looks at before the verdict.
    Save,
    /// Gives its session the verdict `commit`, if it has none.
    Commit,
}

impl Default for Writer {
    fn default() -> Self {
        Self { stage: WriterStage::Start { again: false }, base: 0, verdict: Verdict::Open }
    }
}

impl Writer {
    /// Tells whether its session exists and has no verdict.
    pub(super) fn has_open_session(&self) -> bool {
        use WriterStage::*;
        let exists = !matches!(self.stage, Start { .. } | Listed { .. });
        exists && self.verdict == Verdict::Open
    }

    /// Tells whether it goes on after another party gave its session the verdict `abort`.
    pub(super) fn was_aborted_alive(&self) -> bool {
        use WriterStage::*;
        let alive =
            matches!(self.stage, Opened | Fenced { .. } | Planned { .. } | Uploaded | Saved);
        alive && self.verdict == Verdict::Abort
    }

    /// Tells whether the verdict of its session is what it was told, if anything.
    pub(super) fn was_told(&self) -> bool {
        match self.stage {
            WriterStage::Committed => self.verdict == Verdict::Commit,
            WriterStage::Failed => self.verdict == Verdict::Abort,
            _ => true,
        }
    }

    /// Returns the only step that the writer can take next.
    pub(super) fn next_step(&self) -> Option<WriterStep> {
        match self.stage {
            WriterStage::Start { .. } => Some(WriterStep::ListGenerations),
            WriterStage::Listed { .. } => Some(WriterStep::OpenSession),
            WriterStage::Opened => Some(WriterStep::ListAgain),
            WriterStage::Fenced { .. } => Some(WriterStep::ReadIndex),
            WriterStage::Planned { .. } => Some(WriterStep::Upload),
            WriterStage::Uploaded => Some(WriterStep::Save),
            WriterStage::Saved => Some(WriterStep::Commit),
            WriterStage::Committed | WriterStage::Failed => None,
        }
    }
}

impl PruneProtocol {
    /// Takes the next step of a writer.
    pub(super) fn write(&self, state: &mut State, index: usize) {
        use WriterStage::*;
        let mut writer = state.writers[index];
        writer.stage = match writer.stage {
            Start { .. } | Listed { .. } | Opened => self.open_session(state, &mut writer),
            Fenced { condemned } => {
                let present = state.held(state.usable() & !condemned);
                match self.needs[index] & !present {
                    0 => Saved,
                    missing => Planned { missing },
                }
            }
            Planned { missing } => {
                state.upload(self.packs.len() + index, missing);
                Uploaded
            }
            Uploaded => {
                state.indexed |= 1 << (self.packs.len() + index);
                Saved
            }
            Saved if writer.verdict == Verdict::Open => {
                writer.verdict = Verdict::Commit;
                Committed
            }
            Saved => Failed,
            end @ (Committed | Failed) => end,
        };
        state.writers[index] = writer;
    }

    /// Takes one of the steps that open a session and returns the stage after it.
    fn open_session(&self, state: &State, writer: &mut Writer) -> WriterStage {
        use WriterStage::*;
        let condemned = state.condemned();
        let only_list = self.mutant == Mutant::NoSecondList;
        match writer.stage {
            Listed { condemned } if only_list => Fenced { condemned },
            Listed { .. } => Opened,
            Opened if state.newest() > writer.base => {
                writer.verdict = Verdict::Abort;
                Start { again: true }
            }
            Opened => Fenced { condemned },
            _ => {
                writer.base = state.newest();
                writer.verdict = Verdict::Open;
                Listed { condemned: if only_list { condemned } else { 0 } }
            }
        }
    }
}
