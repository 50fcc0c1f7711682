//! From bytes to text: UTF-8 and UTF-16 by their marks, UTF-8 by its shape, else what the bytes look most like (GB18030 above all).

use chardetng::EncodingDetector;
use encoding_rs::{Encoding, GB18030, GBK, UTF_8};

/// The text, and a complaint where some of it could not be decoded.
pub(super) fn decode(bytes: &[u8]) -> Result<(String, Option<String>), String> {
    if bytes.starts_with(b"PK\x03\x04")
        || bytes.starts_with(b"%PDF")
        || bytes.starts_with(&[0xd0, 0xcf, 0x11, 0xe0])
    {
        return Err("this is an office document or an archive; save it as CSV or plain text first".into());
    }
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return Ok(with(encoding, bytes.get(mark..).unwrap_or_default()));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok((text.to_owned(), None));
    }
    if is_cut(bytes) {
        return Ok(with(UTF_8, bytes));
    }
    let (text, complaint) = with(UTF_8, bytes);
    let (lost, kept) = text.chars().filter(|c| !c.is_ascii()).fold((0, 0), |(lost, kept), c| match c {
        '\u{fffd}' => (lost + 1, kept),
        _ => (lost, kept + 1),
    });
    if lost * 20 < kept {
        return Ok((text, complaint)); // UTF-8 with a few torn characters
    }
    Ok(with(guess(bytes), bytes))
}

/// Whether only the last character is torn. Text in another encoding fails at its first character, not at its last.
fn is_cut(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| {
        let whole = bytes.get(..error.valid_up_to()).unwrap_or_default();
        error.error_len().is_none() && !whole.is_ascii()
    })
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    let guess = detector.guess(Some(b"cn"), chardetng::Utf8Detection::Deny);
    if guess == GBK { GB18030 } else { guess }
}

fn with(encoding: &'static Encoding, bytes: &[u8]) -> (String, Option<String>) {
    let (text, _) = encoding.decode_without_bom_handling(bytes);
    let lost = text.matches('\u{fffd}').count();
    let complaint = (lost > 0).then(|| {
        format!("{lost} characters could not be read as {}; save the file as UTF-8", encoding.name())
    });
    (text.into_owned(), complaint)
}
