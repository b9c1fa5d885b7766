//! What is done even if the code before it unwinds: users' code does, and the core cannot catch it.
#![forbid(unsafe_code)]

/// Calls what it holds when it is dropped.
pub(crate) struct Finally<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Finally<F> {
    /// Nothing has unwound, and that is all that it was for.
    pub(crate) fn dismiss(self) {
        core::mem::forget(self);
    }
}

impl<F: FnMut()> Drop for Finally<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
