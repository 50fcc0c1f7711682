//! Finds personal data in text and masks it, whole or as a stream: pure.
