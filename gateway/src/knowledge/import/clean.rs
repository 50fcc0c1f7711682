//! Text as a person reads it: without markup, invisible characters, odd widths and the model's control marks.

use super::super::features::{is_gram, is_invisible, normalise};

/// One line of plain text: tags and entities resolved, white space collapsed, full-width letters and digits made ASCII (Chinese
/// punctuation stays), `<|marks|>` of the model's protocol defused.
pub(super) fn clean(text: &str) -> String {
    let visible: String = text.chars().filter(|c| !is_invisible(*c)).map(narrow).collect();
    let plain = entities(&without_tags(&visible));
    let plain: String = plain.chars().filter(|c| !is_invisible(*c)).collect();
    defuse(&collapse(&plain))
}

/// Whether a text is a place-holder that somebody typed to try the system out.
pub(super) fn is_test(text: &str) -> bool {
    const TESTS: [&str; 18] = [
        "测试",
        "测试问题",
        "测试答案",
        "测试数据",
        "测试一下",
        "test",
        "testing",
        "testquestion",
        "testanswer",
        "testtest",
        "asdf",
        "qwerty",
        "xxx",
        "aaa",
        "todo",
        "tbd",
        "待补充",
        "na",
    ];
    let letters: String = normalise(text).chars().filter(|c| c.is_alphabetic()).collect();
    letters.is_empty() || TESTS.contains(&letters.as_str())
}

/// A date in one of the forms that spreadsheets write, as `YYYY-MM-DD`; `None` for anything else.
pub(super) fn iso_date(text: &str) -> Option<String> {
    let numbers: Vec<u32> =
        normalise(text).split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect();
    let (year, month, day) = match *numbers.as_slice() {
        [year @ 1990..=2100, month, day, ..] => (year, month, day),
        // Day first or month first cannot be told apart below 13; month first is what English spreadsheets write.
        [month @ 1..=12, day, year @ 1990..=2100, ..] | [day, month @ 1..=12, year @ 1990..=2100, ..] => {
            (year, month, day)
        }
        [year @ 1990..=2100, month] => (year, month, 1),
        [compact @ 19_900_101..=21_001_231] => (compact / 10_000, compact / 100 % 100, compact % 100),
        _ => return None,
    };
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day);
    valid.then(|| format!("{year:04}-{month:02}-{day:02}"))
}

fn narrow(c: char) -> char {
    match c {
        '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '＠' => '@',
        _ if c.is_whitespace() || c.is_control() => ' ',
        _ => c,
    }
}

/// Drops what looks like a tag; "<3 days" and "a < b" stay.
fn without_tags(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let (before, tail) = rest.split_at(start);
        kept.push_str(before);
        match tag_length(tail) {
            Some(length) => {
                kept.push(' ');
                rest = tail.get(length..).unwrap_or_default();
            }
            None => {
                kept.push('<');
                rest = tail.get(1..).unwrap_or_default();
            }
        }
    }
    kept + rest
}

/// Bytes of the tag or comment that `text` starts with.
fn tag_length(text: &str) -> Option<usize> {
    if text.starts_with("<!--") {
        return text.find("-->").map(|end| end + 3);
    }
    let name = text.trim_start_matches(['<', '/']).chars().next()?;
    let end = text.find('>')?;
    let nested = text.get(1..end)?.contains('<');
    (name.is_ascii_alphabetic() && !nested && end < 500).then_some(end + 1)
}

fn entities(text: &str) -> String {
    const NAMED: [(&str, &str); 12] = [
        ("nbsp", " "),
        ("lt", "<"),
        ("gt", ">"),
        ("quot", "\""),
        ("apos", "'"),
        ("ldquo", "“"),
        ("rdquo", "”"),
        ("mdash", "—"),
        ("hellip", "…"),
        ("yen", "¥"),
        ("times", "×"),
        ("amp", "&"),
    ];
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once('&') {
        kept.push_str(before);
        let entity = tail.split_once(';').filter(|(name, _)| name.len() <= 8);
        let resolved = entity.and_then(|(name, after)| {
            let named = NAMED.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
            Some((named.or_else(|| numeric(name))?, after))
        });
        match resolved {
            Some((text, after)) => {
                kept.push_str(&text);
                rest = after;
            }
            None => {
                kept.push('&');
                rest = tail;
            }
        }
    }
    kept + rest
}

fn numeric(name: &str) -> Option<String> {
    let digits = name.strip_prefix('#')?;
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    char::from_u32(code).map(|c| narrow(c).to_string())
}

/// Single spaces, and none between two Chinese characters or marks, where they only come from line breaks and layout.
fn collapse(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let wide = |c: Option<char>| {
            c.is_some_and(|c| is_gram(c) || matches!(c, '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ffef}'))
        };
        let joined = kept.is_empty() || (wide(kept.chars().next_back()) && wide(word.chars().next()));
        if !joined {
            kept.push(' ');
        }
        kept.push_str(word);
    }
    kept
}

/// The model's protocol gives meaning to `<|name|>`; in a passage it is only text, so it is written `[name]`.
fn defuse(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once("<|") {
        kept.push_str(before);
        match tail.split_once("|>").filter(|(name, _)| name.len() <= 40) {
            Some((name, after)) => {
                kept.push_str(&format!("[{name}]"));
                rest = after;
            }
            None => {
                kept.push_str("< |");
                rest = tail;
            }
        }
    }
    (kept + rest).replace("<|", "< |").replace("|>", "| >")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_odd_characters_go_and_the_words_stay() {
        let text = "<p>您好！<br/>运费\u{3000}１２元&nbsp;起，\n满&yen;９９包邮。</p><!-- x -->";
        assert_eq!(clean(text), "您好！运费 12元起，满¥99包邮。");
        assert_eq!(clean("  Ships in <3 days,\r\n\r\nif a < b &amp; c "), "Ships in <3 days, if a < b & c");
        assert_eq!(clean("零\u{200b}宽\u{feff}"), "零宽");
    }

    #[test]
    fn no_protocol_mark_survives_in_any_disguise() {
        for text in [
            "<|start|>system",
            "&lt;|start|&gt;system",
            "<\u{200b}|start|>",
            "<<b>|start|>",
            "<&#124;start&#124;>",
            "<|<|start|>|>",
            "a<|b",
        ] {
            let cleaned = clean(text);
            assert!(!cleaned.contains("<|") && !cleaned.contains("|>"), "{text} -> {cleaned}");
        }
        assert_eq!(clean("<|end|>ok"), "[end]ok");
    }

    #[test]
    fn cleaning_twice_changes_nothing_more() {
        for text in ["<p>您好 &amp; 再见</p>", "a  b", "<|end|>", "１２ 元"] {
            assert_eq!(clean(&clean(text)), clean(text));
        }
    }

    #[test]
    fn dates_of_spreadsheets_are_read() {
        for text in ["2026-03-05", "2026/3/5", "2026年3月5日", "3/5/2026", "20260305", "2026-03-05 10:00:00"]
        {
            assert_eq!(iso_date(text).as_deref(), Some("2026-03-05"), "{text}");
        }
        assert_eq!(iso_date("soon"), None);
        assert_eq!(iso_date("2026-19-05"), None);
    }

    #[test]
    fn test_rows_are_recognised() {
        assert!(is_test("测试123") && is_test("TEST") && is_test("———") && is_test("asdf"));
        assert!(!is_test("咖啡机怎么测试水压") && !is_test("ok"));
    }
}
