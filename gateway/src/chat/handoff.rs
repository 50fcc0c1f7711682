//! Whether a person should take over.

/// How customers ask for a person, and how replies offer one.
const PERSON: [&str; 12] = [
    "人工",
    "转接",
    "真人",
    "客服专员",
    "a person",
    "a human",
    "human agent",
    "real person",
    "an agent",
    "a colleague",
    "our team",
    "representative",
];

/// The customer asked for a person, or the knowledge base does not hold the answer and the reply offers one.
pub fn handoff(question: &str, looked_up: bool, covered: bool, reply: &str) -> bool {
    mentions_person(question) || (looked_up && !covered && mentions_person(reply))
}

fn mentions_person(text: &str) -> bool {
    let text = text.to_lowercase();
    PERSON.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asked_for_or_offered() {
        assert!(handoff("我要转人工", true, true, "好的"));
        assert!(handoff("今天天气怎么样", true, false, "抱歉，我不知道，可以为您转接人工客服。"));
        assert!(!handoff("你好", true, false, "您好！有什么可以帮您？"));
        assert!(!handoff("几天可以退货", true, true, "七天内，也可以联系人工客服。"));
    }
}
