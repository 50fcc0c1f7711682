//! Who computes which tokens in the next step, in which blocks: a pure state machine, with no clock, channel,
//! device or log.

pub mod batch;
