//! Precision and recall per kind on generated customer messages: valid identifiers in every dress, among
//! numbers that look like them and are not.

use std::collections::BTreeMap;

use super::super::*;
use super::theorem::Dice;

const TEXTS: u64 = 20_000;

#[test]
fn structured_kinds_are_found_with_high_precision_and_recall() {
    let mut tally: BTreeMap<Kind, Tally> = BTreeMap::new();
    for seed in 0..TEXTS {
        let (text, expected) = message(&mut Dice(seed));
        let found = Masker::default().scan(&text);
        for span in &found {
            let hit = expected.contains(span);
            let tally = tally.entry(span.kind).or_default();
            *(if hit { &mut tally.hits } else { &mut tally.wrong }) += 1;
            if !hit {
                tally.example = text.clone();
            }
        }
        for span in expected.iter().filter(|span| !found.contains(span)) {
            let tally = tally.entry(span.kind).or_default();
            tally.missed += 1;
            tally.example = text.clone();
        }
    }
    for (kind, tally) in &tally {
        let (precision, recall) = (tally.precision(), tally.recall());
        println!("{kind:10} {:5} precision {precision:.4} recall {recall:.4} {}", tally.hits, tally.example);
        assert!(precision >= 0.99 && recall >= 0.995, "{kind}: {tally:?}");
    }
    assert!(tally.len() >= 10, "a kind was never generated");
}

#[derive(Debug, Default)]
struct Tally {
    hits: u32,
    wrong: u32,
    missed: u32,
    example: String,
}

impl Tally {
    fn precision(&self) -> f64 {
        f64::from(self.hits) / f64::from((self.hits + self.wrong).max(1))
    }

    fn recall(&self) -> f64 {
        f64::from(self.hits) / f64::from((self.hits + self.missed).max(1))
    }
}

/// A message of one to three clauses and the spans a perfect reader would mark.
fn message(dice: &mut Dice) -> (String, Vec<Span>) {
    let (mut text, mut spans) = (String::new(), Vec::new());
    for _ in 0..=dice.below(3) {
        let frame = pick(dice, FRAMES);
        let item = if dice.below(10) < 6 { identifier(dice) } else { (None, near_miss(dice), ("", "")) };
        let (kind, value, (zh, en)) = item;
        let (before, after) = frame.split_once("{}").unwrap();
        let label = if before.is_ascii() { format!("{en} ") } else { zh.to_owned() };
        text += before;
        text += &label;
        let start = text.chars().count();
        text += &value;
        if let Some(kind) = kind {
            spans.push(Span { kind, start, end: text.chars().count() });
        }
        text += after;
    }
    (text, spans)
}

const FRAMES: &[&str] = &[
    "你好，我的{}请帮我查一下。",
    "麻烦改成{}，谢谢！",
    "{}是这个吗？",
    "资料发你了：{}；",
    "亲，记一下{}哈。",
    "Hi, please note {}, thanks! ",
    "Could you use {}? ",
    "My details: {}; ",
];

type Item = (Option<Kind>, String, (&'static str, &'static str));

fn identifier(dice: &mut Dice) -> Item {
    let (kind, plain, label): (Kind, String, (&str, &str)) = match dice.below(11) {
        0 => (Kind::IdCard, resident_id(dice), pick(dice, &[("", ""), ("身份证号", "ID card")])),
        1 => (Kind::Phone, mobile(dice), pick(dice, &[("", ""), ("手机号", "phone"), ("电话是", "call")])),
        2 => (Kind::Phone, mobile(dice), ("", "")),
        3 => (Kind::Landline, landline(dice), pick(dice, &[("", ""), ("座机", "tel")])),
        4 => (Kind::BankCard, card(dice), pick(dice, &[("", ""), ("银行卡号", "card number")])),
        5 => (Kind::Email, email(dice), pick(dice, &[("", ""), ("邮箱", "mail")])),
        6 => (Kind::Plate, plate(dice), pick(dice, &[("车牌", "plate"), ("", "")])),
        7 => (Kind::Passport, passport(dice), ("护照号码", "passport number")),
        8 => (Kind::Uscc, uscc(dice), pick(dice, &[("税号", "tax code"), ("", "")])),
        9 => (Kind::Ipv4, ip(dice), pick(dice, &[("IP地址", "IP"), ("", "")])),
        _ => (Kind::Secret, key(dice), pick(dice, &[("密钥", "key"), ("", "")])),
    };
    (Some(kind), dress(dice, kind, plain), label)
}

/// Full-width, invisible characters, separators, spoken numerals.
fn dress(dice: &mut Dice, kind: Kind, plain: String) -> String {
    let digits = matches!(kind, Kind::IdCard | Kind::Phone | Kind::BankCard);
    match dice.below(8) {
        0 => plain.chars().map(full_width).collect(),
        1 if kind != Kind::Secret => {
            plain.chars().flat_map(|c| [c, '\u{200b}']).take(plain.chars().count() * 2 - 1).collect()
        }
        2 if digits => grouped(kind, &plain, ' '),
        3 if digits => grouped(kind, &plain, '-'),
        4 if kind == Kind::Phone && plain.len() == 11 => plain.chars().map(say).collect(),
        5 if kind == Kind::IdCard => plain.to_lowercase(),
        _ => plain,
    }
}

fn grouped(kind: Kind, plain: &str, separator: char) -> String {
    let breaks: &[usize] = match kind {
        Kind::IdCard => &[6, 14],
        Kind::Phone if plain.len() == 11 => &[3, 7],
        Kind::Phone => &[],
        _ => &[4, 8, 12, 16],
    };
    let mut text = String::new();
    for (place, c) in plain.chars().enumerate() {
        if breaks.contains(&place) {
            text.push(separator);
        }
        text.push(c);
    }
    text
}

fn near_miss(dice: &mut Dice) -> String {
    match dice.below(14) {
        0 => format!("订单{}", digits(dice, 17)),
        1 => format!("订单号2024{}", digits(dice, 14)),
        2 => format!("单号{}", digits(dice, 19)),
        3 => format!("20241123{}", digits(dice, 12)),
        4 => format!("SF{}", digits(dice, 13)),
        5 => format!("快递单YT{}", digits(dice, 15)),
        6 => format!("{}.{}元", dice.below(99_999), digits(dice, 2)),
        7 => format!("17{}", digits(dice, 11)),
        8 => format!("17{}", digits(dice, 8)),
        9 => format!("SKU-{}-{}", digits(dice, 6), digits(dice, 3)),
        10 => format!("2024-1{}-2{} 1{}:3{}", dice.below(3), dice.below(9), dice.below(10), dice.below(10)),
        11 => {
            pick(dice, &["400-820-8820", "4008123123", "95588", "10086", "12315", "800-810-8888"]).to_owned()
        }
        12 => format!("版本{}.{}.{}.{}", dice.below(9), dice.below(9), dice.below(9), dice.below(9)),
        _ => wrong_id(dice),
    }
}

fn resident_id(dice: &mut Dice) -> String {
    let region = pick(dice, &["110105", "310101", "440524", "510107", "650104", "810000", "330106"]);
    let body = format!(
        "{region}{}{:02}{:02}{}",
        1950 + dice.below(60),
        1 + dice.below(12),
        1 + dice.below(28),
        digits(dice, 3)
    );
    let valid = "0123456789X".chars().map(|check| format!("{body}{check}"));
    valid.into_iter().find(|id| checks::resident_id(id.as_bytes())).unwrap()
}

fn wrong_id(dice: &mut Dice) -> String {
    let id = resident_id(dice);
    let last = if id.ends_with('3') { '4' } else { '3' };
    format!("流水{}{last}", &id[..17])
}

fn mobile(dice: &mut Dice) -> String {
    let prefix = pick(dice, &["", "", "", "", "86", "+86"]);
    let number = format!("1{}{}", 3 + dice.below(7), digits(dice, 9));
    // The plus sign is no part of the span.
    format!("{}{number}", prefix.trim_start_matches('+'))
}

fn landline(dice: &mut Dice) -> String {
    let area = pick(dice, &["010", "021", "0755", "0571", "028", "0311"]);
    let gap = pick(dice, &["-", " ", ""]);
    format!("{area}{gap}{}{}", 2 + dice.below(7), digits(dice, 7))
}

fn card(dice: &mut Dice) -> String {
    let (prefix, length) =
        pick(dice, &[("62", 19), ("62", 16), ("4", 16), ("52", 16), ("35", 16), ("37", 15)]);
    let body = format!("{prefix}{}", digits(dice, length - prefix.len() - 1));
    let numbers = (0..10).map(|check| format!("{body}{check}"));
    let number = numbers.into_iter().find(|number| checks::luhn(number.as_bytes())).unwrap();
    if checks::old_resident_id(number.as_bytes()) { card(dice) } else { number }
}

fn email(dice: &mut Dice) -> String {
    let local = pick(dice, &["zhang.san", "li_si88", "a", "w+shop", "13900001111", "Wang-Wu"]);
    format!("{local}@{}", pick(dice, &["qq.com", "example.com.cn", "mail.example.org", "163.com"]))
}

fn plate(dice: &mut Dice) -> String {
    let province = pick(dice, &["京", "沪", "粤", "浙", "川"]);
    let letter = pick(dice, &["A", "B", "E"]);
    let gap = pick(dice, &["", "·", ""]);
    let body = match dice.below(3) {
        0 => digits(dice, 5),
        1 => format!("D{}", digits(dice, 5)),
        _ => format!("{}K{}", digits(dice, 2), digits(dice, 2)),
    };
    format!("{province}{letter}{gap}{body}")
}

fn passport(dice: &mut Dice) -> String {
    format!("{}{}", pick(dice, &["E", "G", "EA", "C", "H"]), digits(dice, 8))
}

fn uscc(dice: &mut Dice) -> String {
    let body = format!("91{}M{}", pick(dice, &["350100", "110105"]), digits(dice, 8));
    let codes = "0123456789ABCDEFGHJKLMNPQRTUWXY".chars().map(|check| format!("{body}{check}"));
    codes.into_iter().find(|code| checks::uscc(code.as_bytes())).unwrap()
}

fn ip(dice: &mut Dice) -> String {
    format!("{}.{}.{}.{}", 1 + dice.below(254), dice.below(256), dice.below(256), dice.below(256))
}

fn key(dice: &mut Dice) -> String {
    format!("{}{}abcdefghijkl", pick(dice, &["sk-", "ghp_", "sk-proj-"]), digits(dice, 12))
}

fn full_width(c: char) -> char {
    if c.is_ascii_graphic() { char::from_u32(c as u32 + 0xfee0).unwrap() } else { c }
}

fn say(c: char) -> char {
    c.to_digit(10).and_then(|digit| "零幺二三四五六七八九".chars().nth(digit as usize)).unwrap_or(c)
}

fn digits(dice: &mut Dice, count: usize) -> String {
    (0..count).map(|_| char::from_digit(dice.below(10) as u32, 10).unwrap()).collect()
}

fn pick<T: Copy>(dice: &mut Dice, from: &[T]) -> T {
    from[dice.below(from.len())]
}
