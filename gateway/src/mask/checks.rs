//! What makes a digit run an identifier: check digits, dates, regions, issuer prefixes, area codes.
//!
//! Every function takes ASCII digits (and the letters its identifier allows) without separators.

/// Birth years accepted in an identity number. The lower end admits the example of GB 11643-1999 itself
/// (1880); the upper end is fixed, because this module knows no clock.
const BIRTH_YEARS: std::ops::RangeInclusive<u32> = 1850..=2035;

/// GB 11643-1999: region, birth date, ISO 7064 MOD 11-2 check digit.
pub(super) fn resident_id(id: &[u8]) -> bool {
    resident_shape(id) && check_mod_11_2(id)
}

/// An identity number but for its check digit: right length, region and date.
pub(super) fn resident_shape(id: &[u8]) -> bool {
    let Some((tail, body)) = id.split_last() else { return false };
    id.len() == 18
        && body.iter().all(u8::is_ascii_digit)
        && matches!(tail, b'0'..=b'9' | b'X' | b'x')
        && (province(&id[..2]) || residence_permit(id) || permanent_resident(id))
        && date(number(&id[6..10]), number(&id[10..12]), number(&id[12..14]))
}

/// The 15-digit form issued until 1999: region, yymmdd, serial, no check digit.
pub(super) fn old_resident_id(id: &[u8]) -> bool {
    id.len() == 15
        && id.iter().all(u8::is_ascii_digit)
        && province(&id[..2])
        && id[2..6] != *b"0000"
        && date(1900 + number(&id[6..8]), number(&id[8..10]), number(&id[10..12]))
}

/// The Luhn check, used by every payment card.
pub(super) fn luhn(card: &[u8]) -> bool {
    let sum: u32 = card.iter().rev().enumerate().map(|(place, digit)| luhn_term(place, digit)).sum();
    sum.is_multiple_of(10) && card.iter().any(|digit| *digit != b'0')
}

/// Issuer prefixes of ISO/IEC 7812 with the lengths their schemes issue.
pub(super) fn issuer(card: &[u8]) -> bool {
    if card.len() < 13 {
        return false;
    }
    let (two, four) = (number(&card[..2]), number(&card[..4]));
    match (two, card.len()) {
        (62, 16..=19) => true,
        (40..=49, 16) | (51..=55, 16) | (35, 16) | (60 | 65, 16) => true,
        (34 | 37, 15) => true,
        _ => (2221..=2720).contains(&four) && card.len() == 16,
    }
}

/// GB 32100-2015: 18 of `0-9A-Z` without I O S V Z, registering authority, region, modulo 31 check.
pub(super) fn uscc(code: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    const WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
    let lettered = code.iter().any(u8::is_ascii_alphabetic);
    if code.len() != 18 || !registrar(&code[..2], lettered) || !code[2..8].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let values: Option<Vec<usize>> =
        code.iter().map(|c| ALPHABET.iter().position(|a| *a == c.to_ascii_uppercase())).collect();
    values.is_some_and(|values| {
        let sum: usize = values.iter().zip(WEIGHTS).map(|(value, weight)| value * weight).sum();
        (31 - sum % 31) % 31 == values[17]
    })
}

/// 11 digits of a mainland mobile number, every operator's range.
pub(super) fn mobile(digits: &[u8]) -> bool {
    digits.len() == 11 && digits[0] == b'1' && (b'3'..=b'9').contains(&digits[1])
}

/// Digits of an area code with its 0: 3 for the large cities, 4 elsewhere.
pub(super) fn area_code(digits: &[u8]) -> bool {
    match digits {
        [b'0', b'1', b'0'] => true,
        [b'0', b'2', third] => *third != b'6',
        [b'0', b'3'..=b'9', third, _] => *third != b'0',
        _ => false,
    }
}

/// A fixed line's own number after `area`: 7 or 8 digits, never starting with 0, 1 or 9 (services).
pub(super) fn subscriber(area: &[u8], digits: &[u8]) -> bool {
    let length = if area.len() == 3 { 8..=8 } else { 7..=8 };
    length.contains(&digits.len()) && matches!(digits[0], b'2'..=b'8')
}

/// The characters of a plate after province and letter; `suffixed` if 挂, 学, 警, 港, 澳 ... follows.
pub(super) fn plate_body(body: &[u8], suffixed: bool) -> bool {
    let letter = |c: u8| c.is_ascii_uppercase() && c != b'I' && c != b'O';
    let upper: Vec<u8> = body.iter().map(u8::to_ascii_uppercase).collect();
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    if !upper.iter().all(|c| c.is_ascii_digit() || letter(*c)) {
        return false;
    }
    match upper.as_slice() {
        [_, _, _, _] => suffixed && upper.iter().any(u8::is_ascii_digit),
        [_, _, _, _, _] => upper.iter().filter(|c| c.is_ascii_digit()).count() >= 2,
        [b'D' | b'F', _, rest @ ..] if rest.len() == 4 => digits(rest),
        [rest @ .., b'D' | b'F'] if rest.len() == 5 => digits(rest),
        _ => false,
    }
}

/// The decimal value of at most nine ASCII digits.
pub(super) fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'))
}

fn check_mod_11_2(id: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = id.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    id[17].to_ascii_uppercase() == b"10X98765432"[sum as usize % 11]
}

fn luhn_term(place: usize, digit: &u8) -> u32 {
    let value = u32::from(digit - b'0') << (place % 2);
    if value > 9 { value - 9 } else { value }
}

/// Retired county codes stay valid for life, so only the province is checked (GB/T 2260).
fn province(two: &[u8]) -> bool {
    matches!(number(two), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71)
}

/// Residence permits for Hong Kong and Macau (81, 82) and Taiwan (83): the region is always xx0000.
fn residence_permit(id: &[u8]) -> bool {
    matches!(&id[..6], b"810000" | b"820000" | b"830000")
}

/// Foreigners' permanent residence card of 2023: 9, province, three digits of nationality.
fn permanent_resident(id: &[u8]) -> bool {
    id[0] == b'9' && province(&id[1..3])
}

/// Registering authority and kind of organisation, the first two characters of a credit code.
///
/// The rarer authorities (justice, culture, tourism, religion ...) are believed only if the code holds a letter:
/// of the order numbers of 18 digits that begin so, one in 31 would pass the check.
fn registrar(two: &[u8], lettered: bool) -> bool {
    const COMMON: [&[u8; 2]; 18] = [
        b"11", b"12", b"13", b"19", b"21", b"29", b"51", b"52", b"53", b"59", b"81", b"91", b"92", b"93",
        b"A1", b"N1", b"N2", b"Y1",
    ];
    const RARE: [&[u8; 2]; 17] = [
        b"31", b"32", b"33", b"34", b"35", b"39", b"41", b"49", b"61", b"69", b"71", b"72", b"79", b"89",
        b"A9", b"N3", b"N9",
    ];
    let known = |list: &[&[u8; 2]]| list.iter().any(|known| known.eq_ignore_ascii_case(two));
    known(&COMMON) || (lettered && known(&RARE))
}

fn date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    };
    BIRTH_YEARS.contains(&year) && (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_examples_are_valid() {
        for id in ["11010519491231002X", "440524188001010014", "11010519491231002x"] {
            assert!(resident_id(id.as_bytes()), "{id}");
        }
        for code in ["91350100M000100Y43", "11320000MB151840XJ", "31110000E00017891P"] {
            assert!(uscc(code.as_bytes()), "{code}");
        }
        assert!(luhn(b"4111111111111111") && issuer(b"4111111111111111"));
        assert!(luhn(b"378282246310005") && issuer(b"378282246310005"));
    }

    #[test]
    fn one_changed_digit_fails_every_checksum() {
        for (valid, check) in [
            ("11010519491231002X", resident_id as fn(&[u8]) -> bool),
            ("91350100M000100Y43", uscc),
            ("4111111111111111", luhn),
        ] {
            for place in 2..valid.len() {
                let mut changed = valid.as_bytes().to_vec();
                changed[place] = if changed[place] == b'7' { b'8' } else { b'7' };
                assert!(!check(&changed), "{valid} at {place}");
            }
        }
    }

    #[test]
    fn impossible_dates_and_regions_are_no_identity() {
        for id in ["11010519490231002X", "11010519491331002X", "99010519491231002X", "00010519491231002X"] {
            assert!(!resident_shape(id.as_bytes()), "{id}");
        }
        assert!(old_resident_id(b"440524800101001"));
        assert!(!old_resident_id(b"440524801301001"));
    }

    #[test]
    fn plates_follow_their_shapes() {
        for body in ["12345", "D12345", "12345F", "AB123"] {
            assert!(plate_body(body.as_bytes(), false), "{body}");
        }
        for body in ["1234", "I2345", "A12345", "ABCDE", "123456"] {
            assert!(!plate_body(body.as_bytes(), false), "{body}");
        }
        assert!(plate_body(b"1234", true));
    }
}
