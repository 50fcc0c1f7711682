//! For every text and every chunking, the stream joins to the mask of the whole; and masking is a fixed point.

use super::super::*;

#[test]
fn every_chunking_of_short_texts_gives_the_mask_of_the_whole() {
    // Pieces that begin, end and break identifiers; every sequence of them, cut at every set of places.
    let alphabet =
        ["1381234", "5678", " ", "-", "x", "a@b", ".cn", "我", "一", "*", "\u{200b}", "京A1", "234"];
    for_each_sequence(&alphabet, 4, |text| {
        let whole = all().mask(text);
        let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).skip(1).collect();
        for cut in &cuts {
            assert_eq!(streamed(&[&text[..*cut], &text[*cut..]]), whole, "{text:?} at {cut}");
        }
        let singles: Vec<&str> = text.split("").collect();
        assert_eq!(streamed(&singles), whole, "{text:?}");
    });
}

#[test]
fn every_subset_of_cuts_of_texts_up_to_eight_characters() {
    for text in ["138 1-我a", "京A·12345", "一a@b.cn", "(010)66", "1.2.3.4", "+8613x我"] {
        let whole = all().mask(text);
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).skip(1).collect();
        for set in 0..1_u32 << places.len() {
            let chosen = places.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1).map(|(_, at)| *at);
            let bounds: Vec<usize> = [0].into_iter().chain(chosen).chain([text.len()]).collect();
            let pieces: Vec<&str> = bounds.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            assert_eq!(streamed(&pieces), whole, "{pieces:?}");
        }
    }
}

#[test]
fn random_long_texts_stream_to_the_mask_of_the_whole_within_the_bound() {
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let text = random_text(&mut dice, 400);
        let mut stream = all().stream();
        let (mut joined, mut rest) = (Masked::default(), text.as_str());
        while !rest.is_empty() {
            let length = rest.char_indices().nth(dice.below(9) + 1).map_or(rest.len(), |(at, _)| at);
            joined.append(&stream.push(&rest[..length]));
            assert!(stream.held() <= HELD_MAX);
            rest = &rest[length..];
        }
        joined.append(&stream.finish());
        assert_eq!(joined, all().mask(&text), "seed {seed}: {text}");
    }
}

#[test]
fn masking_twice_is_masking_once() {
    for seed in 0..3000 {
        let text = random_text(&mut Dice(seed), 12);
        for masker in [all(), Masker::default()] {
            let once = masker.mask(&text);
            assert_eq!(masker.mask(once.as_str()), once, "seed {seed}: {text}");
        }
    }
    let alphabet =
        ["13812345678", "138", "12345678", " ", "-", "a@b.cn", "我", "一", "*", "京A12345", "卡号"];
    for_each_sequence(&alphabet, 4, |text| {
        let once = all().mask(text);
        assert_eq!(all().mask(once.as_str()), once, "{text:?}");
    });
}

#[test]
fn an_endless_run_is_held_within_the_bound_and_linear() {
    for unit in
        ["1", "1 ", "a", "a@", "1.", "138\u{200b}", "一", "-", "sk-a1", "(", "一，", "1 - ", "1元", "M1"]
    {
        let text = unit.repeat(50_000);
        let mut stream = all().stream();
        let mut joined = Masked::default();
        for c in text.chars() {
            joined.append(&stream.push(c.encode_utf8(&mut [0; 4])));
            assert!(stream.held() <= HELD_MAX);
        }
        joined.append(&stream.finish());
        assert_eq!(joined, all().mask(&text), "{unit:?}");
    }
}

#[test]
fn han_text_is_never_delayed() {
    let mut stream = all().stream();
    for c in "您好，请问订单什么时候发货？谢谢！".chars() {
        assert_eq!(stream.push(&c.to_string()).as_str(), c.to_string());
        assert_eq!(stream.held(), 0);
    }
}

fn all() -> Masker {
    Masker::new(Policy::of(Kind::ALL))
}

fn streamed(pieces: &[&str]) -> Masked {
    let mut stream = all().stream();
    let mut joined = Masked::default();
    pieces.iter().for_each(|piece| joined.append(&stream.push(piece)));
    joined.append(&stream.finish());
    joined
}

fn for_each_sequence(alphabet: &[&str], length: usize, mut check: impl FnMut(&str)) {
    for code in 0..alphabet.len().pow(length as u32) {
        let letters =
            (0..length).map(|place| alphabet[code / alphabet.len().pow(place as u32) % alphabet.len()]);
        check(&letters.collect::<String>());
    }
}

fn random_text(dice: &mut Dice, pieces: usize) -> String {
    const PIECES: &[&str] = &[
        "13812345678",
        "138",
        "1234",
        "5678",
        "11010519491231002X",
        "110105",
        "19491231",
        "002X",
        "86",
        "+86",
        "0086",
        "010",
        "66668888",
        "4111111111111111",
        "4111",
        "1111",
        "91350100M000100Y43",
        "E12345678",
        "护照",
        "身份证",
        "卡号",
        "订单",
        "京",
        "A",
        "12345",
        "·",
        "a.b",
        "@",
        "qq",
        ".com",
        "。",
        "，",
        " ",
        "-",
        ".",
        "_",
        "*",
        "***",
        "\u{200b}",
        "（",
        ")",
        "一三八",
        "零零",
        "幺",
        "我",
        "的",
        "x",
        "X",
        "sk-",
        "abcdefghij0123456789",
        "eyJhbGciOiJI",
        "eyJzdWIiOi",
        "-----BEGIN KEY-----",
        "-----END KEY-----",
        "\n",
        "192",
        "168",
        "1",
        "姓名：",
        "张三",
        "地址：",
        "杭州市西湖区文三路100号",
        "word",
        "元",
        "１３９",
        "tel",
        "ok",
        "1.",
        "幺三八，",
        "一二三四，",
        "、",
        "×",
        "11010519491231002",
        "旦",
        "/",
        "新",
        "浙 ",
        "车牌",
        "Name: ",
        "John Smith",
        "Address: 12 Maple Road",
        "寄到",
        "手机",
        "姓名",
        "王芳",
        "91350100 M000100Y43",
        "+852 ",
        "9123",
        "4567",
    ];
    (0..pieces).map(|_| PIECES[dice.below(PIECES.len())]).collect()
}

/// SplitMix64.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}
