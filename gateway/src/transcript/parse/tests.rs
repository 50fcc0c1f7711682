//! Tests of the parser: well-formed replies, every known way to break the format, and token soup.

use super::*;
use crate::transcript::small::{Random, vocabulary};
use crate::transcript::{Call, Conversation, Reply, Turn, render};

/// Tokens of a text in which control tokens are written out.
fn tokens(vocabulary: &Vocabulary, written: &str) -> Vec<u32> {
    let special = vocabulary.special();
    let names = [
        ("<|start|>", special.start),
        ("<|end|>", special.end),
        ("<|message|>", special.message),
        ("<|channel|>", special.channel),
        ("<|constrain|>", special.constrain),
        ("<|return|>", special.return_),
        ("<|call|>", special.call),
        ("<|endoftext|>", special.endoftext),
        ("<|reserved_9|>", special.call + 1),
    ];
    let mut tokens = Vec::new();
    let mut rest = written;
    while !rest.is_empty() {
        let control = names.iter().find(|(name, _)| rest.starts_with(name));
        if let Some((name, token)) = control {
            tokens.push(*token);
            rest = &rest[name.len()..];
        } else {
            let next = rest.char_indices().skip(1).find(|(at, _)| rest[*at..].starts_with("<|"));
            let (text, tail) = rest.split_at(next.map_or(rest.len(), |(at, _)| at));
            tokens.extend(vocabulary.encode_text(text));
            rest = tail;
        }
    }
    tokens
}

fn parsed(vocabulary: &Arc<Vocabulary>, tokens: impl IntoIterator<Item = u32>) -> Reply {
    let mut parser = Parser::new(Arc::clone(vocabulary), "r");
    let mut reply = Reply::default();
    for token in tokens {
        parser.push(token).into_iter().for_each(|piece| reply.add(piece));
    }
    parser.finish().into_iter().for_each(|piece| reply.add(piece));
    reply
}

fn reply(written: &str) -> Reply {
    let vocabulary = vocabulary();
    parsed(&vocabulary, tokens(&vocabulary, written))
}

fn answer(reasoning: &str, content: &str) -> Reply {
    Reply { reasoning: reasoning.to_owned(), content: content.to_owned(), calls: Vec::new() }
}

fn call(reasoning: &str, content: &str, name: &str, arguments: &str) -> Reply {
    let call = Call { id: "call_r_0".to_owned(), name: name.to_owned(), arguments: arguments.to_owned() };
    Reply { calls: vec![call], ..answer(reasoning, content) }
}

#[test]
fn well_formed_replies() {
    let cases = [
        (
            "<|channel|>analysis<|message|>[1] says so.<|end|><|start|>assistant<|channel|>final<|message|>七天。<|return|>",
            answer("[1] says so.", "七天。"),
        ),
        ("<|channel|>final<|message|>Hi<|return|>", answer("", "Hi")),
        (
            "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{\"a\":1}<|call|>",
            call("", "", "f", "{\"a\":1}"),
        ),
        (" to=functions.f<|channel|>commentary<|message|>{}<|call|>", call("", "", "f", "{}")),
        (
            "<|channel|>analysis<|message|>look<|end|><|start|>assistant<|channel|>commentary<|message|>Let me look.<|end|>\
             <|start|>assistant to=functions.f<|channel|>commentary <|constrain|>json<|message|>{}<|call|>",
            call("look", "Let me look.", "f", "{}"),
        ),
    ];
    for (written, expected) in cases {
        assert_eq!(reply(written), expected, "{written}");
    }
}

/// Each found in the issues of other engines: nothing fails, nothing is lost, no control token shows.
#[test]
fn malformed_replies() {
    let cases = [
        // No channel, no header, no `<|message|>`.
        ("<|message|>Hi<|return|>", answer("", "Hi")),
        ("Hello there<|return|>", answer("", "Hello there")),
        (" to be or not", answer("", " to be or not")),
        ("assist me", answer("", "assist me")),
        ("final answer: 5<|end|>", answer("", "final answer: 5")),
        ("analysis of it", answer("", "analysis of it")),
        ("final<|return|>", answer("", "final")),
        ("<|channel|>final Hi you<|return|>", answer("", "Hi you")),
        ("<|channel|>analysis hm<|end|><|start|>assistant<|channel|>final<|message|>Hi", answer("hm", "Hi")),
        ("<|channel|>commentary to=functions.f <|constrain|>json{}<|call|>", call("", "", "f", "{}")),
        ("<|channel|>commentary to=functions.f{\"a\":1}<|call|>", call("", "", "f", "{\"a\":1}")),
        (" to=functions.f{}<|call|>", call("", "", "f", "{}")),
        // Unknown, doubled and mixed channels.
        ("<|channel|>answer<|message|>Hi<|return|>", answer("", "Hi")),
        ("<|channel|>analysis<|channel|>final<|message|>Hi<|return|>", answer("", "Hi")),
        ("assistant<|channel|>final<|message|>Hi", answer("", "Hi")),
        ("<|start|>assistant<|start|>assistantassistant<|channel|>final<|message|>Hi", answer("", "Hi")),
        ("analysis<|message|>hm<|end|><|start|>assistantfinal<|message|>Hi", answer("hm", "Hi")),
        // A header without the end of the message before it.
        ("<|channel|>analysis<|message|>hm<|channel|>final<|message|>Hi", answer("hm", "Hi")),
        (
            "<|channel|>analysis<|message|>hm<|start|>assistant<|channel|>final<|message|>Hi",
            answer("hm", "Hi"),
        ),
        ("<|channel|>final<|message|>Hi<|message|> you<|constrain|><|reserved_9|>!", answer("", "Hi you!")),
        // Recipients in odd places, with control tokens or junk in the name.
        ("<|channel|>analysis to=functions.f<|message|>{}<|call|>", call("", "", "f", "{}")),
        (
            "<|channel|>commentary to=functions.f<|channel|>commentary<|message|>{}<|call|>",
            call("", "", "f", "{}"),
        ),
        (
            "<|channel|>commentary to=functions.f<|constrain|>json<|message|>{}<|call|>",
            call("", "", "f", "{}"),
        ),
        ("<|channel|>commentary to=functions.f?x json<|message|>{}<|call|>", call("", "", "f", "{}")),
        ("<|channel|>commentary to=f<|message|>{}<|call|>", call("", "", "f", "{}")),
        ("<|channel|>commentary to=<|message|>Hi<|end|>", answer("", "Hi")),
        ("<|channel|>commentary to=assistant<|message|>Hi<|end|>", answer("", "Hi")),
        // A call without arguments is still JSON.
        ("<|channel|>commentary to=functions.f<|message|><|call|>", call("", "", "f", "{}")),
        // Tokens after the end (`ignore_eos`).
        (
            "<|channel|>final<|message|>Hi<|return|> more<|endoftext|><|return|>!",
            answer("", "Hi\n\n more\n\n!"),
        ),
        ("<|channel|>commentary to=functions.f<|message|>{}<|call|>x", call("", "x", "f", "{}")),
        // The model speaks for others: that is nobody's answer.
        ("<|channel|>final<|message|>Hi<|end|><|start|>user<|message|>Bye<|end|>", answer("", "Hi")),
        (
            "<|channel|>final<|message|>Hi<|end|><|start|>functions.f to=assistant<|channel|>commentary<|message|>7<|end|>",
            answer("", "Hi"),
        ),
        // Only thoughts: ended by the model they are the answer, cut short they are not.
        ("<|channel|>analysis<|message|>It is 5.<|return|>", answer("It is 5.", "It is 5.")),
        ("<|channel|>analysis<|message|>It is", answer("It is", "")),
        // Nothing at all.
        ("", answer("", "")),
        ("<|return|>", answer("", "")),
        ("<|channel|><|constrain|><|end|><|start|><|end|>", answer("", "")),
    ];
    for (written, expected) in cases {
        assert_eq!(reply(written), expected, "{written}");
    }
}

/// `max_tokens` may fall anywhere: no piece of a header is for the customer.
#[test]
fn a_reply_cut_inside_a_header_says_nothing_of_it() {
    let vocabulary = vocabulary();
    let first = "<|channel|>analysis<|message|>hm<|end|>";
    for header in [
        "<|start|>assistant<|channel|>final",
        "<|start|>assistant to=functions.order<|channel|>commentary <|constrain|>json",
        "<|start|>assistant<|channel|>commentary to=functions.order <|constrain|>json",
        "<|start|>assistantanalysis",
        "<|start|>user",
    ] {
        // As the beginning of a reply, whose role the prompt has, and as a later message.
        let later = tokens(&vocabulary, header);
        let begun = tokens(&vocabulary, header.trim_start_matches("<|start|>assistant"));
        for length in 0..=later.len() {
            let written = tokens(&vocabulary, first).into_iter().chain(later.iter().copied().take(length));
            assert_eq!(parsed(&vocabulary, written), answer("hm", ""), "{length} of {header}");
            let written = begun.iter().copied().take(length);
            assert_eq!(parsed(&vocabulary, written).content, "", "{length} of {header} at the beginning");
        }
    }
    for (written, left) in [("final", ""), ("final Hi you", "Hi you"), ("final 七天", "七天"), ("anal", "")]
    {
        assert_eq!(reply(&format!("<|channel|>{written}")), answer("", left), "{written}");
    }
}

#[test]
fn a_header_that_never_ends_becomes_text_while_it_streams() {
    let vocabulary = vocabulary();
    let long = "很".repeat(200);
    for channel in ["final", "analysis"] {
        let mut parser = Parser::new(Arc::clone(&vocabulary), "r");
        let tokens = tokens(&vocabulary, &format!("<|channel|>{channel} {long}"));
        let pieces: Vec<_> = tokens.into_iter().flat_map(|token| parser.push(token)).collect();
        let is_right = |piece: &Piece| matches!(piece, Piece::Reasoning(_)) == (channel == "analysis");
        assert!(pieces.len() > 1 && pieces.iter().all(is_right), "{channel}: {pieces:?}");
        let characters = pieces.iter().map(|piece| match piece {
            Piece::Content(text) | Piece::Reasoning(text) => text.matches('很').count(),
            _ => 0,
        });
        assert_eq!(characters.sum::<usize>(), 200);
    }
}

#[test]
fn text_is_given_out_at_once() {
    let vocabulary = vocabulary();
    let mut parser = Parser::new(Arc::clone(&vocabulary), "r");
    let mut push = |written: &str| -> Vec<Piece> {
        tokens(&vocabulary, written).into_iter().flat_map(|token| parser.push(token)).collect()
    };
    assert_eq!(push("<|channel|>final<|message|>"), []);
    assert_eq!(push("hello"), [Piece::Content("hello".to_owned())]);
    assert_eq!(push("退"), [Piece::Content("退".to_owned())]);
}

#[test]
fn tokens_are_counted_where_they_belong() {
    let vocabulary = vocabulary();
    let mut parser = Parser::new(Arc::clone(&vocabulary), "r");
    let mut content = 0;
    let written =
        "<|channel|>analysis<|message|>abc<|end|><|start|>assistant<|channel|>final<|message|>退!<|return|>";
    for token in tokens(&vocabulary, written) {
        parser.push(token);
        content += usize::from(parser.in_content());
    }
    let answer_tokens = vocabulary.encode_text("退!").len();
    assert_eq!((parser.reasoning_tokens(), content, parser.calls()), (3, answer_tokens, 0));
}

/// A text of a reply: letters, Chinese, blanks, and control tokens spelled out.
fn random_text(random: &mut Random, words: usize) -> String {
    let parts =
        ["hello", "退货", " ", "\n\n", "<|end|>", "<|channel|>final", "to=functions.x", "😀", "[1]", "{}"];
    (0..words).map(|_| parts[random.below(parts.len())]).collect()
}

#[test]
fn what_was_rendered_is_parsed_back() {
    let vocabulary = vocabulary();
    let start = vocabulary.special().start;
    for seed in 0..3000 {
        let mut random = Random(seed);
        let calls = random.below(3);
        let calls = (0..calls).map(|index| Call {
            id: format!("call_r_{index}"),
            name: ["order", "find_it", "a-b"][random.below(3)].to_owned(),
            arguments: format!("{{\"x\":{:?}}}", random_text(&mut random, 3)),
        });
        let calls: Vec<_> = calls.collect();
        let words = random.below(5);
        let reasoning = random_text(&mut random, words);
        // An answer without content is none, and would be replaced by its thoughts.
        let least = usize::from(calls.is_empty());
        let words = least + random.below(5);
        let content = random_text(&mut random, words);
        let said = Reply { reasoning, content, calls };

        let prompt = render(&Conversation::new("2026-11-23", "", vec![]), &vocabulary);
        let turns = vec![Turn::Assistant(said.clone())];
        // Without a call the turn is an answer whose thoughts are dropped: they are compared with calls only.
        let whole = render(&Conversation::new("2026-11-23", "", turns), &vocabulary);
        let generated = &whole[prompt.len()..];
        let last_header = generated.iter().rposition(|&token| token == start).unwrap();
        let expected = if said.calls.is_empty() { Reply { reasoning: String::new(), ..said } } else { said };
        let back = parsed(&vocabulary, generated[..last_header].iter().copied());
        assert_eq!(back, expected, "seed {seed}");
    }
}

#[test]
fn token_soup_neither_panics_nor_shows_a_control_token_nor_confuses_what_follows() {
    let vocabulary = vocabulary();
    let special = vocabulary.special();
    let words =
        ["assistant", " to=functions.f", "analysis", "commentary", "final", " json", "user", "退", "hello"];
    let words = words.map(|word| vocabulary.encode_text(word));
    let whole_message = tokens(&vocabulary, "<|start|>assistant<|channel|>final<|message|>hello<|return|>");
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let mut soup = Vec::new();
        for _ in 0..random.below(40) {
            match random.below(8) {
                0..3 => soup.push(special.endoftext + random.below(9) as u32),
                3..6 => soup.extend(&words[random.below(words.len())]),
                6 => soup.push(random.below(vocabulary.size()) as u32),
                _ => soup.push(random.next() as u32),
            }
        }
        // However lost it is, the next well-formed message is read as what it is.
        soup.extend(&whole_message);
        let reply = parsed(&vocabulary, soup);
        assert!(reply.content.ends_with("hello"), "seed {seed}: {reply:?}");
        let shown = format!("{reply:?}");
        assert!(!shown.contains("|>"), "seed {seed}: {shown}");
        assert!(reply.calls.iter().all(|call| !call.name.is_empty()), "seed {seed}");
    }
}
