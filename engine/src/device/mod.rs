//! Devices: the only folder with `unsafe`.
#![allow(unsafe_code)]
