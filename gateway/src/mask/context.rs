//! What was written just before: the words that say what a number is.

use std::collections::VecDeque;

use super::glyph::{han, plate_province};

/// What a number is said to be by the nearest word before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cue {
    IdCard,
    BankCard,
    Passport,
    Phone,
    /// Orders, parcels, devices: numbers that are nobody's.
    Order,
}

/// The nearest cue, and whether nothing but `number is` stands between it and the number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Hint {
    cue: Option<Cue>,
    announces: bool,
}

impl Hint {
    /// The nearest cue is `cue`, however far back in the sentence.
    pub(super) fn is(self, cue: Cue) -> bool {
        self.cue == Some(cue)
    }

    /// The nearest cue is `cue` and leads straight to the number. Only this may veto a number that proves
    /// itself: `订单退款退到6222...` speaks of an order and gives a card.
    pub(super) fn announces(self, cue: Cue) -> bool {
        self.announces && self.is(cue)
    }
}

/// How many characters back a cue is looked for.
const REACH: usize = 32;

/// Longer entries first where one ends with another.
const CUES: &[(&str, Cue)] = &[
    // Ahead of 编号, which would call them an order.
    ("护照证件编号", Cue::Passport),
    ("护照编号", Cue::Passport),
    ("证件编号", Cue::IdCard),
    ("身份证", Cue::IdCard),
    ("身分证", Cue::IdCard),
    ("证件", Cue::IdCard),
    ("idcard", Cue::IdCard),
    ("id card", Cue::IdCard),
    ("id number", Cue::IdCard),
    ("id no", Cue::IdCard),
    ("identity", Cue::IdCard),
    ("national id", Cue::IdCard),
    ("gift card", Cue::Order),
    ("sim card", Cue::Order),
    ("iccid", Cue::Order),
    ("银行卡", Cue::BankCard),
    ("储蓄卡", Cue::BankCard),
    ("信用卡", Cue::BankCard),
    ("借记卡", Cue::BankCard),
    ("银行账", Cue::BankCard),
    ("卡号", Cue::BankCard),
    ("卡", Cue::BankCard),
    ("账号", Cue::BankCard),
    ("账户", Cue::BankCard),
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
    ("telephone", Cue::Phone),
    ("cellphone", Cue::Phone),
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
    ("串号", Cue::Order),
    ("sku", Cue::Order),
];

/// What stands between a label and its value, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tie {
    None,
    /// Spaces or quotation marks.
    Space,
    /// A colon or a verb.
    Colon,
}

const STRONG_TIES: &[&str] = &["改成", "改为", "改到", "换成", ":", "是", "为", " is"];

/// Cards that pay nothing outside one shop or network; `卡`, `卡号`, `卡卡号` or `卡卡密` follows.
const SHOP_CARDS: &[&str] = &[
    "会员", "礼品", "购物", "储值", "积分", "公交", "交通", "充值", "加油", "油", "电话", "流量", "门禁",
    "校园",
];

/// What makes four numbers with dots no network address.
const VERSIONS: &[&str] = &[
    "version",
    "firmware",
    "build",
    "ver",
    "release",
    "版本",
    "固件",
    "更新到",
    "升级到",
    "更新至",
    "升级至",
    "微信",
    "驱动",
    "驱动程序",
    "条款",
    "第",
];

/// Words that end with the name of a province.
const PROVINCE_WORDS: &[&[char]] = &[
    &['最', '新'],
    &['里', '云'],
    &['讯', '云'],
    &['华', '云'],
    &['藏', '青'],
    &['色', '青'],
    &['色', '黑'],
    &['纯', '黑'],
    &['银', '川'],
    &['四', '川'],
    &['南', '京'],
    &['北', '京'],
    &['东', '京'],
    &['天', '津'],
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
    /// Invisible characters between the last two visible ones.
    invisible_before: usize,
}

/// Stands for a stretch that is no word.
const MARK: char = '\u{fffc}';

impl Context {
    /// Remembers one character between stretches.
    pub(super) fn push(&mut self, c: char) {
        if self.recent.len() == REACH {
            self.recent.pop_front();
        }
        self.recent.push_back(c.to_ascii_lowercase());
        self.invisible_before = std::mem::take(&mut self.invisible);
    }

    /// Remembers that a character was there that nobody sees.
    pub(super) fn push_invisible(&mut self) {
        self.invisible += 1;
    }

    /// How far back the province of a plate stands, in characters of the input, if one does and is not the
    /// end of another word.
    pub(super) fn province(&self) -> Option<usize> {
        let mut back = self.recent.iter().rev().copied();
        let last = back.next()?;
        let (province, distance) = match last {
            ' ' => (back.next()?, self.invisible + self.invisible_before + 2),
            c => (c, self.invisible + 1),
        };
        if !plate_province(province) {
            return None;
        }
        let previous = back.next();
        let word = previous.is_some_and(|c| PROVINCE_WORDS.contains(&[c, province].as_slice()));
        // After a space, or with a province that mostly means `new`, only what stands alone is a plate.
        let doubtful = word || province == '新' || (last == ' ' && previous.is_some_and(han));
        (!doubtful || self.speaks_of_a_car()).then_some(distance)
    }

    fn speaks_of_a_car(&self) -> bool {
        let sentence = self.sentence();
        (0..sentence.len()).any(|back| {
            let word = &sentence[back..];
            ends_with(word, "车") || ends_with(word, "牌照") || ends_with_word(word, "plate")
        })
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
    pub(super) fn hint(&self) -> Hint {
        let sentence = self.sentence();
        let nearest = (0..sentence.len()).find_map(|back| cue_at(&sentence[back..]).map(|cue| (back, cue)));
        let Some((back, cue)) = nearest else { return Hint::default() };
        Hint { cue: Some(cue), announces: leads(&sentence[..back]) }
    }

    /// Whether the text says that the version of something follows.
    pub(super) fn versioned(&self) -> bool {
        let sentence = self.sentence();
        let word = &sentence[announcing(&sentence)..];
        VERSIONS.iter().any(|version| ends_with_word(word, version))
    }

    /// The sentence so far, read backwards.
    fn sentence(&self) -> Vec<char> {
        self.recent.iter().rev().take_while(|c| !ends_sentence(**c)).copied().collect()
    }

    /// The text without what ties a label to its value, and how strong that tie is.
    pub(super) fn label(&self) -> (Tie, String) {
        let text: String = self.recent.iter().collect();
        let (mut rest, mut tie) = (text.as_str(), Tie::None);
        loop {
            let strong = STRONG_TIES.iter().find_map(|word| rest.strip_suffix(word));
            let weak = rest.strip_suffix([' ', '"', '“']);
            (rest, tie) = match (strong, weak) {
                (Some(shorter), _) => (shorter, Tie::Colon),
                (None, Some(shorter)) => (shorter, tie.max(Tie::Space)),
                (None, None) => return (tie, rest.to_owned()),
            };
        }
    }
}

fn ends_sentence(c: char) -> bool {
    matches!(c, '。' | '!' | '?' | ';')
}

/// The cue that a text, read backwards, ends with.
fn cue_at(reversed: &[char]) -> Option<Cue> {
    let shop = ["卡", "卡号", "卡卡号", "卡卡密"].into_iter().any(|tail| {
        ends_with(reversed, tail)
            && SHOP_CARDS.iter().any(|card| ends_with(&reversed[tail.chars().count()..], card))
    });
    if shop {
        return Some(Cue::Order);
    }
    CUES.iter().find(|(word, _)| ends_with_word(reversed, word)).map(|found| found.1)
}

/// Whether there is nothing but `number is` in a text that is read backwards.
fn leads(reversed: &[char]) -> bool {
    let text: String = reversed.iter().rev().collect();
    let mut rest = text.as_str();
    loop {
        rest = rest.trim_start_matches(leading);
        match ["number", "code", "no", "id", "is"].iter().find_map(|word| rest.strip_prefix(word)) {
            Some(shorter) => rest = shorter,
            // The letter of a passport, when a space follows it.
            None => return rest.is_empty() || (text.ends_with(' ') && is_letter(rest.trim_end())),
        }
    }
}

fn is_letter(text: &str) -> bool {
    text.len() == 1 && text.bytes().all(|c| c.is_ascii_alphabetic())
}

/// How many of the last characters of a text, read backwards, only lead on to what follows.
fn announcing(reversed: &[char]) -> usize {
    reversed.iter().take_while(|c| leading(**c)).count()
}

fn leading(c: char) -> bool {
    matches!(c, ' ' | '号' | '码' | '编' | '是' | '为' | ':' | '#' | '.' | '=' | '"')
}

/// [`ends_with`], where no letter stands before a word of letters: `reorder` is no order.
fn ends_with_word(reversed: &[char], word: &str) -> bool {
    let inside = word.is_ascii() && reversed.get(word.len()).is_some_and(char::is_ascii_alphabetic);
    !inside && ends_with(reversed, word)
}

/// Whether `reversed`, read backwards, ends with `word`.
fn ends_with(reversed: &[char], word: &str) -> bool {
    let mut letters = word.chars().rev();
    letters.clone().count() <= reversed.len() && reversed.iter().zip(&mut letters).all(|(a, b)| *a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Context {
        let mut context = Context::default();
        text.chars().for_each(|c| context.push(c));
        context
    }

    fn after(text: &str) -> Option<Cue> {
        read(text).hint().cue
    }

    #[test]
    fn a_cue_announces_a_number_only_when_it_leads_straight_to_it() {
        for text in ["订单", "订单号:", "订单编号是", "order #", "Order no. ", "交易", "礼品卡卡号"]
        {
            assert!(read(text).hint().announces(Cue::Order), "{text}");
        }
        for text in ["订单退到", "refund my order to ", "快递丢了，打", "卡号"] {
            assert!(!read(text).hint().announces(Cue::Order), "{text}");
        }
        assert!(read("系统版本").versioned() && read("build ").versioned() && read("第").versioned());
        assert!(!read("版本升级之后").versioned() && !read("server ").versioned());
    }

    #[test]
    fn a_cue_of_letters_is_a_whole_word() {
        assert_eq!(after("reorder "), None);
        assert_eq!(after("discard "), None);
        assert_eq!(after("my order "), Some(Cue::Order));
        assert_eq!(after("护照编号:"), Some(Cue::Passport));
        assert_eq!(after("储值卡"), Some(Cue::Order));
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
        assert_eq!(context.hint().cue, Some(Cue::BankCard));
        assert_eq!(context.last(), Some(MARK));
    }
}
