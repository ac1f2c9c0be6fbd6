//! File descriptors that are kept for the store.
//!
//! Connections, and whatever else runs in the process, can use up the descriptors that it may have. A log that cannot open its next file
//! then would end the broker, so some descriptors are held open for nothing and are given up when a file cannot be opened.
//! **Invariant**: an opening fails for want of descriptors only after all of the reserve was given up.

use std::fs::File;
use std::io;

use parking_lot::Mutex;

use super::system::is_out_of_descriptors;

/// A log file, a segment file and a checkpoint may be opened at the same time, each together with its directory.
const KEPT: usize = 8;

/// Descriptors that are open for nothing.
#[derive(Debug)]
pub(super) struct Reserve {
    /// What the others are copies of.
    original: File,
    kept: Mutex<Vec<File>>,
}

impl Reserve {
    /// A reserve of copies of this descriptor.
    ///
    /// # Errors
    /// When not even one copy can be made.
    pub(super) fn of(original: &File) -> io::Result<Self> {
        let reserve = Self { original: original.try_clone()?, kept: Mutex::default() };
        reserve.fill();
        Ok(reserve)
    }

    /// Opens something; if there is no descriptor for it, with one of those that are kept.
    ///
    /// # Errors
    /// What `open` fails with, for want of descriptors only when none is kept any more.
    pub(super) fn open<T>(&self, open: impl Fn() -> io::Result<T>) -> io::Result<T> {
        loop {
            match open() {
                Ok(opened) => {
                    // At once, also if this opening needed none: descriptors may be free again that
                    // were not the last time.
                    self.fill();
                    return Ok(opened);
                }
                Err(error) if is_out_of_descriptors(&error) && self.kept.lock().pop().is_some() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Keeps as many as there should be, or as can be had now.
    fn fill(&self) {
        let mut kept = self.kept.lock();
        while kept.len() < KEPT
            && let Ok(copy) = self.original.try_clone()
        {
            kept.push(copy);
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn out_of_descriptors() -> io::Error {
        rustix::io::Errno::MFILE.into()
    }

    fn reserve() -> Reserve {
        Reserve::of(&File::open("/").unwrap()).unwrap()
    }

    #[test]
    fn what_is_kept_is_given_up_until_there_is_a_descriptor() {
        let (reserve, tries) = (reserve(), Cell::new(0));
        let opened = reserve.open(|| {
            tries.set(tries.get() + 1);
            if tries.get() == 3 { Ok(reserve.kept.lock().len()) } else { Err(out_of_descriptors()) }
        });
        assert_eq!(opened.unwrap(), KEPT - 2);
        assert_eq!(reserve.kept.lock().len(), KEPT, "it is filled again");
    }

    #[test]
    fn it_fails_only_when_nothing_is_kept_any_more() {
        let (reserve, tries) = (reserve(), Cell::new(0));
        let failed = reserve.open(|| -> io::Result<()> {
            tries.set(tries.get() + 1);
            Err(out_of_descriptors())
        });
        assert!(is_out_of_descriptors(&failed.unwrap_err()));
        assert_eq!(tries.get(), KEPT + 1);
        assert!(reserve.open(|| Ok(())).is_ok());
        assert_eq!(reserve.kept.lock().len(), KEPT);
    }

    #[test]
    fn other_failures_cost_nothing() {
        let reserve = reserve();
        assert!(reserve.open(|| Err::<(), _>(io::ErrorKind::NotFound.into())).is_err());
        assert_eq!(reserve.kept.lock().len(), KEPT);
    }
}
