//! The searchable state of the knowledge base: a large segment that is rebuilt rarely, a small one with what came since, and the set
//! of what is gone. A [`Snapshot`] never changes; a new one takes its place in one step, so no search sees half an import.

mod keywords;
mod vectors;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::content::Content;
use super::encoder::{Encoder, Reading, Role, Vector};
use super::features::Feature;
use crate::store::Passage;
use keywords::Keywords;
use vectors::Vectors;

/// Changes kept beside the base before it is rebuilt: this many, or a tenth of the base.
const DELTA: usize = 256;

/// A passage with all that a search needs of it, computed once.
#[derive(Debug)]
pub struct Indexed {
    /// The passage.
    pub passage: Passage,
    /// The question, or the title for passages of documents.
    pub heading: Heading,
    /// Other ways to ask it.
    pub similar: Vec<Heading>,
    /// Vector of the text.
    pub body: Vector,
    /// What the text says.
    pub text: Content,
    /// The text as the encoder reads it.
    pub reading: Reading,
}

/// One way to ask for a passage.
#[derive(Debug)]
pub struct Heading {
    /// Its vector; the meaning is that of heading and text together.
    pub vector: Vector,
    /// What it says.
    pub content: Content,
    /// As the encoder reads it.
    pub reading: Reading,
}

impl Heading {
    fn new(heading: &str, text: &Reading, encoder: &Encoder) -> Self {
        let (content, reading) = (Content::new(heading), encoder.read(heading, Role::Heading));
        Self { vector: encoder.vector(&[&reading, text], &content.features), content, reading }
    }
}

impl Indexed {
    /// Takes a passage apart and encodes it.
    pub fn new(passage: Passage, encoder: &Encoder) -> Self {
        let (text, reading) = (Content::new(&passage.text), encoder.read(&passage.text, Role::Text));
        let heading = |asked: &String| Heading::new(asked, &reading, encoder);
        Self {
            heading: heading(&passage.title),
            similar: passage.similar.iter().map(heading).collect(),
            body: encoder.vector(&[&reading], &text.features),
            text,
            reading,
            passage,
        }
    }

    /// Each way to ask for it.
    pub fn headings(&self) -> impl Iterator<Item = &Heading> {
        std::iter::once(&self.heading).chain(&self.similar)
    }
}

/// Passages that are indexed together and never change.
#[derive(Debug, Default)]
pub struct Segment {
    entries: Vec<Arc<Indexed>>,
    vectors: Vectors,
    keywords: Keywords,
}

impl Segment {
    /// Indexes `entries`; a graph is built where a scan of all vectors would be slower.
    pub fn new(entries: Vec<Arc<Indexed>>) -> Self {
        Self { vectors: Vectors::new(&entries), keywords: Keywords::new(&entries), entries }
    }

    /// Passages in the segment.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// All live passages by id.
pub type Live = BTreeMap<String, Arc<Indexed>>;

/// One state of the knowledge base.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The store's version that it shows.
    pub version: u64,
    live: Arc<Live>,
    base: Arc<Segment>,
    delta: Segment,
    /// Places in `base` that are no longer live.
    gone: HashSet<usize>,
    /// Ways to ask for all live passages together.
    headings: usize,
}

/// A passage that may answer the query.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The passage.
    pub entry: Arc<Indexed>,
    /// Its BM25 score over heading and text.
    pub keywords: f32,
}

impl Snapshot {
    /// The state at `version` whose passages are `live`, reusing `base` for what has not changed since it was built.
    pub fn new(version: u64, live: Arc<Live>, base: Arc<Segment>) -> Self {
        let is_live =
            |entry: &Arc<Indexed>| live.get(&entry.passage.id).is_some_and(|now| Arc::ptr_eq(now, entry));
        let gone: HashSet<usize> =
            base.entries.iter().enumerate().filter(|(_, entry)| !is_live(entry)).map(|(at, _)| at).collect();
        let delta = if base.len() - gone.len() == live.len() {
            Segment::default()
        } else {
            let known: HashSet<*const Indexed> = base.entries.iter().map(Arc::as_ptr).collect();
            Segment::new(
                live.values().filter(|entry| !known.contains(&Arc::as_ptr(entry))).cloned().collect(),
            )
        };
        let headings = live.values().map(|entry| 1 + entry.similar.len()).sum();
        Self { version, live, base, delta, gone, headings }
    }

    /// Whether so much has changed since the base was built that it is time for a new one.
    pub fn is_stale(&self) -> bool {
        self.delta.len() + self.gone.len() > DELTA.max(self.base.len() / 10)
    }

    /// All live passages, by id.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Ways to ask for all live passages together: the more there are, the likelier one resembles any question.
    pub fn headings(&self) -> usize {
        self.headings
    }

    /// The large segment.
    pub fn base(&self) -> &Arc<Segment> {
        &self.base
    }

    /// Passages that are near `query` by meaning or share its keywords, each once; at least the `count` nearest by either measure.
    pub fn candidates(&self, query: &Vector, keywords: &[Feature], count: usize) -> Vec<Candidate> {
        let idf = self.idf(keywords);
        let alive = |at: usize| !self.gone.contains(&at);
        let mut found: HashMap<*const Indexed, Candidate> = HashMap::new();
        let everything = |_: usize| true;
        let segments: [(&Segment, &dyn Fn(usize) -> bool); 2] =
            [(&self.base, &alive), (&self.delta, &everything)];
        for (segment, alive) in segments {
            let scores = segment.keywords.scores(keywords, &idf);
            let mut places = segment.vectors.nearest(&segment.entries, query, count, alive);
            places.extend(top(&scores, count, alive));
            for at in places {
                let Some(entry) = segment.entries.get(at) else { continue };
                let keywords = scores.get(&at).copied().unwrap_or(0.0);
                found
                    .entry(Arc::as_ptr(entry))
                    .or_insert_with(|| Candidate { entry: entry.clone(), keywords });
            }
        }
        let mut found: Vec<Candidate> = found.into_values().collect();
        found.sort_by(|a, b| a.entry.passage.id.cmp(&b.entry.passage.id));
        found
    }

    /// How much each keyword tells passages of this base apart.
    pub fn idf(&self, keywords: &[Feature]) -> Vec<f32> {
        let total = (self.base.len() + self.delta.len()) as f32;
        let count = |keyword: &Feature| {
            (self.base.keywords.count(*keyword) + self.delta.keywords.count(*keyword)) as f32
        };
        keywords.iter().map(count).map(|n| (1.0 + (total - n + 0.5).max(0.5) / (n + 0.5)).ln()).collect()
    }

    /// Whether any passage holds the keyword.
    pub fn holds(&self, keyword: Feature) -> bool {
        self.base.keywords.count(keyword) + self.delta.keywords.count(keyword) > 0
    }
}

/// The places with the highest scores.
fn top(scores: &HashMap<usize, f32>, count: usize, alive: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut ranked: Vec<(usize, f32)> =
        scores.iter().filter(|(at, _)| alive(**at)).map(|(at, score)| (*at, *score)).collect();
    ranked.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked.into_iter().take(count).map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests;
