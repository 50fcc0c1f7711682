//! What was written just before: the words that say what a number is.

use std::collections::VecDeque;

/// What a number is said to be by the nearest word before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cue {
    IdCard,
    BankCard,
    Passport,
    Phone,
    /// Orders, parcels, devices: numbers that are nobody's.
    Order,
    Version,
}

/// How many characters back a cue is looked for.
const REACH: usize = 32;

/// Longer entries first where one ends with another.
const CUES: &[(&str, Cue)] = &[
    ("身份证", Cue::IdCard),
    ("身分证", Cue::IdCard),
    ("证件", Cue::IdCard),
    ("idcard", Cue::IdCard),
    ("id card", Cue::IdCard),
    ("id number", Cue::IdCard),
    ("id no", Cue::IdCard),
    ("identity", Cue::IdCard),
    ("national id", Cue::IdCard),
    ("会员卡号", Cue::Order),
    ("会员卡", Cue::Order),
    ("礼品卡", Cue::Order),
    ("购物卡", Cue::Order),
    ("gift card", Cue::Order),
    ("银行卡", Cue::BankCard),
    ("储蓄卡", Cue::BankCard),
    ("信用卡", Cue::BankCard),
    ("借记卡", Cue::BankCard),
    ("银行账", Cue::BankCard),
    ("卡号", Cue::BankCard),
    ("card", Cue::BankCard),
    ("护照", Cue::Passport),
    ("通行证", Cue::Passport),
    ("回乡证", Cue::Passport),
    ("台胞证", Cue::Passport),
    ("passport", Cue::Passport),
    ("travel permit", Cue::Passport),
    ("手机", Cue::Phone),
    ("电话", Cue::Phone),
    ("phone", Cue::Phone),
    ("mobile", Cue::Phone),
    ("订单", Cue::Order),
    ("单号", Cue::Order),
    ("运单", Cue::Order),
    ("快递", Cue::Order),
    ("物流", Cue::Order),
    ("流水", Cue::Order),
    ("交易", Cue::Order),
    ("编号", Cue::Order),
    ("序列号", Cue::Order),
    ("货号", Cue::Order),
    ("条码", Cue::Order),
    ("发票", Cue::Order),
    ("order", Cue::Order),
    ("tracking", Cue::Order),
    ("parcel", Cue::Order),
    ("waybill", Cue::Order),
    ("invoice", Cue::Order),
    ("transaction", Cue::Order),
    ("serial", Cue::Order),
    ("imei", Cue::Order),
    ("sku", Cue::Order),
    ("version", Cue::Version),
    ("firmware", Cue::Version),
    ("版本", Cue::Version),
    ("固件", Cue::Version),
];

/// The last few characters before the text in hand, folded and in lower case.
///
/// A stretch that holds anything but letters counts as one mark, so that masking it changes nothing that
/// comes later: this is part of why masking twice is masking once.
#[derive(Debug, Clone, Default)]
pub(super) struct Context {
    recent: VecDeque<char>,
    /// Invisible characters since the last visible one.
    invisible: usize,
}

/// Stands for a stretch that is no word.
const MARK: char = '#';

impl Context {
    /// Remembers one character between stretches.
    pub(super) fn push(&mut self, c: char) {
        if self.recent.len() == REACH {
            self.recent.pop_front();
        }
        self.recent.push_back(c.to_ascii_lowercase());
        self.invisible = 0;
    }

    /// Remembers that a character was there that nobody sees.
    pub(super) fn push_invisible(&mut self) {
        self.invisible += 1;
    }

    /// How far back the last visible character is, in characters of the input.
    pub(super) fn distance(&self) -> usize {
        self.invisible + 1
    }

    /// Remembers a stretch of identifier characters: its letters if it is a word, else a mark.
    pub(super) fn push_stretch(&mut self, stretch: impl Iterator<Item = char> + Clone) {
        let wordlike = |c: char| c.is_ascii_alphabetic() || matches!(c, '-' | '_' | '.' | ' ' | '(' | ')');
        if !stretch.clone().all(wordlike) {
            return self.push(MARK);
        }
        for c in stretch {
            self.push(c);
        }
    }

    /// The character right before the text in hand.
    pub(super) fn last(&self) -> Option<char> {
        self.recent.back().copied()
    }

    /// What the nearest cue of this sentence says.
    pub(super) fn cue(&self) -> Option<Cue> {
        let sentence: Vec<char> =
            self.recent.iter().rev().take_while(|c| !ends_sentence(**c)).copied().collect();
        (0..sentence.len())
            .find_map(|back| CUES.iter().find(|(word, _)| ends_with(&sentence[back..], word)))
            .map(|c| c.1)
    }

    /// Whether the text ends with `word`.
    pub(super) fn follows(&self, word: &str) -> bool {
        let back: Vec<char> = self.recent.iter().rev().copied().collect();
        ends_with(&back, word)
    }

    /// Whether the text ends with one of `words`, spaces and colons after it set aside.
    pub(super) fn labelled(&self, words: &[&str]) -> bool {
        let mut back: Vec<char> = self.recent.iter().rev().copied().collect();
        let mut seen_colon = false;
        while let Some(c @ (' ' | ':' | '是' | '为')) = back.first() {
            seen_colon |= *c != ' ';
            back.remove(0);
        }
        seen_colon && words.iter().any(|word| ends_with(&back, word))
    }
}

fn ends_sentence(c: char) -> bool {
    matches!(c, '。' | '!' | '?' | ';')
}

/// Whether `reversed`, read backwards, ends with `word`.
fn ends_with(reversed: &[char], word: &str) -> bool {
    let mut letters = word.chars().rev();
    letters.clone().count() <= reversed.len() && reversed.iter().zip(&mut letters).all(|(a, b)| *a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> Option<Cue> {
        let mut context = Context::default();
        text.chars().for_each(|c| context.push(c));
        context.cue()
    }

    #[test]
    fn the_nearest_cue_wins_within_the_sentence() {
        assert_eq!(after("我的身份证号是"), Some(Cue::IdCard));
        assert_eq!(after("身份证丢了，订单"), Some(Cue::Order));
        assert_eq!(after("身份证丢了。"), None);
        assert_eq!(after("My Passport number is "), Some(Cue::Passport));
        assert_eq!(after("会员卡号"), Some(Cue::Order));
        assert_eq!(after("卡号"), Some(Cue::BankCard));
        assert_eq!(after("会员卡"), Some(Cue::Order));
    }

    #[test]
    fn a_stretch_that_is_no_word_counts_once() {
        let mut context = Context::default();
        "卡号".chars().for_each(|c| context.push(c));
        (0..10).for_each(|_| context.push_stretch("1234567890".chars()));
        assert_eq!(context.cue(), Some(Cue::BankCard));
        assert_eq!(context.last(), Some('#'));
    }
}
