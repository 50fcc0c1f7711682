//! What an answer stands on: the passages nearest to the question, framed into the prompt.

use http::HeaderMap;

use super::today;
use crate::knowledge::Hit;
use crate::openai::chat::{Chat, Source};
use crate::stack::Gateway;
use crate::transcript::{Conversation, Passage, Turn, cited, frame, instructions};

/// A follow-up ("and for shoes?") shorter than this says too little to search by itself.
const SHORT_QUESTION_CHARACTERS: usize = 8;

/// A passage further behind the best than this only distracts: the ranking holds it for twenty times less likely (scores are
/// logarithms of odds).
const FAR_BEHIND: f32 = 3.0;

/// The passages for one question.
#[derive(Debug, Clone, Default)]
pub struct Ground {
    /// Whether the question was looked up at all.
    pub looked_up: bool,
    /// Whether the knowledge base covers it.
    pub covered: bool,
    hits: Vec<Hit>,
}

/// Whether the client wants answers from the knowledge base: the header `x-frontdesk-knowledge: off` says no.
pub fn wanted(headers: &HeaderMap) -> bool {
    headers.get("x-frontdesk-knowledge").is_none_or(|value| value != "off")
}

impl Ground {
    /// Looks up what the customer's last words are `about`. With tools the client leads the conversation itself.
    pub fn find(gateway: &Gateway, headers: &HeaderMap, chat: &Chat, about: &str) -> Self {
        if chat.question().is_none() || !wanted(headers) || !chat.tools.is_empty() {
            return Self::default();
        }
        let query = query(about, &chat.turns);
        let wanted = gateway.config.answers.passages;
        let result = gateway.knowledge.search(&query, wanted * 2);
        // A passage that does not answer the question only tempts the model to answer anyway.
        let hits = if result.covered { in_one_language(likely(result.hits), wanted) } else { Vec::new() };
        Self { looked_up: true, covered: result.covered, hits }
    }

    /// The ids of all passages, best first.
    pub fn ids(&self) -> Vec<String> {
        self.hits.iter().map(|hit| hit.id.clone()).collect()
    }

    /// The prompt: the client's turns, with the passages framed into the last.
    pub fn conversation(&self, chat: &Chat) -> Conversation {
        let mut turns = chat.turns.clone();
        let own = chat.instructions.as_deref();
        let mut standing = own.unwrap_or_default().to_owned();
        if self.looked_up {
            standing = instructions(own);
            if let Some(Turn::User(text)) = turns.last_mut() {
                *text = frame(&self.passages(), text);
            }
        }
        let mut conversation = Conversation::new(&today::date(), &standing, turns);
        conversation.effort = chat.effort;
        conversation.tools = chat.tools.clone();
        conversation
    }

    /// Leaves out the last passage; `false` where there is none left.
    pub fn leave_out_last(&mut self) -> bool {
        let left_out = self.hits.pop().is_some();
        self.covered &= !self.hits.is_empty();
        left_out
    }

    /// The passages that a reply names.
    pub fn cited(&self, reasoning: &str, content: &str) -> Vec<Source> {
        let numbers = cited(reasoning, content, self.hits.len());
        let hits = numbers.into_iter().filter_map(|number| self.hits.get(number - 1));
        hits.map(source).collect()
    }

    /// The words of all passages.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.hits.iter().flat_map(|hit| [hit.title.as_str(), hit.text.as_str()])
    }

    fn passages(&self) -> Vec<Passage<'_>> {
        self.hits.iter().map(|hit| Passage { title: &hit.title, text: &hit.text }).collect()
    }
}

/// The best hit and those not far behind it.
fn likely(mut hits: Vec<Hit>) -> Vec<Hit> {
    let best = hits.first().map_or(0.0, |hit| hit.score);
    hits.retain(|hit| hit.score >= best - FAR_BEHIND);
    hits
}

/// The best hit and those of its language, at most `count`: the same entry in the other language would say nothing
/// new and take a place.
fn in_one_language(hits: Vec<Hit>, count: usize) -> Vec<Hit> {
    let chinese = hits.first().is_some_and(|hit| has_han(&hit.text));
    hits.into_iter().filter(|hit| has_han(&hit.text) == chinese).take(count).collect()
}

fn has_han(text: &str) -> bool {
    text.chars().any(|character| ('\u{4e00}'..='\u{9fff}').contains(&character))
}

fn source(hit: &Hit) -> Source {
    Source {
        id: hit.id.clone(),
        title: hit.title.clone(),
        source: hit.source.clone(),
        score: Some(hit.score),
    }
}

/// The question, after the one before it where it is too short to stand alone.
fn query(question: &str, turns: &[Turn]) -> String {
    let before = turns.iter().rev().skip(1).find_map(|turn| match turn {
        Turn::User(text) => Some(text),
        _ => None,
    });
    match before {
        Some(before) if question.chars().count() < SHORT_QUESTION_CHARACTERS => {
            format!("{before} {question}")
        }
        _ => question.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_short_follow_up_is_searched_with_what_came_before() {
        let user = |text: &str| Turn::User(text.to_owned());
        assert_eq!(
            query("鞋子呢？", &[user("衣服几天可以退货"), user("鞋子呢？")]),
            "衣服几天可以退货 鞋子呢？"
        );
        assert_eq!(query("鞋子呢？", &[user("鞋子呢？")]), "鞋子呢？");
        let long = "How long does shipping take?";
        assert_eq!(query(long, &[user("Hi"), user(long)]), long);
    }

    fn hit(id: &str, text: &str) -> Hit {
        let (id, text, source) = (id.to_owned(), text.to_owned(), "faq.csv".to_owned());
        Hit { id, question: None, title: String::new(), text, score: 1.0, source }
    }

    #[test]
    fn passages_far_behind_the_best_are_left_out() {
        let hits = [9.0, 7.5, 5.9].map(|score| Hit { score, ..hit("a", "保修3年") });
        assert_eq!(likely(hits.to_vec()).len(), 2);
        assert!(likely(Vec::new()).is_empty());
    }

    #[test]
    fn passages_are_of_the_best_ones_language() {
        let hits = vec![hit("a", "保修3年"), hit("b", "3 years"), hit("c", "邮费12元"), hit("d", "换货")];
        let kept = in_one_language(hits, 2);
        assert_eq!(kept.iter().map(|hit| hit.id.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        assert!(in_one_language(Vec::new(), 3).is_empty());
    }

    #[test]
    fn knowledge_is_on_unless_switched_off() {
        let mut headers = HeaderMap::new();
        assert!(wanted(&headers));
        headers.insert("x-frontdesk-knowledge", "off".parse().unwrap());
        assert!(!wanted(&headers));
    }
}
