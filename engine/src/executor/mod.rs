//! Runs a batch: one thread per rank, rank 0 answers.
