//! The handle (cheap clone, async) and the step loop on its own thread.
