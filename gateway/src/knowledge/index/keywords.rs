//! BM25 over characters, character pairs and words; headings count more than texts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Indexed;
use crate::knowledge::features::Feature;

/// How fast a repeated keyword stops adding, and how much long passages are held back (the usual BM25 constants).
const K1: f32 = 1.2;
const B: f32 = 0.5;
/// A keyword in the heading counts as often as this in the text.
const HEADING: f32 = 2.0;

/// An inverted index that never changes.
#[derive(Debug, Default)]
pub(super) struct Keywords {
    /// Per keyword: (place, weighted count).
    postings: HashMap<u64, Vec<(u32, f32)>>,
    lengths: Vec<f32>,
    average: f32,
}

impl Keywords {
    pub(super) fn new(entries: &[Arc<Indexed>]) -> Self {
        let mut postings: HashMap<u64, Vec<(u32, f32)>> = HashMap::new();
        let mut lengths = Vec::with_capacity(entries.len());
        for (at, entry) in (0_u32..).zip(entries) {
            let mut counts: HashMap<u64, f32> = HashMap::new();
            let asked: HashSet<u64> = entry
                .headings()
                .flat_map(|heading| &heading.content.keywords)
                .map(|keyword| keyword.hash)
                .collect();
            let text = entry.text.keywords.iter().map(|keyword| (keyword.hash, 1.0));
            for (hash, weight) in asked.into_iter().map(|hash| (hash, HEADING)).chain(text) {
                *counts.entry(hash).or_default() += weight;
            }
            lengths.push(counts.len() as f32);
            counts.into_iter().for_each(|(hash, count)| postings.entry(hash).or_default().push((at, count)));
        }
        let average = (lengths.iter().sum::<f32>() / lengths.len().max(1) as f32).max(1.0);
        Self { postings, lengths, average }
    }

    /// Passages that hold the keyword.
    pub(super) fn count(&self, keyword: Feature) -> usize {
        self.postings.get(&keyword.hash).map_or(0, Vec::len)
    }

    /// The BM25 score of each passage that shares a keyword with the query; `idf` is parallel to `query`.
    pub(super) fn scores(&self, query: &[Feature], idf: &[f32]) -> HashMap<usize, f32> {
        let mut scores = HashMap::new();
        for (keyword, idf) in query.iter().zip(idf) {
            for (at, count) in self.postings.get(&keyword.hash).into_iter().flatten() {
                let at = *at as usize;
                let length = self.lengths.get(at).copied().unwrap_or(self.average) / self.average;
                let score = idf * count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length));
                *scores.entry(at).or_default() += score;
            }
        }
        scores
    }
}
