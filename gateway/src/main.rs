//! `frontdesk`: the gateway from the command line.
fn main() {}
