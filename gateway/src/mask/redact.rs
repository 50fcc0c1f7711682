//! How each kind is written once masked.
//!
//! The first and last letter or digit of an identifier stay, separators inside it go. So the masked text links to
//! its neighbours as the original did, and masking it again finds nothing new.

use super::detect::PEM_BEGIN;
use super::kind::Kind;
use super::label::district_length;

/// The masked form of `text`, which is folded.
pub(super) fn redact(kind: Kind, text: &[char]) -> String {
    let bare: Vec<char> = text.iter().copied().filter(char::is_ascii_alphanumeric).collect();
    let long = bare.len();
    match kind {
        Kind::Phone | Kind::Landline => balanced(text, keep(&bare, long.saturating_sub(8).max(1), 4)),
        Kind::IdCard | Kind::Uscc | Kind::BankCard => keep(&bare, 4, 4),
        Kind::Plate => keep(&bare, 1, 2),
        Kind::Passport => keep(&bare, 1, 3),
        Kind::Email => email(text),
        Kind::Ipv4 => ipv4(text),
        Kind::Secret => secret(text),
        Kind::Name => name(text),
        Kind::Address => address(text),
    }
}

fn keep(text: &[char], head: usize, tail: usize) -> String {
    let hidden = head..text.len().saturating_sub(tail);
    text.iter().enumerate().map(|(place, c)| if hidden.contains(&place) { '*' } else { *c }).collect()
}

/// The bracket that closes inside the number opened before it: it closes after it instead.
fn balanced(text: &[char], masked: String) -> String {
    let count = |bracket| text.iter().filter(|c| **c == bracket).count();
    if count(')') > count('(') { masked + ")" } else { masked }
}

fn email(text: &[char]) -> String {
    let first: String = text.iter().take(1).collect();
    let domain: String = text.iter().skip_while(|c| **c != '@').collect();
    format!("{first}***{domain}")
}

fn ipv4(text: &[char]) -> String {
    let text: String = text.iter().collect();
    let first = text.split('.').next().unwrap_or_default();
    let last = text.rsplit('.').next().unwrap_or_default();
    format!("{first}.*.*.{last}")
}

fn secret(text: &[char]) -> String {
    let pem = text.first() == Some(&'-');
    let shown: String = text.iter().take(if pem { PEM_BEGIN.len() } else { 3 }).collect();
    format!("{shown}***")
}

fn name(text: &[char]) -> String {
    keep(text, 1, 0)
}

/// The province, city and district stay.
fn address(text: &[char]) -> String {
    let shown: String = text.iter().take(district_length(text)).collect();
    format!("{shown}***")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_keeps_only_its_ends() {
        for (kind, text, masked) in [
            (Kind::IdCard, "110105 19491231-002X", "1101**********002X"),
            (Kind::IdCard, "440524800101001", "4405*******1001"),
            (Kind::Phone, "138-1234-5678", "138****5678"),
            (Kind::Phone, "86 13812345678", "86138****5678"),
            (Kind::Landline, "010-66668888", "010****8888"),
            (Kind::Landline, "021)66668888", "021****8888)"),
            (Kind::BankCard, "6222020212345678901", "6222***********8901"),
            (Kind::Email, "zhang.san@example.com", "z***@example.com"),
            (Kind::Plate, "A·12345", "A***45"),
            (Kind::Passport, "E12345678", "E*****678"),
            (Kind::Ipv4, "192.168.1.20", "192.*.*.20"),
            (Kind::Secret, "sk-abcdef", "sk-***"),
            (Kind::Name, "张三丰", "张**"),
            (Kind::Address, "杭州市西湖区文三路1号", "杭州市西湖区***"),
        ] {
            let text: Vec<char> = text.chars().collect();
            assert_eq!(redact(kind, &text), masked);
        }
    }
}
