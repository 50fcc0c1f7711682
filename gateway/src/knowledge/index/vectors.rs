//! Nearest vectors: by a scan of all of them while that is quick, and exact; by an HNSW graph beyond.

use std::sync::Arc;

use instant_distance::{Builder, Hnsw, Point, PointId, Search};

use super::Indexed;
use crate::knowledge::encoder::{Vector, dot};

/// Largest segment that is scanned: two vectors a passage and one for each similar question, about a millisecond for all.
const SCANNED: usize = 5_000;
/// Breadth of the search in the graph; measured against the scan in the tests.
const BREADTH: usize = 160;

/// The vectors of a segment; they stay in its entries.
#[derive(Default)]
pub(super) struct Vectors {
    graph: Option<(Hnsw<Place>, Vec<usize>)>,
}

impl std::fmt::Debug for Vectors {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(if self.graph.is_some() { "Vectors(graph)" } else { "Vectors(scan)" })
    }
}

/// One vector in the graph.
#[derive(Clone)]
enum Place {
    Heading(Arc<Indexed>),
    Similar(Arc<Indexed>, usize),
    Body(Arc<Indexed>),
    Query(Box<Vector>),
}

impl Place {
    fn vector(&self) -> &Vector {
        match self {
            Self::Heading(entry) => &entry.heading.vector,
            Self::Similar(entry, at) => &entry.similar.get(*at).unwrap_or(&entry.heading).vector,
            Self::Body(entry) => &entry.body,
            Self::Query(vector) => vector,
        }
    }
}

impl Point for Place {
    fn distance(&self, other: &Self) -> f32 {
        1.0 - dot(self.vector(), other.vector())
    }
}

impl Vectors {
    pub(super) fn new(entries: &[Arc<Indexed>]) -> Self {
        if entries.len() <= SCANNED { Self::default() } else { Self::graph(entries) }
    }

    /// The graph, whatever the size.
    pub(super) fn graph(entries: &[Arc<Indexed>]) -> Self {
        let (mut places, mut owned_by) = (Vec::new(), Vec::new());
        for (at, entry) in entries.iter().enumerate() {
            places.extend([Place::Heading(entry.clone()), Place::Body(entry.clone())]);
            places.extend((0..entry.similar.len()).map(|similar| Place::Similar(entry.clone(), similar)));
            owned_by.resize(places.len(), at);
        }
        let (graph, ids) =
            Builder::default().seed(1).ef_construction(BREADTH).ef_search(BREADTH).build_hnsw(places);
        let mut owners = vec![0; ids.len()];
        for (id, owner) in ids.into_iter().zip(owned_by) {
            if let Some(place) = owners.get_mut(id.into_inner() as usize) {
                *place = owner;
            }
        }
        Self { graph: Some((graph, owners)) }
    }

    /// Places of the `count` live entries whose nearer vector is nearest to `query`.
    pub(super) fn nearest(
        &self,
        entries: &[Arc<Indexed>],
        query: &Vector,
        count: usize,
        alive: &dyn Fn(usize) -> bool,
    ) -> Vec<usize> {
        if let Some((graph, owners)) = &self.graph {
            let found = from_graph(graph, owners, query, count, alive);
            // So much of the base is gone that the graph's fixed breadth met too little that is live.
            if found.len() >= count {
                return found;
            }
        }
        scan(entries, query, count, alive)
    }
}

fn from_graph(
    graph: &Hnsw<Place>,
    owners: &[usize],
    query: &Vector,
    count: usize,
    alive: &dyn Fn(usize) -> bool,
) -> Vec<usize> {
    let mut search = Search::default();
    let mut found = Vec::with_capacity(count);
    for item in graph.search(&Place::Query(Box::new(*query)), &mut search) {
        let Some(owner) = owners.get(PointId::into_inner(item.pid) as usize).copied() else { continue };
        if alive(owner) && !found.contains(&owner) {
            found.push(owner);
        }
        if found.len() == count {
            break;
        }
    }
    found
}

/// The exact answer, and the reference for the graph.
pub(super) fn scan(
    entries: &[Arc<Indexed>],
    query: &Vector,
    count: usize,
    alive: &dyn Fn(usize) -> bool,
) -> Vec<usize> {
    let nearness = |entry: &Indexed| {
        let headings = entry.headings().map(|heading| dot(query, &heading.vector));
        headings.fold(dot(query, &entry.body), f32::max)
    };
    let live = entries.iter().enumerate().filter(|(at, _)| alive(*at));
    let mut ranked: Vec<(usize, f32)> = live.map(|(at, entry)| (at, nearness(entry))).collect();
    ranked.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked.into_iter().take(count).map(|(at, _)| at).collect()
}
