//! Spreadsheet exports: the delimiter, the header's names and where the question and answer stand are found out, not configured.

use csv::{ReaderBuilder, StringRecord};

use super::super::features::normalise;
use super::{Entry, Found};

/// Rows looked at to find the header: exports often begin with a title row.
const HEADER_ROWS: usize = 5;

/// Where a row keeps what.
#[derive(Clone, Copy, Debug)]
struct Columns {
    question: Option<usize>,
    answer: usize,
    updated: Option<usize>,
    title: Option<usize>,
    similar: Option<usize>,
}

/// The rows of a table, header and empty rows apart.
pub(super) fn parse(text: &str) -> Result<Found, String> {
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter(text))
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let (mut rows, mut complaints) = (Vec::new(), Vec::new());
    for record in reader.records() {
        match record {
            Ok(row) if row.iter().all(|cell| cell.trim().is_empty()) => {}
            Ok(row) => rows.push(row),
            Err(error) => complaints.push((
                error.position().map(csv::Position::line),
                format!("this row cannot be read: {error}"),
            )),
        }
    }
    let (columns, first) = match header(&rows) {
        Some(found) => found,
        None => (guess(&rows)?, 0),
    };
    Ok((rows.iter().skip(first).map(|row| entry(row, columns)).collect(), complaints))
}

/// The delimiter that the first line with any has most of, outside quotes.
fn delimiter(text: &str) -> u8 {
    let count = |line: &str, delimiter: char| {
        let mut quoted = false;
        line.chars()
            .filter(|c| {
                quoted ^= *c == '"';
                !quoted && *c == delimiter
            })
            .count()
    };
    let best =
        |line: &str| [',', ';', '\t'].into_iter().map(|d| (count(line, d), d)).rev().max_by_key(|(n, _)| *n);
    let found = text.lines().take(HEADER_ROWS).filter_map(best).find(|(n, _)| *n > 0);
    found.map_or(b',', |(_, delimiter)| delimiter as u8)
}

/// The columns by the names in the header, and the first row after it.
fn header(rows: &[StringRecord]) -> Option<(Columns, usize)> {
    rows.iter().take(HEADER_ROWS).enumerate().find_map(|(at, row)| {
        let names: Vec<String> = row.iter().map(column_name).collect();
        let find =
            |known: &[&str]| known.iter().find_map(|known| names.iter().position(|name| name == known));
        let question = find(&QUESTION);
        let answer = find(&ANSWER).filter(|answer| Some(*answer) != question)?;
        let title = find(&TITLE).filter(|title| Some(*title) != question);
        let known = names
            .iter()
            .filter(|name| QUESTION.contains(&name.as_str()) || ANSWER.contains(&name.as_str()))
            .count();
        // A lone "content" may as well be the first row of a list of words.
        (question.is_some() || (known > 0 && row.len() > 1)).then_some((
            Columns { question, answer, updated: find(&UPDATED), title, similar: find(&SIMILAR) },
            at + 1,
        ))
    })
}

const QUESTION: [&str; 20] = [
    "问题",
    "标准问题",
    "标准问",
    "问",
    "常见问题",
    "客户问题",
    "用户问题",
    "提问",
    "问句",
    "咨询问题",
    "question",
    "questions",
    "q",
    "faq",
    "query",
    "prompt",
    "customerquestion",
    "questiontext",
    "标题",
    "title",
];
const ANSWER: [&str; 20] = [
    "答案",
    "标准答案",
    "回答",
    "答",
    "回复",
    "解答",
    "答复",
    "回复内容",
    "答案内容",
    "内容",
    "answer",
    "answers",
    "a",
    "reply",
    "response",
    "answertext",
    "content",
    "body",
    "text",
    "solution",
];
const UPDATED: [&str; 14] = [
    "更新时间",
    "更新日期",
    "最后更新",
    "修改时间",
    "修改日期",
    "日期",
    "时间",
    "updated",
    "updatedat",
    "lastupdated",
    "lastmodified",
    "modified",
    "date",
    "updatedon",
];
const TITLE: [&str; 4] = ["标题", "title", "主题", "subject"];

const SIMILAR: [&str; 16] = [
    "相似问",
    "相似问题",
    "相似问法",
    "相似提问",
    "相似问句",
    "扩展问",
    "扩展问题",
    "同义问",
    "其他问法",
    "similar",
    "similarquestions",
    "similarquestion",
    "alternatives",
    "alternativequestions",
    "aliases",
    "variants",
];

/// The questions in one cell: one a line, or parted by bars or semicolons.
fn several(cell: &str) -> Vec<String> {
    let parts = cell.split(['\n', '|', '｜', ';', '；']).map(str::trim);
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// A header cell as compared: "问题（必填）", "Question *" and "question_text" lose their ornaments.
fn column_name(cell: &str) -> String {
    let name = normalise(cell);
    let bare = name.split(['(', '（', '[', '【']).next().unwrap_or_default();
    bare.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Without a header: the answer is the column with most text, the question the longest one before it.
fn guess(rows: &[StringRecord]) -> Result<Columns, String> {
    let width = rows.iter().map(StringRecord::len).max().unwrap_or(0);
    let text = |column: usize| -> usize {
        let letters = |cell: &str| cell.chars().filter(|c| c.is_alphabetic()).count();
        rows.iter().filter_map(|row| row.get(column)).map(letters).sum()
    };
    let answer = (0..width).max_by_key(|column| (text(*column), *column)).filter(|column| text(*column) > 0);
    let answer = answer.ok_or("the table holds no text")?;
    let question = (0..width)
        .filter(|column| *column != answer && text(*column) > 0)
        .max_by_key(|column| (*column < answer, text(*column)));
    Ok(Columns { question, answer, updated: None, title: None, similar: None })
}

fn entry(row: &StringRecord, columns: Columns) -> Entry {
    let cell = |column: usize| row.get(column).unwrap_or_default().to_owned();
    Entry {
        line: row.position().map_or(0, csv::Position::line),
        title: columns.title.map(cell).unwrap_or_default(),
        question: columns.question.map(cell),
        similar: columns.similar.map(cell).map(|cell| several(&cell)).unwrap_or_default(),
        text: cell(columns.answer),
        updated: columns.updated.map(cell),
    }
}
