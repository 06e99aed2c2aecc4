//! An object that is written anew after a temporary failure.

use super::Retry;
use super::replay::Replay;
use super::wait::Attempts;
use crate::backend::{NewObject, Published};
use crate::error::{Error, Result};
use crate::format::object::ObjectName;

/// The size of the pieces in which a stored object is compared.
const PIECE: u64 = 1 << 20;

/// An object whose appended bytes are kept until it is published.
pub(super) struct RetriedObject<'r> {
    retry: &'r Retry,
    name: ObjectName,
    kept: Replay,
    /// The object at the destination; `None` after a failure.
    inner: Option<Box<dyn NewObject + 'r>>,
}

/// The last step of writing an object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finish {
    Publish,
    Replace,
}

impl<'r> RetriedObject<'r> {
    /// Begins an object, which exists at a destination once it is published.
    pub(super) fn create(retry: &'r Retry, name: &ObjectName) -> Result<Self> {
        let inner = Some(retry.repeat(|| retry.inner.create(name))?);
        let kept = Replay::new(retry.scratch.clone());
        Ok(Self { retry, name: name.clone(), kept, inner })
    }

    /// Begins the object anew at the destination, with all that was appended.
    fn begin_again(&mut self, attempts: &mut Attempts<'_>) -> Result<Box<dyn NewObject + 'r>> {
        let mut object = self.retry.inner.create(&self.name)?;
        self.kept.each_piece(|piece| {
            object.append(piece)?;
            attempts.progressed();
            Ok(())
        })?;
        Ok(object)
    }

    /// Finishes the object, as often as it takes.
    fn finish(&mut self, finish: Finish) -> Result<Published> {
        let mut attempts = self.retry.waits.attempts();
        // Whether the destination may have done what was requested, although its answer is not known.
        let mut is_unknown = false;
        loop {
            let outcome = match self.inner.take() {
                Some(object) => {
                    let outcome = finish.run(object);
                    is_unknown |= outcome.is_err();
                    outcome
                }
                None => match self.answer(is_unknown && finish == Finish::Publish, &mut attempts) {
                    Ok(Some(known)) => Ok(known),
                    // The object was begun again, and is finished in the next round.
                    Ok(None) => continue,
                    Err(error) => Err(error),
                },
            };
            match outcome {
                Ok(Published::Exists) if is_unknown => {
                    let Some(same) = self.is_stored()? else { continue };
                    return Ok(if same { Published::Created } else { Published::Exists });
                }
                Ok(published) => {
                    self.retry.waits.answered();
                    return Ok(published);
                }
                Err(error) => attempts.wait_out(error)?,
            }
        }
    }

    /// Finds out whether an object whose answer was lost exists already; otherwise begins it again.
    fn answer(
        &mut self,
        is_unknown: bool,
        attempts: &mut Attempts<'_>,
    ) -> Result<Option<Published>> {
        if is_unknown && self.retry.inner.size(&self.name)?.is_some() {
            return Ok(Some(Published::Exists));
        }
        self.inner = Some(self.begin_again(attempts)?);
        Ok(None)
    }

    /// Compares the object at the destination with the bytes that were appended; `None` when it is not there.
    fn is_stored(&mut self) -> Result<Option<bool>> {
        let (retry, name) = (self.retry, &self.name);
        let Some(size) = retry.repeat(|| retry.inner.size(name))? else { return Ok(None) };
        if size != self.kept.len() {
            return Ok(Some(false));
        }
        let (mut offset, mut same) = (0, true);
        let compared = self.kept.each_piece(|piece| {
            for piece in piece.chunks(PIECE as usize) {
                let end = offset + piece.len() as u64;
                let stored = retry.repeat(|| retry.inner.read(name, offset..end))?;
                same &= *stored == *piece;
                offset = end;
            }
            Ok(())
        });
        match compared {
            Ok(()) => Ok(Some(same)),
            Err(Error::Missing { .. }) => Ok(None),
            Err(Error::Damaged { .. }) => Ok(Some(false)),
            Err(error) => Err(error),
        }
    }
}

impl Finish {
    fn run(self, object: Box<dyn NewObject + '_>) -> Result<Published> {
        match self {
            Finish::Publish => object.publish(),
            Finish::Replace => object.replace().map(|()| Published::Created),
        }
    }
}

impl NewObject for RetriedObject<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.kept.push(bytes)?;
        let mut attempts = self.retry.waits.attempts();
        let mut appended = self.inner.as_mut().map(|object| object.append(bytes));
        while !matches!(appended, Some(Ok(()))) {
            self.inner = None;
            if let Some(Err(error)) = appended {
                attempts.wait_out(error)?;
            }
            let begun = self.begin_again(&mut attempts);
            appended = Some(begun.map(|object| self.inner = Some(object)));
        }
        self.retry.waits.answered();
        Ok(())
    }

    fn publish(mut self: Box<Self>) -> Result<Published> {
        self.finish(Finish::Publish)
    }

    fn replace(mut self: Box<Self>) -> Result<()> {
        self.finish(Finish::Replace).map(drop)
    }
}
