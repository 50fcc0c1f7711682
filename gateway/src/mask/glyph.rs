//! Characters as the detectors see them: full-width folded, spoken numerals as digits, invisibles gone.

/// What `fold` gives for characters that print nothing.
pub(super) const INVISIBLE: char = '\0';

/// The ASCII character that `c` stands for inside an identifier; `c` itself if it stands for none.
pub(super) fn fold(c: char) -> char {
    match c {
        '\u{21}'..='\u{7e}' | ' ' => c,
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        '\u{3000}' | '\u{a0}' | '\u{2002}'..='\u{200a}' | '\u{202f}' | '\t' => ' ',
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' => INVISIBLE,
        '\u{feff}' | '\u{ad}' | '\u{fe0f}' | '\u{fe0e}' => INVISIBLE,
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' => '-',
        '•' | '・' | '‧' | '∙' => '·',
        '\u{1d7ce}'..='\u{1d7ff}' => digit((c as u32 - 0x1d7ce) % 10),
        _ => c,
    }
}

/// The digit that a spoken or written-out Chinese numeral stands for.
pub(super) fn spoken(c: char) -> Option<char> {
    Some(match c {
        '零' | '〇' | '洞' => '0',
        '一' | '幺' | '壹' => '1',
        '二' | '两' | '贰' => '2',
        '三' | '叁' => '3',
        '四' | '肆' => '4',
        '五' | '伍' => '5',
        '六' | '陆' => '6',
        '七' | '柒' | '拐' => '7',
        '八' | '捌' => '8',
        '九' | '玖' | '勾' => '9',
        _ => return None,
    })
}

/// The one-character names of provinces that begin a plate.
pub(super) fn plate_province(c: char) -> bool {
    "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼".contains(c)
}

/// Characters that end some plates: trailer, learner, police, Hong Kong, Macau, diplomatic.
pub(super) fn plate_suffix(c: char) -> bool {
    "挂学警港澳使领".contains(c)
}

/// Whether `c` belongs to the Han blocks that names and addresses are written in.
pub(super) fn han(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '〇')
}

fn digit(value: u32) -> char {
    char::from_digit(value, 10).unwrap_or('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_width_mathematical_and_invisible_characters_fold() {
        let folded: String = "１３８＠ａＸ．𝟏𝟗\u{3000}".chars().map(fold).collect();
        assert_eq!(folded, "138@aX.19 ");
        assert_eq!(fold('\u{200b}'), INVISIBLE);
        assert_eq!(fold('我'), '我');
    }

    #[test]
    fn each_spoken_numeral_is_one_digit() {
        let digits: String = "〇幺二三四五六拐八九".chars().filter_map(spoken).collect();
        assert_eq!(digits, "0123456789");
        assert_eq!(spoken('十'), None);
    }
}
