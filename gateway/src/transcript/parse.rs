//! Generated tokens to reasoning, content and tool calls, as they come.
//!
//! A parser works on token ids, so text that merely looks like `<|end|>` is text. Models break the
//! format in about 4 % of turns at temperature 1; whatever comes, nothing fails, no control token shows,
//! and what cannot be placed is read as content.

mod header;

use std::sync::Arc;

use super::{Detokeniser, Vocabulary};
use header::{Header, Kind};

/// The next bit of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Thoughts.
    Reasoning(String),
    /// What the customer reads: the final channel, and what the model says before it calls a tool.
    Content(String),
    /// A function call begins.
    ToolCallStart {
        /// The call's place in the reply, from 0.
        index: usize,
        /// Its id.
        id: String,
        /// The function.
        name: String,
    },
    /// A call's arguments go on.
    ToolCallArguments {
        /// The call's place in the reply.
        index: usize,
        /// The next bit of the JSON text.
        fragment: String,
    },
}

/// Reads one reply. It takes any tokens in any order and never fails.
#[derive(Debug)]
pub struct Parser {
    vocabulary: Arc<Vocabulary>,
    /// What the ids of calls begin with.
    reply: String,
    state: State,
    /// The last thoughts, in case they turn out to be all there is.
    thoughts: String,
    /// Some reasoning was given out.
    reasoned: bool,
    /// Some content was given out.
    answered: bool,
    /// Calls begun.
    calls: usize,
    reasoning_tokens: usize,
    in_content: bool,
    /// The model itself ended the reply.
    ended: bool,
}

#[derive(Debug)]
enum State {
    /// Who speaks in which channel to whom is still being said.
    Header(Header),
    /// A message's text.
    Body(Body),
    /// After a message, before the next header.
    Between,
}

#[derive(Debug)]
struct Body {
    kind: Kind,
    text: Detokeniser,
    /// Nothing of it was given out yet.
    fresh: bool,
}

/// What stands between two messages that go to the same reader.
const GAP: &str = "\n\n";

impl Parser {
    /// A parser for what follows `<|start|>assistant`. Calls get the ids `call_{reply}_{index}`.
    pub fn new(vocabulary: Arc<Vocabulary>, reply: &str) -> Self {
        Self {
            vocabulary,
            reply: reply.to_owned(),
            state: State::Header(Header::of_reply()),
            thoughts: String::new(),
            reasoned: false,
            answered: false,
            calls: 0,
            reasoning_tokens: 0,
            in_content: false,
            ended: false,
        }
    }

    /// Takes the next token.
    pub fn push(&mut self, token: u32) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if self.vocabulary.is_control(token) {
            self.in_content = false;
            self.control(token, &mut pieces);
        } else {
            let vocabulary = Arc::clone(&self.vocabulary);
            self.text(vocabulary.bytes(token), &mut pieces);
            self.count();
        }
        pieces
    }

    /// The reply is over: releases what was held back.
    pub fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        self.close(&mut pieces, false);
        self.in_content = false;
        // A model that ends after its thoughts has answered in them: better than an empty reply.
        if self.ended && !self.answered && self.calls == 0 && !self.thoughts.trim().is_empty() {
            self.answered = true;
            pieces.push(Piece::Content(std::mem::take(&mut self.thoughts)));
        }
        pieces
    }

    /// Whether the last token was text of the content (for its log-probability).
    pub fn in_content(&self) -> bool {
        self.in_content
    }

    /// Tokens of the reasoning so far.
    pub fn reasoning_tokens(&self) -> usize {
        self.reasoning_tokens
    }

    /// How many calls have begun. More than none: the finish reason is `tool_calls`.
    pub fn calls(&self) -> usize {
        self.calls
    }

    fn control(&mut self, token: u32, pieces: &mut Vec<Piece>) {
        let special = self.vocabulary.special();
        if token == special.start {
            self.close(pieces, true);
            self.state = State::Header(Header::of_message());
        } else if token == special.channel {
            self.continue_header(pieces);
        } else if token == special.message {
            self.open(pieces);
        } else if token == special.constrain {
            if let State::Header(header) = &mut self.state {
                header.next_part();
            }
        } else if token == special.end {
            self.close(pieces, true);
        } else if self.vocabulary.stop_ids().contains(&token) {
            self.close(pieces, true);
            self.ended = true;
        }
    }

    /// `<|channel|>`: part of a header, or the beginning of one whose `<|start|>` is missing.
    fn continue_header(&mut self, pieces: &mut Vec<Piece>) {
        if !matches!(self.state, State::Header(_)) {
            self.close(pieces, true);
            self.state = State::Header(Header::of_reply());
        }
        if let State::Header(header) = &mut self.state {
            header.next_part();
        }
    }

    /// `<|message|>`: the header is complete. Inside a text it means nothing.
    fn open(&mut self, pieces: &mut Vec<Piece>) {
        match &self.state {
            State::Header(header) => {
                let kind = header.kind();
                self.begin(kind, pieces);
            }
            State::Between => self.begin(Kind::Content, pieces),
            State::Body(_) => {}
        }
    }

    fn begin(&mut self, kind: Kind, pieces: &mut Vec<Piece>) {
        if let Kind::Call(name) = &kind {
            let (index, name) = (self.calls, name.clone());
            pieces.push(Piece::ToolCallStart { index, id: format!("call_{}_{index}", self.reply), name });
            self.calls += 1;
        }
        if kind == Kind::Reasoning {
            self.thoughts.clear();
        }
        self.state = State::Body(Body { kind, text: Detokeniser::default(), fresh: true });
    }

    /// Ordinary bytes.
    fn text(&mut self, bytes: &[u8], pieces: &mut Vec<Piece>) {
        match &mut self.state {
            State::Header(header) => {
                header.push(bytes);
                if !header.is_plausible() {
                    self.give_up_header(pieces, true);
                }
            }
            State::Body(body) => {
                let text = body.text.push(bytes);
                self.say(text, pieces);
            }
            State::Between => {
                self.begin(Kind::Content, pieces);
                self.text(bytes, pieces);
            }
        }
    }

    /// What looked like a header is none: its text is a message's text. `whole`: the model wrote no more of it; where
    /// the reply was cut, the words of a header are a header.
    fn give_up_header(&mut self, pieces: &mut Vec<Piece>, whole: bool) {
        let State::Header(header) = std::mem::replace(&mut self.state, State::Between) else { return };
        let (kind, rest) = header.leftover();
        if !rest.is_empty() && (whole || !header::may_go_on(rest)) {
            self.begin(kind, pieces);
            self.text(rest, pieces);
        }
    }

    /// Ends what is open. `whole`: by a token, not by running out of tokens.
    fn close(&mut self, pieces: &mut Vec<Piece>, whole: bool) {
        if matches!(self.state, State::Header(_)) {
            self.give_up_header(pieces, whole);
        }
        if let State::Body(Body { kind: Kind::Call(_), fresh: true, .. }) = self.state
            && whole
        {
            // Clients parse the arguments as JSON, and the empty text is none.
            self.say("{}".to_owned(), pieces);
        }
        self.state = State::Between;
    }

    /// Gives out text of the open message.
    fn say(&mut self, text: String, pieces: &mut Vec<Piece>) {
        let State::Body(body) = &mut self.state else { return };
        if text.is_empty() {
            return;
        }
        let first = std::mem::replace(&mut body.fresh, false);
        let gap = |earlier: bool| if first && earlier { GAP } else { "" };
        match &body.kind {
            Kind::Reasoning => {
                pieces.push(Piece::Reasoning(gap(self.reasoned).to_owned() + &text));
                self.thoughts.push_str(&text);
                self.reasoned = true;
            }
            Kind::Content => {
                pieces.push(Piece::Content(gap(self.answered).to_owned() + &text));
                self.answered = true;
            }
            Kind::Call(_) => {
                pieces.push(Piece::ToolCallArguments { index: self.calls - 1, fragment: text });
            }
            Kind::Foreign => {}
        }
    }

    /// Notes what the token just read was part of.
    fn count(&mut self) {
        let kind = match &self.state {
            State::Body(body) => Some(&body.kind),
            State::Header(_) | State::Between => None,
        };
        self.in_content = kind == Some(&Kind::Content);
        self.reasoning_tokens += usize::from(kind == Some(&Kind::Reasoning));
    }
}

#[cfg(test)]
mod tests;
