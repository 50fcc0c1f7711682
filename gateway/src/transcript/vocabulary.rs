//! The model's vocabulary: text to token ids, token ids to bytes, and the harmony control tokens.

use std::path::{Path, PathBuf};

use tokenizers::Tokenizer;

/// The harmony control tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Special {
    /// `<|start|>`: a message's header begins.
    pub start: u32,
    /// `<|end|>`: a message ends.
    pub end: u32,
    /// `<|message|>`: the header ends, the text begins.
    pub message: u32,
    /// `<|channel|>`: the channel's name follows.
    pub channel: u32,
    /// `<|constrain|>`: the text's type follows.
    pub constrain: u32,
    /// `<|return|>`: the reply ends.
    pub return_: u32,
    /// `<|call|>`: a tool call ends, its result is awaited.
    pub call: u32,
    /// `<|endoftext|>`: everything ends.
    pub endoftext: u32,
}

/// Why a vocabulary could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum VocabularyError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}. A checkpoint folder holds its tokenizer.json beside config.json")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is no `tokenizer.json`.
    #[error("tokenizer.json cannot be understood: {0}")]
    Malformed(String),
    /// A harmony control token is not in it.
    #[error("tokenizer.json has no token {0}: the model does not speak harmony, the format of gpt-oss")]
    NoControl(&'static str),
    /// A byte has no token, so some texts could not be encoded.
    #[error("tokenizer.json has no token for the byte {0:#04x}: expected a byte-level BPE vocabulary")]
    NoByte(u8),
    /// An id that no model has.
    #[error("tokenizer.json gives a token the id {id}; ids up to {ID_MAX} are read")]
    IdTooLarge {
        /// The id.
        id: u32,
    },
}

/// The highest id that is read: five times the vocabulary of gpt-oss, and 8 MiB of offsets.
const ID_MAX: u32 = 1 << 20;

/// The vocabulary of one model.
pub struct Vocabulary {
    tokenizer: Tokenizer,
    special: Special,
    /// The bytes of all tokens, one after the other.
    bytes: Vec<u8>,
    /// Token `t` has `bytes[starts[t]..starts[t + 1]]`.
    starts: Vec<usize>,
    /// Whether the token is a control token.
    control: Vec<bool>,
    /// The token of each single byte.
    byte_tokens: [u32; 256],
}

impl Vocabulary {
    /// Reads `tokenizer.json` in the checkpoint folder `dir`.
    pub fn load(dir: &Path) -> Result<Self, VocabularyError> {
        let path = dir.join("tokenizer.json");
        let text = std::fs::read(&path).map_err(|source| VocabularyError::Unreadable { path, source })?;
        Self::from_bytes(&text)
    }

    /// Reads the text of a `tokenizer.json`.
    pub fn from_bytes(tokenizer_json: &[u8]) -> Result<Self, VocabularyError> {
        let mut tokenizer = Tokenizer::from_bytes(tokenizer_json)
            .map_err(|error| VocabularyError::Malformed(error.to_string()))?;
        // What a customer types is text, also when it looks like a control token.
        tokenizer.set_encode_special_tokens(true);
        // A file may ask for both; a prompt must be neither cut nor filled up in silence.
        tokenizer.with_padding(None);
        let uncut = tokenizer.with_truncation(None).map(|_| ());
        uncut.map_err(|error| VocabularyError::Malformed(error.to_string()))?;

        let special = find_special(&tokenizer)?;
        let byte_tokens = find_byte_tokens(&tokenizer)?;
        let Table { bytes, starts, control } = Table::of(&tokenizer)?;
        Ok(Self { tokenizer, special, bytes, starts, control, byte_tokens })
    }

    /// One more than the highest token id.
    pub fn size(&self) -> usize {
        self.control.len()
    }

    /// The control tokens.
    pub fn special(&self) -> Special {
        self.special
    }

    /// Whether the token is a control token: one that stands for no text.
    pub fn is_control(&self, token: u32) -> bool {
        self.control.get(token as usize).copied().unwrap_or(false)
    }

    /// Tokens that end a reply, always: `<|return|>`, `<|endoftext|>`, `<|call|>`. Never `<|end|>`.
    pub fn stop_ids(&self) -> [u32; 3] {
        [self.special.return_, self.special.endoftext, self.special.call]
    }

    /// The tokens of a text. A control token spelled out in it becomes ordinary tokens.
    pub fn encode_text(&self, text: &str) -> Vec<u32> {
        match self.tokenizer.encode_fast(text, false) {
            // Whatever the file says of its own special tokens, none ever comes out of text.
            Ok(encoding) if !encoding.get_ids().iter().any(|&id| self.is_control(id)) => {
                encoding.get_ids().to_vec()
            }
            // Also when a pathological text exhausts the regular expression: longer, but the same text.
            Ok(_) | Err(_) => text.bytes().map(|byte| self.byte_tokens[usize::from(byte)]).collect(),
        }
    }

    /// The bytes of a token; none for control tokens and ids outside the vocabulary.
    pub fn bytes(&self, token: u32) -> &[u8] {
        let at = token as usize;
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(&start), Some(&end)) => self.bytes.get(start..end).unwrap_or_default(),
            _ => &[],
        }
    }
}

impl std::fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vocabulary").field("size", &self.size()).field("special", &self.special).finish()
    }
}

fn find_special(tokenizer: &Tokenizer) -> Result<Special, VocabularyError> {
    let find = |name| tokenizer.token_to_id(name).ok_or(VocabularyError::NoControl(name));
    Ok(Special {
        start: find("<|start|>")?,
        end: find("<|end|>")?,
        message: find("<|message|>")?,
        channel: find("<|channel|>")?,
        constrain: find("<|constrain|>")?,
        return_: find("<|return|>")?,
        call: find("<|call|>")?,
        endoftext: find("<|endoftext|>")?,
    })
}

fn find_byte_tokens(tokenizer: &Tokenizer) -> Result<[u32; 256], VocabularyError> {
    let mut tokens = [0; 256];
    for (byte, token) in (0..=u8::MAX).zip(&mut tokens) {
        let name = letter(byte).to_string();
        *token = tokenizer.token_to_id(&name).ok_or(VocabularyError::NoByte(byte))?;
    }
    Ok(tokens)
}

/// What each id stands for.
struct Table {
    bytes: Vec<u8>,
    starts: Vec<usize>,
    control: Vec<bool>,
}

impl Table {
    fn of(tokenizer: &Tokenizer) -> Result<Self, VocabularyError> {
        let names = tokenizer.get_vocab(true);
        let highest = names.values().copied().max().unwrap_or(0);
        if highest > ID_MAX {
            return Err(VocabularyError::IdTooLarge { id: highest });
        }
        let mut by_id = vec![""; highest as usize + 1];
        for (name, &id) in &names {
            by_id[id as usize] = name;
        }
        let special = find_special(tokenizer)?;
        let added = tokenizer.get_added_tokens_decoder();
        let mut table = Self { bytes: Vec::new(), starts: vec![0], control: Vec::new() };
        for (id, name) in (0..).zip(by_id) {
            let control = special.contains(id) || added.get(&id).is_some_and(|token| token.special);
            match added.contains_key(&id) {
                _ if control => {}
                true => table.bytes.extend(name.bytes()),
                false => table.bytes.extend(spelled(name)),
            }
            table.starts.push(table.bytes.len());
            table.control.push(control);
        }
        Ok(table)
    }
}

impl Special {
    fn contains(&self, id: u32) -> bool {
        let Self { start, end, message, channel, constrain, return_, call, endoftext } = *self;
        [start, end, message, channel, constrain, return_, call, endoftext].contains(&id)
    }
}

/// The bytes that a name in the byte-level alphabet spells; a name that uses other letters is itself.
fn spelled(name: &str) -> Vec<u8> {
    name.chars().map(byte).collect::<Option<_>>().unwrap_or_else(|| name.as_bytes().to_vec())
}

/// The letter of a byte in the alphabet of byte-level BPE (GPT-2's `bytes_to_unicode`): the byte's own
/// character where that can be seen, else the next free one from U+0100 on.
pub(super) fn letter(byte: u8) -> char {
    let shifted = match byte {
        0..=0x20 => 0x100 + u32::from(byte),
        0x7F..=0xA0 => 0x121 + u32::from(byte - 0x7F),
        0xAD => 0x143,
        seen => u32::from(seen),
    };
    char::from_u32(shifted).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The byte of a letter: the inverse of [`letter`].
fn byte(letter: char) -> Option<u8> {
    let byte = match u32::from(letter) {
        code @ 0x100..=0x120 => code - 0x100,
        code @ 0x121..=0x142 => code - 0x121 + 0x7F,
        0x143 => 0xAD,
        code @ (0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF) => code,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

#[cfg(test)]
mod tests;
