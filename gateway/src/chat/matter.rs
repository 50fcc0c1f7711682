//! What a message is about, without the clauses that only say who asks: a telephone number leads neither to an intent nor to an entry.

use std::borrow::Cow;

use crate::knowledge::content::concepts;

/// The clauses of a masked message that hold nothing masked; the whole message where these say nothing.
pub fn matter(message: &str) -> Cow<'_, str> {
    let open: String = clauses(message).filter(|clause| !clause.contains('*')).collect();
    if open.len() == message.len() || concepts(&open).is_empty() {
        return Cow::Borrowed(message);
    }
    Cow::Owned(open)
}

/// The message cut after each mark that ends a clause: not a colon, since a label belongs to its number, nor a dot inside a word.
fn clauses(message: &str) -> impl Iterator<Item = &str> {
    let ends = |(at, c): (usize, char)| {
        let end = at + c.len_utf8();
        let after = message.get(end..).unwrap_or_default();
        let ended = matches!(c, '，' | '。' | '！' | '？' | '；' | ',' | '!' | '?' | ';' | '\n')
            || (c == '.' && after.starts_with(' '));
        ended.then_some(end)
    };
    let ends = message.char_indices().filter_map(ends).chain([message.len()]);
    ends.scan(0, |start, end| message.get(std::mem::replace(start, end)..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_that_say_who_asks_are_left_out() {
        for (message, about) in [
            ("我的手机号139****5678，身份证1101**********002X，请问咖啡机保修多久？", "请问咖啡机保修多久？"),
            ("收到货后多久可以退货？我电话138****8000", "收到货后多久可以退货？"),
            ("How long does a refund take? My phone is 139****5678.", "How long does a refund take?"),
            ("My ID is 1101**********002X. How do I get an invoice?", " How do I get an invoice?"),
        ] {
            assert_eq!(matter(message), about);
        }
    }

    #[test]
    fn a_message_is_whole_where_the_rest_says_nothing() {
        for message in [
            "我的手机号139****5678收不到验证码",
            "请把发票发到z***@example.com，谢谢",
            "Please send the invoice to z***@example.com, thanks!",
            "怎么开发票？",
            "",
        ] {
            assert_eq!(matter(message), message);
        }
    }
}
