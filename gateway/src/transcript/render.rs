//! A conversation to the tokens of a harmony prompt.
//!
//! The format and its texts: OpenAI, "Harmony response format" (cookbook), as gpt-oss was trained on them.

use super::{Conversation, Reply, Turn, Vocabulary, tools};

/// The prompt of a conversation, up to and with `<|start|>assistant`, where the model goes on.
pub fn render(conversation: &Conversation, vocabulary: &Vocabulary) -> Vec<u32> {
    let mut prompt = Prompt { vocabulary, tokens: Vec::new() };
    prompt.message("system", None, &system_text(conversation));
    if let Some(text) = developer_text(conversation) {
        prompt.message("developer", None, &text);
    }
    // Thoughts matter as long as their tool calls are under way; an answered question needs them no more.
    let answered = conversation.turns.iter().rposition(is_answer);
    for (at, turn) in conversation.turns.iter().enumerate() {
        let thinks = answered.is_none_or(|answered| at > answered);
        prompt.turn(turn, thinks);
    }
    prompt.header("assistant");
    prompt.tokens
}

fn system_text(conversation: &Conversation) -> String {
    let Conversation { identity, current_date, effort, tools, .. } = conversation;
    let mut text = format!(
        "{identity}\nKnowledge cutoff: 2024-06\nCurrent date: {current_date}\n\nReasoning: {}\n\n\
         # Valid channels: analysis, commentary, final. Channel must be included for every message.",
        effort.word()
    );
    if !tools.is_empty() {
        text.push_str("\nCalls to these tools must go to the commentary channel: 'functions'.");
    }
    text
}

fn developer_text(conversation: &Conversation) -> Option<String> {
    let mut sections = Vec::new();
    if !conversation.instructions.is_empty() {
        sections.push(format!("# Instructions\n\n{}", conversation.instructions));
    }
    if !conversation.tools.is_empty() {
        sections.push(tools::section(&conversation.tools));
    }
    (!sections.is_empty()).then(|| sections.join("\n\n"))
}

fn is_answer(turn: &Turn) -> bool {
    matches!(turn, Turn::Assistant(reply) if reply.calls.is_empty())
}

/// A prompt in the making.
struct Prompt<'a> {
    vocabulary: &'a Vocabulary,
    tokens: Vec<u32>,
}

impl Prompt<'_> {
    fn turn(&mut self, turn: &Turn, thinks: bool) {
        match turn {
            Turn::User(text) => self.message("user", None, text),
            Turn::Assistant(reply) => self.reply(reply, thinks),
            Turn::Tool { name, content } => {
                self.message(&format!("functions.{name} to=assistant"), Some("commentary"), content);
            }
        }
    }

    fn reply(&mut self, reply: &Reply, thinks: bool) {
        if thinks && !reply.reasoning.is_empty() {
            self.message("assistant", Some("analysis"), &reply.reasoning);
        }
        let channel = if reply.calls.is_empty() { "final" } else { "commentary" };
        if !reply.content.is_empty() {
            self.message("assistant", Some(channel), &reply.content);
        }
        for call in &reply.calls {
            self.call(&call.name, &call.arguments);
        }
    }

    /// A stored message ends in `<|end|>`, also where the model itself ended in `<|return|>`.
    fn message(&mut self, author: &str, channel: Option<&str>, text: &str) {
        self.header(author);
        if let Some(channel) = channel {
            self.control(self.vocabulary.special().channel);
            self.text(channel);
        }
        self.body(text);
        self.control(self.vocabulary.special().end);
    }

    /// A call keeps its `<|call|>`: the model has learned that a result follows that token.
    fn call(&mut self, name: &str, arguments: &str) {
        self.header(&format!("assistant to=functions.{name}"));
        self.control(self.vocabulary.special().channel);
        self.text("commentary ");
        self.control(self.vocabulary.special().constrain);
        self.text("json");
        self.body(arguments);
        self.control(self.vocabulary.special().call);
    }

    fn header(&mut self, author: &str) {
        self.control(self.vocabulary.special().start);
        self.text(author);
    }

    fn body(&mut self, text: &str) {
        self.control(self.vocabulary.special().message);
        self.text(text);
    }

    fn control(&mut self, token: u32) {
        self.tokens.push(token);
    }

    fn text(&mut self, text: &str) {
        self.tokens.extend(self.vocabulary.encode_text(text));
    }
}

#[cfg(test)]
mod tests;
