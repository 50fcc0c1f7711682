//! Documents without columns: Markdown by its headings, lists and tables; plain text by its paragraphs.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::super::features::is_gram;
use super::Entry;
use super::sentences::{finished, join, pack};

/// The passages of a Markdown document named `stem`; a passage's title is the path of headings above it.
pub(super) fn markdown(stem: &str, text: &str) -> Vec<Entry> {
    let mut reader = Reader { stem, ..Reader::default() };
    let options = Options::ENABLE_TABLES | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let lines = LineIndex::new(text);
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        reader.read(event, lines.line(range.start));
    }
    reader.close_section();
    reader.entries
}

/// The passages of a plain text: paragraphs, and question-and-answer pairs where lines begin with 问/答 or Q/A.
pub(super) fn plain(stem: &str, text: &str) -> Vec<Entry> {
    let (mut entries, mut paragraphs): (Vec<Entry>, Vec<(u64, String)>) = (Vec::new(), Vec::new());
    let mut at = Place::Gap;
    for (line, content) in (1..).zip(text.lines().map(str::trim)) {
        let question = labelled(content, &["问", "Q", "q", "问题", "Question"]);
        at = match (question, at, entries.last_mut(), paragraphs.last_mut()) {
            (Some(question), ..) => {
                entries.push(Entry { line, question: Some(question.to_owned()), ..Entry::default() });
                Place::Answer
            }
            // A blank line between a question and its answer is only layout.
            (None, Place::Answer, Some(entry), _) if content.is_empty() && entry.text.is_empty() => {
                Place::Answer
            }
            _ if content.is_empty() => Place::Gap,
            (None, Place::Answer, Some(entry), _) => {
                join(
                    &mut entry.text,
                    labelled(content, &["答", "A", "a", "答案", "Answer"]).unwrap_or(content),
                );
                Place::Answer
            }
            (None, Place::Paragraph, _, Some((_, paragraph))) => {
                join(paragraph, content);
                Place::Paragraph
            }
            _ => {
                paragraphs.push((line, content.to_owned()));
                Place::Paragraph
            }
        };
    }
    let passages = pack(&paragraphs).into_iter().map(|(line, text)| Entry {
        line,
        title: stem.to_owned(),
        text,
        ..Entry::default()
    });
    entries.into_iter().chain(passages).collect()
}

/// What the line before belonged to.
#[derive(Clone, Copy)]
enum Place {
    Gap,
    Answer,
    Paragraph,
}

/// What follows "label:" or "label：" at the start of a line, if it is there.
fn labelled<'a>(line: &'a str, labels: &[&str]) -> Option<&'a str> {
    let (label, rest) = line.split_once([':', '：'])?;
    let label = label
        .trim_start_matches(['#', '*', ' '])
        .trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ' || c == '.');
    labels.contains(&label).then(|| rest.trim())
}

/// Turns the event stream into paragraphs, and each section's paragraphs into passages.
#[derive(Default)]
struct Reader<'a> {
    stem: &'a str,
    headings: Vec<(u8, String)>,
    paragraphs: Vec<(u64, String)>,
    text: String,
    line: u64,
    header: Vec<String>,
    cells: Vec<String>,
    skipping: bool,
    updated: Option<String>,
    entries: Vec<Entry>,
}

impl Reader<'_> {
    fn read(&mut self, event: Event<'_>, line: u64) {
        match event {
            Event::Start(Tag::MetadataBlock(_)) => self.skipping = true,
            Event::End(TagEnd::MetadataBlock(_)) => self.skipping = false,
            Event::Text(text) if self.skipping => self.front_matter(&text),
            Event::Start(Tag::Heading { .. }) => self.close_section(),
            Event::End(TagEnd::Heading(level)) => self.heading(level as u8),
            Event::Start(
                Tag::Paragraph
                | Tag::Item
                | Tag::TableHead
                | Tag::TableRow
                | Tag::CodeBlock(_)
                | Tag::HtmlBlock,
            ) => {
                self.close_paragraph();
                self.line = line;
            }
            Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::CodeBlock | TagEnd::HtmlBlock) => {
                self.close_paragraph()
            }
            Event::End(TagEnd::TableCell) => {
                self.cells.push(std::mem::take(&mut self.text).trim().to_owned())
            }
            Event::End(TagEnd::TableHead) => self.header = std::mem::take(&mut self.cells),
            Event::End(TagEnd::TableRow) => self.row(),
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => {
                self.text.push_str(&text)
            }
            Event::SoftBreak | Event::HardBreak => self.text.push(' '),
            _ => {}
        }
    }

    fn front_matter(&mut self, text: &str) {
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else { continue };
            let value = value.trim().trim_matches(['"', '\'']);
            match key.trim() {
                "title" | "标题" => self.headings = vec![(0, value.to_owned())],
                "updated" | "date" | "lastmod" | "更新日期" => self.updated = Some(value.to_owned()),
                _ => {}
            }
        }
    }

    fn heading(&mut self, level: u8) {
        let text = std::mem::take(&mut self.text).trim().to_owned();
        self.headings.retain(|(above, title)| *above < level && *title != text);
        self.headings.push((level, text));
    }

    /// "Standard: time 2-3 days, fee 12 yuan." says in a sentence what the row says by its place.
    fn row(&mut self) {
        let cells = std::mem::take(&mut self.cells);
        let Some((subject, values)) = cells.split_first() else { return };
        let chinese = cells.iter().chain(&self.header).any(|cell| cell.chars().any(is_gram));
        let (colon, comma, space) = if chinese { ("：", "，", "") } else { (": ", ", ", " ") };
        let named = values.iter().zip(self.header.iter().skip(1)).filter(|(value, _)| !value.is_empty());
        let named: Vec<String> = named.map(|(value, name)| format!("{name}{space}{value}")).collect();
        let row =
            if named.is_empty() { subject.clone() } else { format!("{subject}{colon}{}", named.join(comma)) };
        self.paragraphs.push((self.line, finished(&row)));
    }

    fn close_paragraph(&mut self) {
        let text = std::mem::take(&mut self.text);
        let text = finished(&text.split_whitespace().collect::<Vec<_>>().join(" "));
        if !text.is_empty() {
            self.paragraphs.push((self.line, text));
        }
    }

    fn close_section(&mut self) {
        self.close_paragraph();
        let path: Vec<&str> = self.headings.iter().map(|(_, title)| title.as_str()).collect();
        let title = if path.is_empty() { self.stem.to_owned() } else { path.join(" > ") };
        let updated = self.updated.clone();
        let passages = pack(&std::mem::take(&mut self.paragraphs)).into_iter();
        self.entries.extend(passages.map(|(line, text)| Entry {
            line,
            title: title.clone(),
            question: None,
            similar: Vec::new(),
            text,
            updated: updated.clone(),
        }));
    }
}

/// Line numbers of byte offsets.
struct LineIndex(Vec<usize>);

impl LineIndex {
    fn new(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    fn line(&self, offset: usize) -> u64 {
        self.0.partition_point(|end| *end < offset) as u64 + 1
    }
}
