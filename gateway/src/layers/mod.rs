//! One small file per layer of the [stack](crate::stack).

pub mod admit;
pub mod bucket;
pub mod catch;
pub mod drain;
pub mod limit;
pub mod trace;
