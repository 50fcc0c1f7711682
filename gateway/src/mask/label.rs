//! Names and addresses, only as the value of a label: 姓名：张三. Nothing else is precise enough.
//!
//! Limits: the label must be followed by a colon, 是 or 为 (我叫 needs none); a name is 2 to 4 Han characters that begin with a
//! common surname and end the phrase; an address must name a street, estate, village or building.

use super::context::Context;
use super::detect::Match;
use super::glyph::han;
use super::kind::Kind;

const NAME_LABELS: [&str; 9] =
    ["姓名", "收件人", "收货人", "联系人", "寄件人", "持卡人", "名字", "开户人", "客户名"];
const ADDRESS_LABELS: [&str; 8] = ["地址", "住址", "收货地", "收件地", "家庭地", "寄到", "地点", "户籍地"];

/// The hundred or so surnames that cover about nine tenths of the population.
const SURNAMES: &str = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈\
     姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤欧阳诸葛司马上官";

const ADDRESS_MAX: usize = 80;
const NAME_MAX: usize = 5;

/// The kind of value that begins with `first` after the label that was just read, if one was.
pub(super) fn value_kind(context: &Context, first: char) -> Option<Kind> {
    let close = matches!(context.last(), Some(':' | '是' | '为' | ' ' | '叫'));
    if !close || !han(first) {
        None
    } else if SURNAMES.contains(first) && (context.labelled(&NAME_LABELS) || context.follows("我叫")) {
        Some(Kind::Name)
    } else if context.labelled(&ADDRESS_LABELS) {
        Some(Kind::Address)
    } else {
        None
    }
}

/// Whether `next` may belong to a value of `length` characters.
pub(super) fn extends(kind: Kind, length: usize, next: char) -> bool {
    match kind {
        Kind::Name => length < NAME_MAX && han(next),
        _ => {
            length < ADDRESS_MAX
                && (han(next) || next.is_ascii_alphanumeric() || matches!(next, '-' | '#' | '(' | ')'))
        }
    }
}

/// The value at the beginning of the characters held since the label.
pub(super) fn find(kind: Kind, held: &[char]) -> Option<Match> {
    let length = match kind {
        Kind::Name => Some(held.len()).filter(|length| (2..=4).contains(length)),
        _ => address_length(held),
    };
    length.map(|length| Match::new(kind, 0, length))
}

/// How much of an address stays: through its district, or its first two characters.
pub(super) fn district_length(address: &[char]) -> usize {
    let district = address.iter().rposition(|c| "省市区县".contains(*c)).filter(|place| *place < 12);
    district.map_or(2, |place| place + 1)
}

/// An address ends before a run of digits that is too long for a house number: a telephone follows.
fn address_length(held: &[char]) -> Option<usize> {
    let long_run = |start: usize| held[start..].iter().take_while(|c| c.is_ascii_digit()).count() >= 7;
    let end = (0..held.len()).find(|start| long_run(*start)).unwrap_or(held.len());
    let hidden = held[..end].get(district_length(&held[..end])..)?;
    let street = hidden.iter().any(|c| "路街道巷弄号栋幢楼室村镇苑园".contains(*c));
    (street && end >= 6).then_some(end)
}
