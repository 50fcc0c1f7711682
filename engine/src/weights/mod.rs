//! A Hugging Face checkpoint folder becomes tensors, whole or sliced per rank.
