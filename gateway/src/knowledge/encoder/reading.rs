//! What the encoder makes of a text before it is compared: a vector for each place in it, how much that place counts, and their sum.

use std::ops::Range;

use super::{CLAIM, Encoder, MEANING, TOKEN};
use crate::knowledge::concepts::Lexicon;
use crate::knowledge::features::{Feature, Kind, tokens};

/// Places looked at in a question, a heading and a text: what follows adds little and would cost time.
const QUESTION_PLACES: usize = 48;
const HEADING_PLACES: usize = 32;
const TEXT_PLACES: usize = 160;
/// Parts of a token's vector are kept in 127ths.
const STEPS: f32 = 127.0;

/// What a text is to another one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Asked by a customer.
    Question = 0,
    /// Above a passage: the question it answers, or its title.
    Heading = 1,
    /// The passage.
    Text = 2,
}

/// The features that stand at each place of a text: a character with its neighbours, a word with its pieces, and what the phrases
/// that lie there stand for.
pub fn places(text: &str, role: Role) -> Vec<Vec<Feature>> {
    places_and_clauses(text, role).0
}

/// The places, and which of them begin a clause.
fn places_and_clauses(text: &str, role: Role) -> (Vec<Vec<Feature>>, Vec<usize>) {
    let most = match role {
        Role::Question => QUESTION_PLACES,
        Role::Heading => HEADING_PLACES,
        Role::Text => TEXT_PLACES,
    };
    let mut places: Vec<Vec<Feature>> = Vec::new();
    let mut clauses = Vec::new();
    for clause in text.split(crate::knowledge::content::ends_clause) {
        if places.len() >= most {
            break;
        }
        let tokens = tokens(clause);
        let first = places.len();
        clauses.extend((!tokens.is_empty()).then_some(first));
        let mut before = None;
        for token in &tokens {
            let mut place = vec![token.feature];
            if token.number {
                place.push(Feature::new(Kind::Word, "#"));
            }
            place.extend(before.into_iter().chain(token.pair));
            place.extend(&token.pieces);
            before = token.pair;
            places.push(place);
        }
        for found in Lexicon::concepts().find(&tokens) {
            for place in places.iter_mut().skip(first + found.start).take(found.end - found.start) {
                place.extend(found.concepts);
            }
        }
    }
    places.truncate(most);
    (places, clauses)
}

/// A text as the encoder reads it.
#[derive(Clone, Debug)]
pub struct Reading {
    /// A vector of length 1 for each place, in [`STEPS`]; [`TOKEN`] numbers each.
    tokens: Box<[i8]>,
    /// How much each place counts when texts are held against each other.
    importance: Box<[f32]>,
    /// What each place asks (of a question) or tells (of a passage): vectors of length 1, in [`STEPS`]; [`CLAIM`] numbers each.
    claims: Box<[i8]>,
    /// How much it matters that a passage tells what each place asks; of a passage nothing.
    needs: Box<[f32]>,
    /// The places that begin a clause.
    clauses: Box<[usize]>,
    /// Sum over the places of what they mean, each by the attention it draws; sums of texts may be added.
    pub(super) meaning: Box<[f32; MEANING]>,
    /// Share of the places that the encoder has learned something of.
    pub(super) known: f32,
}

impl Reading {
    pub(super) fn new(encoder: &Encoder, text: &str, role: Role) -> Self {
        let (places, clauses) = places_and_clauses(text, role);
        let mut tokens = Vec::with_capacity(places.len() * TOKEN);
        let mut claims = Vec::with_capacity(places.len() * CLAIM);
        let (mut importance, mut needs) = (Vec::new(), Vec::new());
        let (mut summed, mut known) = (vec![0.0; encoder.width()], 0);
        let in_steps = |value: &f32| (value * STEPS).round() as i8;
        for place in &places {
            let (input, learned) = encoder.input(place, role);
            known += usize::from(learned);
            tokens.extend(encoder.token(&input).iter().map(in_steps));
            claims.extend(encoder.claim(&input, role).iter().map(in_steps));
            needs.extend((role == Role::Question).then(|| encoder.need(&input)));
            let (attention, counts) = encoder.counts(&input);
            importance.push(counts);
            summed.iter_mut().zip(&input).for_each(|(sum, value)| *sum += attention * value);
        }
        Self {
            tokens: tokens.into(),
            importance: importance.into(),
            claims: claims.into(),
            needs: needs.into(),
            clauses: clauses.into(),
            meaning: Box::new(encoder.meaning(&summed)),
            known: known as f32 / places.len().max(1) as f32,
        }
    }

    /// How well each place of this text is met by its likest place among `others`: (how much it counts, likeness up to 1).
    pub fn met<'a>(&'a self, others: &'a [&'a Reading]) -> impl Iterator<Item = (f32, f32)> + 'a {
        self.tokens.chunks_exact(TOKEN).zip(&self.importance).map(move |(token, counts)| {
            (*counts, likest(token, others.iter().flat_map(|other| other.tokens.chunks_exact(TOKEN))))
        })
    }

    /// How well each place of this question is told by its likest place among `others`: (how much it matters, likeness up to 1).
    pub(super) fn told<'a>(&'a self, others: &'a [&'a Reading]) -> impl Iterator<Item = (f32, f32)> + 'a {
        self.claims.chunks_exact(CLAIM).zip(&self.needs).map(move |(claim, need)| {
            (*need, likest(claim, others.iter().flat_map(|other| other.claims.chunks_exact(CLAIM))))
        })
    }

    /// How much there is to be told to a question, in all.
    pub fn need(&self) -> f32 {
        self.needs.iter().sum()
    }

    /// The places of each clause.
    pub(super) fn clauses(&self) -> impl Iterator<Item = Range<usize>> {
        let ends = self.clauses.iter().skip(1).copied().chain([self.needs.len()]);
        self.clauses.iter().copied().zip(ends).map(|(start, end)| start..end)
    }
}

/// The likeness of the likest of `others`, up to 1; 0 where there is none.
fn likest<'a>(one: &[i8], others: impl Iterator<Item = &'a [i8]>) -> f32 {
    others.map(|other| likeness(one, other)).max().unwrap_or(0) as f32 / (STEPS * STEPS)
}

fn likeness(one: &[i8], other: &[i8]) -> i32 {
    one.iter().zip(other).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}

/// The weighted mean of what [`Reading::met`] gives, and the largest weighted miss; 0 and 1 for an empty text.
pub fn mean_and_worst(met: impl Iterator<Item = (f32, f32)>) -> (f32, f32) {
    let (mut all, mut sum, mut worst) = (0.0_f32, 0.0, 0.0_f32);
    for (counts, likeness) in met {
        all += counts;
        sum += counts * likeness;
        worst = worst.max(counts * (1.0 - likeness));
    }
    if all > 0.0 { (sum / all, worst / all) } else { (0.0, 1.0) }
}
