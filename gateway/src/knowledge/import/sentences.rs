//! Cuts text between sentences, inside one only where it is longer than any answer, and packs sentences into passages of a
//! size that can be cited.

use super::super::features::is_gram;

/// Sizes are counted in units: a Chinese character is 1, an English word [`WORD`]; so 200 units are 200 characters or 90 words.
const WORD: f32 = 2.2;
/// A passage is never packed beyond this.
const MAX_UNITS: f32 = 200.0;
/// A passage this long is not joined with the next paragraph.
const ENOUGH_UNITS: f32 = 60.0;
const MAX_SENTENCES: usize = 4;
/// Answers up to this size stay whole: their author wrote them to be read in one piece.
const WHOLE_ANSWER_UNITS: f32 = 600.0;
/// No passage has more bytes, whatever they are: one word without end counts few units and fills a prompt all the same.
const MAX_BYTES: usize = 4096;

/// The sentences of `text`, trimmed, in order; their concatenation has all of its words.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let end = at + c.len_utf8();
        let next = characters.peek().map(|(_, next)| *next);
        if ends_sentence(text.get(start..at).unwrap_or_default(), c, next) {
            found.push(text.get(start..end).unwrap_or_default().trim());
            start = end;
        }
    }
    found.push(text.get(start..).unwrap_or_default().trim());
    found.retain(|sentence| !sentence.is_empty());
    found
}

/// Whether the sentence that so far reads `before` ends with `c`.
fn ends_sentence(before: &str, c: char, next: Option<char>) -> bool {
    let closes =
        |next: char| matches!(next, '”' | '』' | '」' | '）' | ')' | '"' | '。' | '！' | '？' | '!' | '?');
    match c {
        '\n' => true,
        '。' | '！' | '？' => !next.is_some_and(closes),
        '”' | '』' | '」' => before.ends_with(['。', '！', '？']),
        '.' | '!' | '?' => next.is_none_or(char::is_whitespace) && !is_abbreviation(before),
        _ => false,
    }
}

fn is_abbreviation(before: &str) -> bool {
    const SHORT: [&str; 12] =
        ["no", "mr", "mrs", "ms", "dr", "e.g", "i.e", "etc", "approx", "st", "rd", "vs"];
    let word = before
        .rsplit(|c: char| c.is_whitespace() || c == '(')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    SHORT.contains(&word.as_str()) || (word.len() == 1 && word.chars().all(char::is_alphabetic))
}

/// How long a text is, in units.
pub(super) fn units(text: &str) -> f32 {
    let characters = text.chars().filter(|c| is_gram(*c)).count() as f32;
    let words =
        text.split(|c: char| is_gram(c) || !c.is_alphanumeric()).filter(|word| !word.is_empty()).count()
            as f32;
    characters + words * WORD
}

/// Whether a text may stay in one piece.
fn is_whole(text: &str) -> bool {
    text.len() <= MAX_BYTES && units(text) <= WHOLE_ANSWER_UNITS
}

/// A sentence in pieces that fit into a passage; nearly every one is its own piece.
fn pieces(sentence: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = sentence;
    if !is_whole(sentence) {
        while let Some((piece, tail)) = end_of_piece(rest).and_then(|end| rest.split_at_checked(end)) {
            found.push(piece.trim());
            rest = tail;
        }
    }
    found.push(rest.trim());
    found.retain(|piece| !piece.is_empty());
    found
}

/// Where a text that is too long for a passage is cut: after the last comma or blank that fits, else after the last
/// character. `None`: it is not too long.
fn end_of_piece(text: &str) -> Option<usize> {
    let (mut size, mut in_word, mut gap) = (0.0, false, None);
    for (at, c) in text.char_indices() {
        let of_word = c.is_alphanumeric() && !is_gram(c);
        size += match (is_gram(c), of_word && !in_word) {
            (true, _) => 1.0,
            (_, true) => WORD,
            _ => 0.0,
        };
        in_word = of_word;
        let end = at + c.len_utf8();
        if size > MAX_UNITS || end > MAX_BYTES {
            return gap.or(Some(at));
        }
        if c.is_whitespace() || matches!(c, '，' | '、' | '；' | ',' | ';' | '：' | ':') {
            gap = Some(end);
        }
    }
    None
}

/// Packs paragraphs, each (line, text), into passages, each (line of its start, text).
pub(super) fn pack(paragraphs: &[(u64, String)]) -> Vec<(u64, String)> {
    let mut packed: Vec<(u64, String)> = Vec::new();
    let (mut open, mut count) = (false, 0);
    for (line, paragraph) in paragraphs {
        for sentence in sentences(paragraph).into_iter().flat_map(pieces) {
            let fits = |text: &str| {
                count < MAX_SENTENCES
                    && text.len() + sentence.len() < MAX_BYTES
                    && units(text) + units(sentence) <= MAX_UNITS
            };
            match packed.last_mut().filter(|(_, text)| open && fits(text)) {
                Some((_, text)) => {
                    join(text, sentence);
                    count += 1;
                }
                None => {
                    packed.push((*line, sentence.to_owned()));
                    (open, count) = (true, 1);
                }
            }
        }
        open =
            packed.last().is_some_and(|(_, text)| units(text) < ENOUGH_UNITS || text.ends_with(['：', ':']));
    }
    packed
}

/// An answer whole, or in passages where it is too long to frame in one.
pub(super) fn split_answer(text: &str) -> Vec<String> {
    if is_whole(text) {
        return vec![text.to_owned()];
    }
    pack(&[(0, text.to_owned())]).into_iter().map(|(_, text)| text).collect()
}

/// Appends a sentence, with a space unless both sides are Chinese.
pub(super) fn join(text: &mut String, sentence: &str) {
    let wide = |c: char| is_gram(c) || matches!(c, '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ffef}' | '”');
    if text.chars().next_back().is_some_and(|c| !wide(c))
        || sentence.chars().next().is_some_and(|c| !wide(c) && !text.ends_with(wide))
    {
        text.push(' ');
    }
    text.push_str(sentence);
}

/// The text as a sentence: with a full stop in its own script where it has no end mark.
pub(super) fn finished(text: &str) -> String {
    let text = text.trim();
    match text.chars().next_back() {
        None => String::new(),
        Some('。' | '！' | '？' | '.' | '!' | '?' | '：' | ':' | '…' | '”') => text.to_owned(),
        Some(_) => {
            let body = text.trim_end_matches(['；', ';', '，', ',', '、']);
            let stop = if body.chars().any(is_gram) { '。' } else { '.' };
            format!("{body}{stop}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_a_reader_ends_them() {
        assert_eq!(
            sentences("满99元包邮。否则12元！好吗？！行"),
            ["满99元包邮。", "否则12元！", "好吗？！", "行"]
        );
        assert_eq!(
            sentences("It costs 3.50 a day. See No. 5, e.g. ours. Fine"),
            ["It costs 3.50 a day.", "See No. 5, e.g. ours.", "Fine"]
        );
        assert_eq!(sentences("他说“好。”然后走了。"), ["他说“好。”", "然后走了。"]);
    }

    #[test]
    fn a_sentence_without_end_is_cut_and_loses_nothing() {
        let numbered: String = (0..20_000).map(|i| format!("word{i} ")).collect();
        let long = [
            "退货".repeat(50_000),
            "x".repeat(300_000),
            "！".repeat(100_000),
            "😀".repeat(30_000),
            "七天内可以退货，".repeat(20_000),
            numbered,
        ];
        for text in long {
            let packed = pack(&[(1, text.clone())]);
            let fits = |text: &str| text.len() <= MAX_BYTES && units(text) <= MAX_UNITS;
            assert!(packed.len() > 1 && packed.iter().all(|(_, text)| fits(text)), "{}", &text[..12]);
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            let joined: String = packed.iter().map(|(_, text)| bare(text)).collect();
            assert_eq!(joined, bare(&text));
        }
        let sentence = "七天内可以退货，".repeat(60);
        assert_eq!(pieces(&sentence), [sentence.as_str()], "long, but an answer");
    }

    #[test]
    fn packing_keeps_every_sentence_whole_and_in_order() {
        let paragraphs: Vec<(u64, String)> = (0..20)
            .map(|i| (i, (0..=i % 5).map(|j| format!("第{i}段第{j}句{}。", "话".repeat(40))).collect()))
            .collect();
        let packed = pack(&paragraphs);
        assert_eq!(
            packed.iter().map(|(_, text)| text.as_str()).collect::<String>(),
            paragraphs.iter().map(|(_, text)| text.as_str()).collect::<String>()
        );
        assert!(packed.iter().all(|(_, text)| units(text) <= MAX_UNITS && text.ends_with('。')));
    }

    #[test]
    fn a_long_sentence_stays_whole() {
        let text = "长".repeat(600);
        assert_eq!(pack(&[(1, text.clone())]), [(1, text)]);
    }

    #[test]
    fn a_lead_in_stays_with_its_list() {
        let packed = pack(&[(1, "所需材料如下：".into()), (2, "发票。".into())]);
        assert_eq!(packed, [(1, "所需材料如下：发票。".into())]);
    }
}
