//! An object that is being written to a destination with a fault.

use yore_engine::Result;
use yore_engine::backend::{NewObject, Published};

use super::{Call, Execution, FaultKind, Faulty, failure};

pub(super) struct FaultyObject<'f> {
    pub(super) of: &'f Faulty,
    pub(super) name: String,
    pub(super) inner: Box<dyn NewObject + 'f>,
}

impl NewObject for FaultyObject<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let call = Call::Append(self.name.clone(), bytes.len() as u64);
        let what = format!("{call:?}");
        match self.of.enter(call)? {
            Execution::Do | Execution::Distort(_) => self.inner.append(bytes),
            Execution::DoAndFail(error) => {
                self.inner.append(bytes)?;
                Err(failure(what, error))
            }
            Execution::HalfAndFail(error) => {
                self.inner.append(&bytes[..bytes.len() / 2])?;
                Err(failure(what, error))
            }
        }
    }

    fn publish(self: Box<Self>) -> Result<Published> {
        let Self { of, name, inner } = *self;
        of.distorted(Call::Publish(name), |_, kind| {
            let published = inner.publish()?;
            Ok(if kind == Some(FaultKind::DuplicateCreator) {
                Published::Exists
            } else {
                published
            })
        })
    }

    fn replace(self: Box<Self>) -> Result<()> {
        let Self { of, name, inner } = *self;
        of.run(Call::Replace(name), |_| inner.replace())
    }
}
