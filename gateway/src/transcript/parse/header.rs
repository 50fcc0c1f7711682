//! A message's header: who speaks, in which channel, to whom.
//!
//! Well-formed: `{role}[ to={recipient}]<|channel|>{channel}[ to={recipient}][ <|constrain|>json]<|message|>`.

/// Where a message's text goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// To nobody: thoughts.
    Reasoning,
    /// To the customer.
    Content,
    /// To the function of this name.
    Call(String),
    /// To nobody: the model speaks for somebody else.
    Foreign,
}

/// More bytes than any real header has: what is longer is a text whose `<|message|>` is missing.
const HEADER_BYTES_MAX: usize = 256;

/// Channels, in the order in which they are looked for.
const CHANNELS: [&str; 3] = ["analysis", "commentary", "final"];

/// Authors whose words a model has no business to write.
const OTHERS: [&str; 4] = ["user", "system", "developer", "tool"];

const ASSISTANT: &str = "assistant";
const RECIPIENT: &str = "to=";
const FUNCTIONS: &str = "functions.";

/// The text of a header so far.
#[derive(Debug)]
pub(super) struct Header {
    /// Text before the first control token: the role and perhaps the recipient.
    role: Vec<u8>,
    /// Text after it, a blank for each control token: channel, recipient, type.
    rest: Vec<u8>,
    /// A control token was seen.
    parted: bool,
    /// It began with `<|start|>`, so a role must follow; at a reply's beginning the prompt has it.
    wants_role: bool,
}

impl Header {
    /// The header at the beginning of a reply.
    pub(super) fn of_reply() -> Self {
        Self { role: Vec::new(), rest: Vec::new(), parted: false, wants_role: false }
    }

    /// The header after `<|start|>`.
    pub(super) fn of_message() -> Self {
        Self { wants_role: true, ..Self::of_reply() }
    }

    /// Takes text.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let part = if self.parted { &mut self.rest } else { &mut self.role };
        part.extend_from_slice(bytes);
    }

    /// Takes `<|channel|>` or `<|constrain|>`.
    pub(super) fn next_part(&mut self) {
        self.parted = true;
        self.rest.push(b' ');
    }

    /// Whether this may still become a header.
    pub(super) fn is_plausible(&self) -> bool {
        if self.role.len() + self.rest.len() > HEADER_BYTES_MAX {
            return false;
        }
        let role = String::from_utf8_lossy(&self.role);
        self.parted || may_be_role(&role)
    }

    /// Where the text after this header goes.
    pub(super) fn kind(&self) -> Kind {
        let role = String::from_utf8_lossy(&self.role);
        let rest = String::from_utf8_lossy(&self.rest);
        if self.wants_role && is_other(role.trim()) {
            return Kind::Foreign;
        }
        if let Some(name) = function(&role).or_else(|| function(&rest)) {
            return Kind::Call(name);
        }
        let named = |text: &str| text.split_whitespace().rev().find_map(channel);
        match named(&rest).or_else(|| named(&role)) {
            Some("analysis") => Kind::Reasoning,
            _ => Kind::Content,
        }
    }

    /// What is no header in it, and where that goes: the text, when `<|message|>` is missing.
    pub(super) fn leftover(&self) -> (Kind, &[u8]) {
        if self.parted {
            let rest =
                after_words(&self.rest, |word| begins_with(word, &CHANNELS).or_else(|| addressed(word)));
            (self.kind(), rest)
        } else if self.wants_role {
            (self.kind(), after_words(&self.role, |word| role(word).or_else(|| addressed(word))))
        } else if self.role.trim_ascii_start().starts_with(RECIPIENT.as_bytes()) {
            (self.kind(), after_words(&self.role, addressed))
        } else {
            (Kind::Content, &self.role)
        }
    }
}

/// Whether a header that was cut here may have gone on: its last words are known ones, or one word of which nobody knows
/// what it was to become.
pub(super) fn may_go_on(rest: &[u8]) -> bool {
    let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.=".contains(byte);
    rest.trim_ascii().iter().all(in_word) || may_be_role(&String::from_utf8_lossy(rest))
}

/// What follows the words at the beginning of `text` of which `known` says how many bytes to skip.
fn after_words(text: &[u8], known: impl Fn(&[u8]) -> Option<usize>) -> &[u8] {
    let mut rest = text.trim_ascii_start();
    loop {
        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        let (word, _) = rest.split_at(end);
        match known(word) {
            Some(length) if length > 0 => rest = rest.split_at(length).1.trim_ascii_start(),
            _ => return rest,
        }
    }
}

fn begins_with(word: &[u8], names: &[&str]) -> Option<usize> {
    names.iter().find(|name| word.starts_with(name.as_bytes())).map(|name| name.len())
}

/// Bytes of the word, if it is a role or a channel.
fn role(word: &[u8]) -> Option<usize> {
    let mut known = OTHERS.iter().chain(&CHANNELS).chain([&ASSISTANT]);
    known.any(|name| word == name.as_bytes()).then_some(word.len())
}

/// Bytes of the recipient or of the type that the word begins with.
fn addressed(word: &[u8]) -> Option<usize> {
    if let Some(name) = word.strip_prefix(RECIPIENT.as_bytes()) {
        return Some(RECIPIENT.len() + name_length(name));
    }
    let length = begins_with(word, &["json", "code"])?;
    let goes_on = word.get(length).is_some_and(u8::is_ascii_alphanumeric);
    (!goes_on).then_some(length)
}

/// Bytes of a function's name. It ends where no name can go on.
fn name_length(text: &[u8]) -> usize {
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    text.iter().take_while(|byte| in_name(byte)).count()
}

/// Whether the text before any control token may be a role and a recipient: each word whole, the last
/// perhaps only begun. Plain text without any header shows itself here at its first or second word.
fn may_be_role(text: &str) -> bool {
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let word = word.trim_start_matches(ASSISTANT);
        let last = words.peek().is_none();
        let mut known = OTHERS.iter().chain(&CHANNELS).chain([&ASSISTANT, &RECIPIENT, &FUNCTIONS]);
        let begun = |name: &&str| if last { name.starts_with(word) } else { *name == word };
        let open = word.starts_with(RECIPIENT) || word.starts_with(FUNCTIONS);
        if !(word.is_empty() || open || known.any(begun)) {
            return false;
        }
    }
    true
}

fn is_other(role: &str) -> bool {
    role.starts_with(FUNCTIONS) || OTHERS.iter().any(|other| role.starts_with(other))
}

fn channel(word: &str) -> Option<&'static str> {
    CHANNELS.into_iter().find(|name| word.starts_with(name))
}

/// The function that a part of a header is addressed to.
fn function(part: &str) -> Option<String> {
    let (_, recipient) = part.rsplit_once(RECIPIENT)?;
    let recipient = recipient.trim_start();
    let (name, _) = recipient.split_at(name_length(recipient.as_bytes()));
    let name = name.trim_start_matches(FUNCTIONS);
    let nobody = name.is_empty() || name == ASSISTANT || name == "all" || OTHERS.contains(&name);
    (!nobody).then(|| name.to_owned())
}
