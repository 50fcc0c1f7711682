//! The units of text that the encoder and the keyword index both count: characters of Han text, words and their pieces.
//!
//! The training scripts ask this code for the features of their texts, so there is only one set of rules.

use unicode_normalization::UnicodeNormalization;

/// Longest text that is looked at, in characters; what follows adds nothing to a passage or a question.
const MAX_CHARACTERS: usize = 2_000;

/// What a [`Feature`] stands for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// One character of a script written without spaces.
    Gram1 = 0,
    /// Two such characters side by side.
    Gram2 = 1,
    /// A word or number, without its English ending.
    Word = 2,
    /// Three or four letters in a row inside a word, with its borders marked.
    Piece = 3,
    /// What a listed phrase stands for.
    Concept = 4,
}

/// The number of kinds.
pub const KINDS: usize = 5;

/// One unit of text, as a hash.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Feature {
    /// FNV-1a over the kind and the text, mixed; stable across versions, for the weights are filed under it.
    pub hash: u64,
    /// What it stands for.
    pub kind: Kind,
}

impl Feature {
    /// The feature of this kind and text.
    pub fn new(kind: Kind, text: &str) -> Self {
        let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let hash = text.bytes().fold(fnv(0xcbf2_9ce4_8422_2325, kind as u8), fnv);
        Self { hash: mix(hash), kind }
    }

    /// Whether it is counted by the keyword index: parts of words would only blur it.
    pub fn is_keyword(self) -> bool {
        matches!(self.kind, Kind::Gram1 | Kind::Gram2 | Kind::Word | Kind::Concept)
    }
}

/// The finaliser of splitmix64: every bit of the input reaches every bit of the output.
pub(super) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The characters, words and their pieces of `text`, each once, in ascending order.
pub fn features(text: &str) -> Vec<Feature> {
    let mut found: Vec<Feature> = Vec::with_capacity(128);
    for token in tokens(text) {
        found.push(token.feature);
        found.extend(token.pair);
        found.extend(token.pieces);
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// A character of Han text or a word without its ending, where it stands in a text.
#[derive(Clone, Debug)]
pub struct Token {
    /// [`Kind::Gram1`] or [`Kind::Word`].
    pub feature: Feature,
    /// For a character that another follows: both.
    pub pair: Option<Feature>,
    /// For a word: its pieces. A part of a number says nothing about the number.
    pub pieces: Vec<Feature>,
    /// Whether it is a number in digits.
    pub number: bool,
}

/// The characters and words of `text` in their order.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    for run in runs(&normalise(text)) {
        match run {
            Run::Grams(run) => found.extend((0..run.len()).filter_map(|at| character(&run, at))),
            Run::Word(word) => {
                let number = word.bytes().all(|byte| byte.is_ascii_digit());
                found.push(Token {
                    feature: Feature::new(Kind::Word, stem(&word)),
                    pair: None,
                    pieces: if number { Vec::new() } else { pieces(&word) },
                    number,
                });
            }
        }
    }
    found
}

fn character(run: &[char], at: usize) -> Option<Token> {
    let text = |characters: &[char]| characters.iter().collect::<String>();
    Some(Token {
        feature: Feature::new(Kind::Gram1, &text(run.get(at..=at)?)),
        pair: run.get(at..at + 2).map(|pair| Feature::new(Kind::Gram2, &text(pair))),
        pieces: Vec::new(),
        number: false,
    })
}

/// Compatibility forms unified (full-width to ASCII), lower case, invisible characters dropped, at most 2,000 characters.
pub fn normalise(text: &str) -> String {
    text.nfkc().filter(|c| !is_invisible(*c)).take(MAX_CHARACTERS).flat_map(char::to_lowercase).collect()
}

/// Characters that print nothing and only hide differences between texts.
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// Whether `c` belongs to a script written without spaces between words (Han above all).
pub fn is_gram(c: char) -> bool {
    let other = matches!(c,
        '\u{2000}'..='\u{2bff}' | '\u{3000}'..='\u{3004}' | '\u{3008}'..='\u{303f}' | '\u{30fb}'
        | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe6f}' | '\u{ff00}'..='\u{ffff}' | '\u{1f000}'..='\u{1faff}'
        | '\u{e0000}'..);
    c >= '\u{370}' && !other
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || (matches!(c, '\u{c0}'..='\u{24f}') && !matches!(c, '\u{d7}' | '\u{f7}'))
}

enum Run {
    Grams(Vec<char>),
    Word(String),
}

/// Cuts normalised text where the script changes and at everything that is neither letter nor digit.
fn runs(text: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    for piece in text.split(|c| !is_gram(c) && !is_word(c)) {
        let mut rest = piece;
        while let Some(first) = rest.chars().next() {
            let end = rest.find(|c| is_gram(c) != is_gram(first)).unwrap_or(rest.len());
            let (run, after) = rest.split_at(end);
            runs.push(if is_gram(first) {
                Run::Grams(run.chars().collect())
            } else {
                Run::Word(run.to_owned())
            });
            rest = after;
        }
    }
    runs
}

fn pieces(word: &str) -> Vec<Feature> {
    let bordered: Vec<char> = format!("<{word}>").chars().collect();
    let windows = bordered.windows(3).chain(bordered.windows(4));
    windows.map(|piece| Feature::new(Kind::Piece, &piece.iter().collect::<String>())).collect()
}

/// A rough English stem: enough that "returns", "returned" and "returning" meet.
fn stem(word: &str) -> &str {
    let ending = |ending: &str, left: usize| word.strip_suffix(ending).filter(|stem| stem.len() >= left);
    if !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return word;
    }
    ending("ies", 3)
        .or_else(|| ending("ing", 4))
        .or_else(|| ending("ed", 4))
        .or_else(|| ending("es", 4))
        .or_else(|| if word.ends_with("ss") { None } else { ending("s", 3) })
        .or_else(|| ending("y", 3))
        .or_else(|| ending("e", 4))
        .unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(text: &str, kind: Kind, part: &str) -> bool {
        features(text).contains(&Feature::new(kind, part))
    }

    #[test]
    fn han_text_gives_characters_and_their_neighbours() {
        assert!(has("怎么退货？", Kind::Gram1, "退"));
        assert!(has("怎么退货？", Kind::Gram2, "退货"));
        assert!(!has("退。货", Kind::Gram2, "退货"));
    }

    #[test]
    fn words_lose_their_endings_and_scripts_do_not_mix() {
        for form in ["return", "returns", "returned", "returning"] {
            assert!(has(form, Kind::Word, "return"), "{form}");
        }
        assert!(has("买KX200咖啡机", Kind::Word, "kx200"));
        assert!(has("gift card", Kind::Piece, "<gif"));
        assert!(!has("7天", Kind::Piece, "<7>"));
    }

    #[test]
    fn full_width_zero_width_and_case_do_not_matter() {
        assert_eq!(features("ＫＸ２００　咖\u{200b}啡"), features("kx200 咖啡"));
    }

    #[test]
    fn features_come_once_and_in_order() {
        let all = features("退货退货 return return");
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(features("！？ \u{1f600}").is_empty());
    }
}
