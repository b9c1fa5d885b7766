//! Values that must end exactly once, whoever ends them.

use core::cell::Cell;
use std::rc::Rc;

/// Counts the ends of a model's values, by number.
///
/// Plain cells: loom runs all threads of a model on one thread of the system, and to the model the
/// count is not part of the program.
#[derive(Clone, Default)]
pub(crate) struct Ends(Rc<[Cell<usize>; 16]>);

// SAFETY: loom runs all threads of a model on one thread of the system.
unsafe impl Send for Ends {}
// SAFETY: as above.
unsafe impl Sync for Ends {}

impl Ends {
    /// Value `number` ended.
    pub(crate) fn note(&self, number: usize) {
        self.0[number].set(self.0[number].get() + 1);
    }

    /// How often value `number` ended.
    pub(crate) fn of(&self, number: usize) -> usize {
        self.0[number].get()
    }
}
