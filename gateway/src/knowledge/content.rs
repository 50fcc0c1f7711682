//! What a text says, taken apart for comparison: the units that another text must meet, what it asks for and what it states.

use super::concepts::Lexicon;
use super::features::{Feature, Kind, Token, features, tokens};

/// Something that a text is about: a phrase with its concepts, or a word that no list knows.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Unit {
    /// A text that holds any of these meets the unit.
    pub any_of: Vec<Feature>,
}

impl Unit {
    /// Whether it stands for a listed concept rather than for a word itself.
    pub fn is_concept(&self) -> bool {
        self.any_of.first().is_some_and(|feature| feature.kind == Kind::Concept)
    }
}

/// A text, taken apart once.
#[derive(Debug)]
pub struct Content {
    /// Everything the encoder counts.
    pub features: Vec<Feature>,
    /// Words, characters and concepts, ascending.
    pub keywords: Vec<Feature>,
    /// What it is about, each once.
    pub units: Vec<Unit>,
    /// What it asks for (see `encoder/phrases.txt`), ascending.
    pub asks: Vec<Feature>,
    /// What it states of the things that can be asked for.
    pub states: Vec<Feature>,
}

impl Content {
    /// Takes `text` apart.
    pub fn new(text: &str) -> Self {
        let (mut units, mut asks) = (Vec::new(), Vec::new());
        for clause in text.split(ends_clause) {
            let tokens = tokens(clause);
            units.extend(units_of(&tokens));
            asks.extend(
                Lexicon::asks().find(&tokens).iter().flat_map(|found| found.concepts.iter().copied()),
            );
        }
        let units = ordered(units);
        let concepts =
            units.iter().filter(|unit| unit.is_concept()).flat_map(|unit| unit.any_of.iter().copied());
        let features = ordered(features(text).into_iter().chain(concepts).collect());
        let keywords = features.iter().copied().filter(|feature| feature.is_keyword()).collect();
        Self { features, keywords, units, asks: ordered(asks), states: states(text) }
    }

    /// Whether the text holds what `unit` stands for.
    pub fn meets(&self, unit: &Unit) -> bool {
        unit.any_of.iter().any(|feature| self.keywords.binary_search(feature).is_ok())
    }
}

/// What the listed phrases in `text` stand for, ascending.
pub fn concepts(text: &str) -> Vec<Feature> {
    let units = text.split(ends_clause).flat_map(|clause| units_of(&tokens(clause)));
    ordered(units.filter(Unit::is_concept).flat_map(|unit| unit.any_of).collect())
}

/// Ascending, each once.
fn ordered<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort_unstable();
    all.dedup();
    all
}

/// Where phrases end.
pub(super) fn ends_clause(c: char) -> bool {
    matches!(c, '，' | '。' | '！' | '？' | '；' | '：' | '、' | ',' | '!' | '?' | ';' | '\n')
}

/// The listed phrases, and between them the words and pairs of characters that no list knows.
fn units_of(tokens: &[Token]) -> Vec<Unit> {
    let found = Lexicon::concepts().find(tokens);
    let mut units: Vec<Unit> = found
        .iter()
        .filter(|found| !found.concepts.is_empty())
        .map(|found| Unit { any_of: found.concepts.to_vec() })
        .collect();
    let unlisted = |at: usize| !found.iter().any(|found| (found.start..found.end).contains(&at));
    for (at, token) in tokens.iter().enumerate().filter(|(at, token)| !token.number && unlisted(*at)) {
        let is_character =
            |at: usize| unlisted(at) && tokens.get(at).is_some_and(|token| token.feature.kind == Kind::Gram1);
        let unit = match token.pair {
            Some(pair) if is_character(at + 1) => pair,
            // The last of several characters is in the pair before it.
            _ if is_character(at) && at > 0 && is_character(at - 1) => continue,
            _ => token.feature,
        };
        units.push(Unit { any_of: vec![unit] });
    }
    units
}

/// Units of measure and the like that tell what a figure is about.
const STATED: [(&str, &[&str], bool); 5] = [
    (
        "how_long",
        &[
            "天",
            "小时",
            "分钟",
            "个月",
            "年",
            "周",
            "个工作日",
            "秒",
            "日",
            "day",
            "hour",
            "minute",
            "month",
            "year",
            "week",
            "working",
            "second",
            "business",
        ],
        true,
    ),
    ("how_much", &["元", "块", "折", "%", "万元", "yuan", "rmb", "cny"], true),
    ("when", &["点", ":", "：", "月", "号", "am", "pm", "o'clock"], true),
    (
        "where",
        &["路", "街", "楼", "地铁", "层", "road", "street", "floor", "station", "located", "avenue"],
        false,
    ),
    (
        "contact",
        &["电话", "热线", "邮箱", "致电", "拨打", "@", "call", "hotline", "email", "dial", "phone"],
        false,
    ),
];

/// Which of the things that can be asked for `text` states.
fn states(text: &str) -> Vec<Feature> {
    let text = super::features::normalise(text);
    let stated = |(key, words, after_figure): &(&str, &[&str], bool)| {
        let found = words.iter().any(|word| {
            text.match_indices(word).any(|(at, _)| {
                !after_figure
                    || text.get(..at).is_some_and(|before| {
                        before.trim_end().ends_with(|c: char| {
                            c.is_ascii_digit() || "一二三四五六七八九十百千两半".contains(c)
                        })
                    })
            })
        });
        found.then(|| Feature::new(Kind::Concept, key))
    };
    let mut all: Vec<Feature> = STATED.iter().filter_map(stated).collect();
    if ["免费", "free", "不收", "¥", "￥"].iter().any(|word| text.contains(word)) {
        all.push(Feature::new(Kind::Concept, "how_much"));
    }
    ordered(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unlisted_words_are_units_of_their_own() {
        let content = Content::new("请问KX200有魑魅魍魉吗");
        let word = Unit { any_of: vec![Feature::new(Kind::Word, "kx200")] };
        assert!(
            content.units.contains(&word)
                && content.units.iter().filter(|unit| !unit.is_concept()).count() == 4
        );
        assert!(Content::new("KX200价格").meets(&word) && !Content::new("KX300").meets(&word));
    }

    #[test]
    fn what_is_asked_for_is_recognised_where_it_is_stated() {
        let asks = |text: &str| Content::new(text).asks;
        let states = |text: &str| Content::new(text).states;
        for (question, answer) in [
            ("多久能退", "7天内"),
            ("How much is it?", "it costs 30 yuan"),
            ("几点开门", "9:00"),
            ("在哪", "枫叶路3号"),
        ] {
            assert!(asks(question).iter().any(|ask| states(answer).contains(ask)), "{question}");
        }
        assert!(states("请稍等").is_empty());
    }
}
