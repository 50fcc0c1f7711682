//! The company's knowledge: import, embedding, index, retrieval.
