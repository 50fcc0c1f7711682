//! One small file per layer of the stack.
