//! The forward pass as prose, in execution order.
