//! A conversation as the model sees it, before it becomes tokens.

use serde_json::Value;

use super::parse::Piece;

/// Who the model is told to be.
pub const IDENTITY: &str = "You are a customer service assistant.";

/// Everything that a prompt says.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// The first line of the system message; [`IDENTITY`] unless a deployment chose another.
    pub identity: String,
    /// Today as `YYYY-MM-DD`: an argument, so that a prompt can be made again.
    pub current_date: String,
    /// How long the model may think.
    pub effort: Effort,
    /// The developer message: the standing instructions. Empty: none.
    pub instructions: String,
    /// Functions that the model may call.
    pub tools: Vec<Tool>,
    /// What was said so far, oldest first.
    pub turns: Vec<Turn>,
}

impl Conversation {
    /// A conversation with the default identity and effort, and no tools.
    pub fn new(current_date: &str, instructions: &str, turns: Vec<Turn>) -> Self {
        Self {
            identity: IDENTITY.to_owned(),
            current_date: current_date.to_owned(),
            effort: Effort::default(),
            instructions: instructions.to_owned(),
            tools: Vec::new(),
            turns,
        }
    }
}

/// How long the model may think before it answers: the three levels that gpt-oss was trained with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Effort {
    /// A short thought: right for customer service, where the answer stands in the passages.
    #[default]
    Low,
    /// Some thought.
    Medium,
    /// Long thought.
    High,
}

impl Effort {
    /// The word in the system message.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A function that the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name: letters, digits, `_` and `-`.
    pub name: String,
    /// What it does, for the model; may be empty.
    pub description: String,
    /// The JSON schema of its arguments; `None`: it takes none.
    pub parameters: Option<Value>,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// The customer said this.
    User(String),
    /// The model answered this.
    Assistant(Reply),
    /// A tool returned this.
    Tool {
        /// The function that was called.
        name: String,
        /// What it returned.
        content: String,
    },
}

/// What the model says in one turn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// Its thoughts; empty: none.
    pub reasoning: String,
    /// Its answer, or with calls what it says before them; empty: none.
    pub content: String,
    /// The functions it calls.
    pub calls: Vec<Call>,
}

impl Reply {
    /// Adds the next piece of a parsed stream.
    pub fn add(&mut self, piece: Piece) {
        match piece {
            Piece::Reasoning(text) => self.reasoning.push_str(&text),
            Piece::Content(text) => self.content.push_str(&text),
            Piece::ToolCallStart { id, name, .. } => {
                self.calls.push(Call { id, name, arguments: String::new() });
            }
            Piece::ToolCallArguments { index, fragment } => {
                if let Some(call) = self.calls.get_mut(index) {
                    call.arguments.push_str(&fragment);
                }
            }
        }
    }
}

/// A function call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Ties the tool's result to the call.
    pub id: String,
    /// The function.
    pub name: String,
    /// The arguments: JSON text as the model wrote it.
    pub arguments: String,
}
