//! The messages of a chat request to the turns of a conversation.

use crate::openai::{ApiError, body::TextOr};
use crate::transcript::{Call, Reply, Turn};

use super::request::Limits;
use super::wire::{Message, Part, ToolCall};

/// What the messages say.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// System and developer messages, a blank line between them.
    pub instructions: Option<String>,
    /// The others.
    pub turns: Vec<Turn>,
    /// Bytes of all of it.
    bytes: usize,
}

impl Said {
    /// Reads the messages.
    pub(super) fn read(messages: Vec<Message>, limits: &Limits) -> Result<Self, ApiError> {
        if messages.is_empty() {
            return Err(ApiError::invalid_value("messages", "'messages' must hold at least one message."));
        }
        if messages.len() > limits.messages {
            let message = format!("{} messages; at most {} are read.", messages.len(), limits.messages);
            return Err(ApiError::invalid_value("messages", message));
        }
        let mut said = Self::default();
        for (at, message) in messages.into_iter().enumerate() {
            said.add(message, &format!("messages[{at}]"), limits)?;
        }
        Ok(said)
    }

    fn add(&mut self, message: Message, path: &str, limits: &Limits) -> Result<(), ApiError> {
        refuse_absent_features(&message, path)?;
        match message.role.as_str() {
            "system" | "developer" => self.instruct(required(message.content, path)?),
            "user" => self.turns.push(Turn::User(required(message.content, path)?)),
            "assistant" => self.turns.push(Turn::Assistant(reply(message, path)?)),
            "tool" => self.result(message, path)?,
            "function" => {
                let advice = "The role 'function' is not offered. Use 'tool' with a tool_call_id.";
                return Err(ApiError::unsupported_value(&format!("{path}.role"), advice));
            }
            _ => {
                let advice = "Unknown role: expected system, developer, user, assistant or tool.";
                return Err(ApiError::invalid_value(&format!("{path}.role"), advice));
            }
        }
        self.bytes += self.turns.last().map_or(0, turn_bytes);
        let bytes = self.bytes + self.instructions.as_ref().map_or(0, String::len);
        if bytes > limits.text_bytes {
            let limit = limits.text_bytes;
            let message =
                format!("The messages hold more than {limit} bytes of text, the most that is read.");
            return Err(ApiError::invalid_value("messages", message));
        }
        Ok(())
    }

    fn instruct(&mut self, text: String) {
        match &mut self.instructions {
            Some(before) => *before += &format!("\n\n{text}"),
            None => self.instructions = Some(text),
        }
    }

    fn result(&mut self, message: Message, path: &str) -> Result<(), ApiError> {
        let id_path = format!("{path}.tool_call_id");
        let id = message.tool_call_id.ok_or_else(|| ApiError::missing_parameter(&id_path))?;
        let calls = self.turns.iter().rev().filter_map(|turn| match turn {
            Turn::Assistant(reply) => Some(&reply.calls),
            Turn::User(_) | Turn::Tool { .. } => None,
        });
        let name = calls.flatten().find(|call| call.id == id).map(|call| call.name.clone());
        let unknown =
            || ApiError::invalid_value(&id_path, "No earlier assistant message has a call with this id.");
        let content = required(message.content, path)?;
        self.turns.push(Turn::Tool { name: name.ok_or_else(unknown)?, content });
        Ok(())
    }
}

fn refuse_absent_features(message: &Message, path: &str) -> Result<(), ApiError> {
    if message.audio.is_some() {
        let advice = "Audio is not offered.";
        return Err(ApiError::unsupported_parameter(&format!("{path}.audio"), advice));
    }
    if message.function_call.is_some() {
        let advice = "'function_call' is not offered. Use 'tool_calls'.";
        return Err(ApiError::unsupported_parameter(&format!("{path}.function_call"), advice));
    }
    let only_assistants = [
        ("tool_calls", message.tool_calls.is_some()),
        ("reasoning_content", message.reasoning_content.is_some()),
        ("reasoning", message.reasoning.is_some()),
        ("refusal", message.refusal.is_some()),
    ];
    let misplaced = only_assistants.iter().find(|(_, there)| *there && message.role != "assistant");
    if let Some((field, _)) = misplaced {
        let advice = format!("'{field}' belongs to messages of the role assistant.");
        return Err(ApiError::invalid_value(&format!("{path}.{field}"), advice));
    }
    Ok(())
}

fn reply(message: Message, path: &str) -> Result<Reply, ApiError> {
    let calls = message.tool_calls.unwrap_or_default();
    let content = match (message.content, message.refusal) {
        (Some(content), _) => text(content, path)?,
        (None, Some(refusal)) => refusal,
        (None, None) if !calls.is_empty() => String::new(),
        (None, None) => return Err(ApiError::missing_parameter(&format!("{path}.content"))),
    };
    let calls =
        calls.into_iter().enumerate().map(|(at, each)| call(each, &format!("{path}.tool_calls[{at}]")));
    let reasoning = message.reasoning_content.or(message.reasoning).unwrap_or_default();
    Ok(Reply { reasoning, content, calls: calls.collect::<Result<_, _>>()? })
}

fn call(call: ToolCall, path: &str) -> Result<Call, ApiError> {
    if call.kind.is_some_and(|kind| kind != "function") {
        return Err(ApiError::unsupported_value(
            &format!("{path}.type"),
            "Only calls of functions are offered.",
        ));
    }
    check_function_name(&call.function.name, &format!("{path}.function.name"))?;
    Ok(Call { id: call.id, name: call.function.name, arguments: call.function.arguments })
}

/// OpenAI's rule; it also keeps blanks and `<` out of a prompt's headers.
pub(super) fn check_function_name(name: &str, path: &str) -> Result<(), ApiError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if (1..=64).contains(&name.len()) && name.chars().all(legal) {
        return Ok(());
    }
    let rule = "A function's name has 1 to 64 characters: letters, digits, '_' and '-'.";
    Err(ApiError::invalid_value(path, rule))
}

fn required(content: Option<TextOr<Vec<Part>>>, path: &str) -> Result<String, ApiError> {
    let content = content.ok_or_else(|| ApiError::missing_parameter(&format!("{path}.content")))?;
    text(content, path)
}

fn text(content: TextOr<Vec<Part>>, path: &str) -> Result<String, ApiError> {
    let parts = match content {
        TextOr::Text(text) => return Ok(text),
        TextOr::Other(parts) => parts,
    };
    let parts = parts.into_iter().enumerate();
    let texts = parts.map(|(at, part)| part_text(part, &format!("{path}.content[{at}]")));
    Ok(texts.collect::<Result<Vec<_>, _>>()?.join("\n"))
}

fn part_text(part: Part, path: &str) -> Result<String, ApiError> {
    match part.kind.as_str() {
        "text" => part.text.ok_or_else(|| ApiError::missing_parameter(&format!("{path}.text"))),
        "refusal" => part.refusal.ok_or_else(|| ApiError::missing_parameter(&format!("{path}.refusal"))),
        "image_url" | "input_audio" | "file" => {
            let message = format!("Parts of the type {} are not offered: this model reads text.", part.kind);
            Err(ApiError::unsupported_value(&format!("{path}.type"), message))
        }
        _ => Err(ApiError::invalid_value(&format!("{path}.type"), "Unknown type of part: expected text.")),
    }
}

fn turn_bytes(turn: &Turn) -> usize {
    match turn {
        Turn::User(text) => text.len(),
        Turn::Tool { name, content } => name.len() + content.len(),
        Turn::Assistant(reply) => {
            let calls = reply.calls.iter().map(|call| call.name.len() + call.arguments.len());
            reply.reasoning.len() + reply.content.len() + calls.sum::<usize>()
        }
    }
}
