//! Words and phrases with one meaning, in Chinese and English, so that a question and an entry meet that share no word.
//!
//! The lists are written by hand: `encoder/concepts.txt` (what a text is about) and `encoder/phrases.txt` (what a question asks for, and
//! words that say nothing).

use std::collections::HashMap;
use std::sync::LazyLock;

use super::features::{Feature, Kind, Token, tokens};

/// The key of phrases that say nothing about what a text is about: greetings, particles, auxiliaries.
const NOTHING: &str = "nothing";

/// Phrases filed under the concepts they stand for.
#[derive(Debug, Default)]
pub struct Lexicon {
    /// The tokens of a phrase to the concepts it stands for; none for phrases that say nothing.
    phrases: HashMap<Vec<u64>, Vec<Feature>>,
    /// Tokens of the longest phrase.
    longest: usize,
}

/// A phrase found in a text.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// Its first token.
    pub start: usize,
    /// The token after it.
    pub end: usize,
    /// What it may stand for; empty where it says nothing.
    pub concepts: &'a [Feature],
}

impl Lexicon {
    /// What texts are about.
    pub fn concepts() -> &'static Self {
        static CONCEPTS: LazyLock<Lexicon> = LazyLock::new(|| {
            let mut lexicon = Lexicon::default();
            lexicon.read(include_str!("../../encoder/concepts.txt"), |_| true);
            // Last, for what says nothing says nothing, whichever concept lists it.
            lexicon.read(include_str!("../../encoder/phrases.txt"), |key| key == NOTHING);
            lexicon
        });
        &CONCEPTS
    }

    /// What questions ask for: a length of time, a price, a place.
    pub fn asks() -> &'static Self {
        static ASKS: LazyLock<Lexicon> = LazyLock::new(|| {
            let mut lexicon = Lexicon::default();
            lexicon.read(include_str!("../../encoder/phrases.txt"), |key| key != NOTHING);
            lexicon
        });
        &ASKS
    }

    /// Adds the lines `key | Chinese phrases by spaces | English phrases by commas` whose key `wanted` is true for.
    fn read(&mut self, text: &str, wanted: impl Fn(&str) -> bool) {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut parts = line.splitn(3, '|').map(str::trim);
            let (key, zh, en) =
                (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
            if !wanted(key) {
                continue;
            }
            let concept = Feature::new(Kind::Concept, key);
            for phrase in zh.split_whitespace().chain(en.split(',')) {
                self.add(phrase, (key != NOTHING).then_some(concept));
            }
        }
    }

    fn add(&mut self, phrase: &str, concept: Option<Feature>) {
        let key: Vec<u64> = tokens(phrase).iter().map(|token| token.feature.hash).collect();
        if key.is_empty() {
            return;
        }
        self.longest = self.longest.max(key.len());
        let concepts = self.phrases.entry(key).or_default();
        match concept {
            Some(concept) if !concepts.contains(&concept) => concepts.push(concept),
            Some(_) => {}
            None => concepts.clear(),
        }
    }

    /// The phrases in a text, in order; one that lies within another is left out.
    pub fn find(&self, text: &[Token]) -> Vec<Found<'_>> {
        let hashes: Vec<u64> = text.iter().map(|token| token.feature.hash).collect();
        let mut found: Vec<Found<'_>> = Vec::new();
        for start in 0..hashes.len() {
            let reached = found.last().map_or(0, |last| last.end);
            let longest = (start + self.longest).min(hashes.len());
            let phrase = (reached.max(start) + 1..=longest).rev().find_map(|end| {
                let concepts = self.phrases.get(hashes.get(start..end)?)?;
                Some(Found { start, end, concepts })
            });
            found.extend(phrase);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(text: &str) -> Vec<Feature> {
        Lexicon::concepts().find(&tokens(text)).iter().flat_map(|found| found.concepts.to_vec()).collect()
    }

    #[test]
    fn other_words_and_the_other_language_meet() {
        let refund = about("退款");
        assert!(!refund.is_empty());
        assert!(refund.iter().all(|concept| about("I want my money back").contains(concept)));
        assert!(about("Refunds").iter().any(|concept| refund.contains(concept)));
    }

    #[test]
    fn a_phrase_within_another_is_left_out() {
        let mut lexicon = Lexicon::default();
        lexicon.read("ship | 发货 |\nfree_ship | 免费发货 | free shipping\nfree | 免费 | free", |_| true);
        let found = lexicon.find(&tokens("能免费发货吗"));
        assert_eq!(found.iter().map(|one| (one.start, one.end)).collect::<Vec<_>>(), [(1, 5)]);
        assert_eq!(lexicon.find(&tokens("freedom")).len(), 0);
        assert_eq!(lexicon.find(&tokens("Free shipping!")).len(), 1);
    }

    #[test]
    fn particles_say_nothing() {
        assert!(about("请问，那个的").is_empty() && about("please, of the").is_empty());
        assert!(
            about("你好，现在到底").is_empty() && about("hello, when will").is_empty(),
            "although concepts list them"
        );
    }
}
