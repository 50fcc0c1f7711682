//! Names and addresses, only as the value of a label: 姓名：张三. Nothing else is precise enough.
//!
//! Limits: a colon, a space, 是, 为 or 改成 must follow the label (我叫 and 寄到 need none). A Chinese name is 2 to 4
//! characters that begin with a common surname, or two parts around a dot; another name is 2 to 4 capitalised
//! words. An address must name a street, estate, village or building, and a number or two districts.

use super::checks;
use super::context::{Context, Tie};
use super::detect::Match;
use super::glyph::{han, spoken};
use super::kind::Kind;

const NAME_LABELS: &[&str] = &[
    "姓名",
    "收件人",
    "收货人",
    "联系人",
    "寄件人",
    "持卡人",
    "开户人",
    "客户名",
    "客户名称",
    "户名",
    "我的名字",
    "您的名字",
    "本人名字",
];

/// Whole words, and not after another word: a `product name` is nobody's.
const ENGLISH_NAME_LABELS: &[&str] = &["name", "recipient", "receiver", "consignee", "cardholder"];

/// What may stand before one of those.
const WHOSE: &[&str] = &["full", "my", "your", "his", "her", "customer", "recipient", "receiver", "contact"];

const ADDRESS_LABELS: &[&str] = &[
    "地址",
    "住址",
    "收货地",
    "收件地",
    "家庭地",
    "地点",
    "户籍地",
    "address",
    "ship to",
    "deliver to",
    "send to",
];

/// These need nothing between them and the place.
const ADDRESS_VERBS: &[&str] = &["寄到", "送到", "寄往", "发到", "发往"];

/// The surnames of more than nine tenths of the population, but for those that mostly begin other words.
const SURNAMES: &str = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢\
     姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤欧阳诸葛\
     司上官易康施洪柳俞章关齐左梅庄颜温单慕容常赖樊兰殷翟安倪乔芦文牛耿辛管祝柴邢路岳聂鲁季尚骆涂庞焦蓝佟盛阮\
     翁柏凌霍纪舒屈项祁房裴甘成宫卓解丛苗谷席卫瞿鲍华游申喻詹费荣娄窦褚戚邬滕郎昌花伍米贝臧计伏麻强童刁虞柯昝\
     巫宗宣郁杭包嵇滑荀羊惠甄曲封芮储靳汲邴糜井巴弓牧隗宓蓬仰仲伊宁仇栾暴厉戎祖符景束幸韶郜蓟薄印宿怀蒲邰鄂索\
     籍蔺屠蒙池阴胥苍闻莘党贡劳逄姬冉宰郦雍桑桂濮扈燕冀郏浦晏阎茹习宦艾鱼古慎戈庾暨衡弘匡寇禄阙沃蔚夔隆巩厍晁\
     勾敖融冷訾阚简饶沙鞠丰巢蒯查荆竺逯桓仉帅缑亢况郗琴商牟佘佴";

/// What follows a name without a pause, from its third character on.
const NAME_ENDS: &[&str] = &[
    "手机", "电话", "身份", "性别", "地址", "联系", "微信", "邮箱", "订单", "号码", "女士", "先生", "小姐",
    "不是", "麻烦", "谢谢", "收", "我", "想", "住", "要", "请", "的", "是", "在",
];

/// Words that begin like a name.
const NO_NAMES: &[&str] = &[
    "任意", "任何", "谢谢", "方便", "方式", "高度", "高级", "高端", "何时", "何地", "何人", "安全", "安排",
    "安装", "常用", "白色", "黄色", "金色", "蓝色", "金额", "单号", "单位", "单独", "关于", "关闭", "左右",
    "左边", "温馨", "康师", "易碎", "成功", "成员", "于是", "华为", "申请", "包裹", "包装", "万一", "向导",
    "马上", "路边", "石家", "武汉", "江苏", "江西", "宁波", "宁夏", "温州", "安徽", "苏州", "常州", "徐州",
    "郑州", "杭州", "上海", "简单", "强制", "商家", "商品", "文件", "计算", "解决", "成本", "封面", "沙发",
    "查询", "查看", "查不",
];

const NO_ENGLISH_NAMES: &[&str] = &[
    "Please", "Enter", "Order", "Product", "Item", "Status", "Not", "Unknown", "Your", "The", "New", "Store",
];

const NAME_MAX: usize = 8;
const ENGLISH_NAME_MAX: usize = 40;
const ADDRESS_MAX: usize = 80;

/// The kind of value that begins with `first` after the label that was just read, if one was.
pub(super) fn value_kind(context: &Context, first: char) -> Option<Kind> {
    let close = context.last().is_some_and(|last| ": 是为叫名人成到往\"“".contains(last));
    if !close || !(han(first) || first.is_ascii_alphanumeric()) {
        return None;
    }
    let (tie, label) = context.label();
    let labelled = |labels: &[&str]| labels.iter().any(|word| label.ends_with(word));
    let colon = tie == Tie::Colon;
    let namelike = (colon && (han(first) || first.is_ascii_uppercase()))
        || (tie == Tie::Space && SURNAMES.contains(first));
    let placelike = (colon && first.is_ascii_alphabetic()) || han(first) || first.is_ascii_digit();
    let introductions = ["我叫", "姓名", "收件人", "收货人"];
    let introduced = tie == Tie::None && SURNAMES.contains(first) && labelled(&introductions);
    if introduced || (namelike && (labelled(NAME_LABELS) || (colon && names_in_english(&label)))) {
        Some(Kind::Name)
    } else if placelike && ((tie != Tie::None && labelled(ADDRESS_LABELS)) || labelled(ADDRESS_VERBS)) {
        Some(Kind::Address)
    } else {
        None
    }
}

/// Whether the text ends with an English label of a person's name.
fn names_in_english(text: &str) -> bool {
    let word = |text: &str| text.len() - text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len();
    let (before, label) = text.split_at(text.len() - word(text));
    let before = before.strip_suffix(' ').unwrap_or_default();
    let whose = &before[before.len() - word(before)..];
    let person = label == "person" && whose == "contact";
    person || (ENGLISH_NAME_LABELS.contains(&label) && (whose.is_empty() || WHOSE.contains(&whose)))
}

/// Whether `next` may belong to a value of `length` characters that begins with `first`.
pub(super) fn extends(kind: Kind, first: char, length: usize, next: char) -> bool {
    let roomy = first.is_ascii_alphanumeric();
    match kind {
        Kind::Name if roomy => {
            length < ENGLISH_NAME_MAX && (next.is_ascii_alphabetic() || matches!(next, ' ' | '-' | '\''))
        }
        Kind::Name => length < NAME_MAX && (han(next) || next == '·'),
        _ => {
            let sign = matches!(next, '-' | '#' | '(' | ')' | ' ' | ',');
            length < ADDRESS_MAX && (han(next) || next.is_ascii_alphanumeric() || sign)
        }
    }
}

/// The value at the beginning of the characters held since the label.
pub(super) fn find(kind: Kind, held: &[char]) -> Option<Match> {
    // By its first word, so that what stands later cannot turn one reading into the other.
    let english = !held.iter().take_while(|c| !matches!(c, ' ' | ',')).any(|c| han(*c));
    let length = match (kind, english) {
        (Kind::Name, true) => english_name_length(held),
        (Kind::Name, false) => name_length(held),
        (_, true) => english_address_length(held),
        (_, false) => address_length(held),
    };
    length.map(|length| Match::new(kind, 0, length))
}

// --- names ------------------------------------------------------------------------------------------------

fn name_length(held: &[char]) -> Option<usize> {
    if let Some(dot) = held.iter().position(|c| *c == '·') {
        return (dot >= 2 && held.len() >= dot + 3).then_some(held.len());
    }
    let text = |from: usize| held[from..].iter().collect::<String>();
    // Two numerals begin a spoken telephone.
    let spells = |from: usize| held[from..].iter().take(2).filter(|c| spoken(**c).is_some()).count() == 2;
    let ends = |from: &usize| spells(*from) || NAME_ENDS.iter().any(|word| text(*from).starts_with(word));
    let length = (2..held.len()).find(ends).unwrap_or(held.len());
    let surname = held.first().is_some_and(|first| SURNAMES.contains(*first));
    let word = NO_NAMES.iter().any(|word| text(0).starts_with(word));
    (surname && !word && (2..=4).contains(&length)).then_some(length)
}

/// Two to four words, each of a capital and small letters.
fn english_name_length(held: &[char]) -> Option<usize> {
    let mut length = 0;
    let mut words = 0;
    for word in held.split(|c| *c == ' ') {
        let capital =
            word.first().is_some_and(char::is_ascii_uppercase) && word.iter().any(char::is_ascii_lowercase);
        if !capital || words == 4 {
            break;
        }
        if NO_ENGLISH_NAMES.contains(&word.iter().collect::<String>().as_str()) {
            return None;
        }
        length += word.len() + usize::from(words > 0);
        words += 1;
    }
    (words >= 2).then_some(length)
}

// --- addresses --------------------------------------------------------------------------------------------

const DISTRICTS: &str = "省市区县镇乡村";
const STREETS: &str = "路街道巷弄号栋幢楼室村镇苑园座层厦";

/// What follows an address without a pause.
const ADDRESS_ENDS: &[&str] = &[
    "电话", "手机", "联系", "收件", "收货", "姓名", "邮编", "帮我", "帮忙", "麻烦", "谢谢", "请", "可以",
    "怎么", "什么", "订单",
];

/// How much of an address stays: through its district, or its first two characters.
pub(super) fn district_length(address: &[char]) -> usize {
    let district = address.iter().rposition(|c| "省市区县".contains(*c)).filter(|place| *place < 12);
    district.map_or(2, |place| place + 1)
}

/// Parts with spaces or commas between them, as long as each looks like a part of an address.
fn address_length(held: &[char]) -> Option<usize> {
    let (mut start, mut end) = (0, 0);
    let limit = (0..held.len()).find(|at| telephone_at(held, *at)).unwrap_or(held.len());
    for part in held[..limit].split(|c| matches!(c, ' ' | ',')) {
        let length = part_length(part);
        if start > 0 && !belongs(&part[..length]) {
            break;
        }
        end = start + length;
        if length < part.len() {
            break;
        }
        start += part.len() + 1;
    }
    let hidden = held[..end].get(district_length(&held[..end])..)?;
    let count = |chars: &str, text: &[char]| text.iter().filter(|c| chars.contains(**c)).count();
    let (districts, digit) = (count(DISTRICTS, &held[..end]), hidden.iter().any(char::is_ascii_digit));
    let street = count(STREETS, hidden) > 0;
    let valid = if digit { street || districts >= 2 } else { street && districts >= 2 };
    (valid && end >= 6).then_some(end)
}

/// A part ends before a number that is too long for a house: a telephone or a plate follows.
fn part_length(part: &[char]) -> usize {
    let ends = |start: usize| {
        let begins = start == 0 || !signs(&part[start - 1]);
        let number: Vec<char> = part[start..].iter().copied().take_while(signs).collect();
        let rest: String = part[start..].iter().collect();
        (begins && identifies(&number)) || ADDRESS_ENDS.iter().any(|word| rest.starts_with(word))
    };
    (0..part.len()).find(|start| ends(*start)).unwrap_or(part.len())
}

/// What the numbers of houses and telephones are written with.
pub(super) fn signs(c: &char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '#' | '(' | ')')
}

fn identifies(number: &[char]) -> bool {
    let digits = |text: &[char]| text.iter().filter(|c| c.is_ascii_digit()).count();
    let word = |text: &[char]| text.len() >= 6 && digits(text) > 0;
    digits(number) >= 7 || number.split(|c| !c.is_ascii_alphanumeric()).any(word)
}

/// Whether a mobile number begins at `at`, in however many pieces: `100号138 1234 5678`.
fn telephone_at(text: &[char], at: usize) -> bool {
    let digits = text[at..].iter().filter(|c| !matches!(c, ' ' | '-')).take(11);
    let number: Vec<u8> = digits.take_while(|c| c.is_ascii_digit()).map(|c| *c as u8).collect();
    let begins = at.checked_sub(1).is_none_or(|before| !text[before].is_ascii_digit());
    begins && text[at].is_ascii_digit() && checks::mobile(&number)
}

fn long_run(text: &[char]) -> bool {
    text.iter().take_while(|c| c.is_ascii_digit()).count() >= 7
}

/// Whether what follows a space or comma goes on with an address: `文三路100号`, `1105室`, `T3`.
fn belongs(part: &[char]) -> bool {
    let Some(last) = part.last() else { return false };
    let digit = part.iter().any(char::is_ascii_digit);
    if part.iter().all(|c| c.is_ascii_alphanumeric() || *c == '-') {
        return digit && part.iter().any(char::is_ascii_alphabetic) && part.len() <= 8;
    }
    let closed = last.is_ascii_alphanumeric() || STREETS.contains(*last) || DISTRICTS.contains(*last);
    let marked = part.iter().any(|c| STREETS.contains(*c) || DISTRICTS.contains(*c));
    closed && marked
}

const ENGLISH_STREETS: &[&str] = &[
    "street",
    "st",
    "road",
    "rd",
    "avenue",
    "ave",
    "lane",
    "ln",
    "drive",
    "dr",
    "boulevard",
    "blvd",
    "building",
    "room",
    "apt",
    "apartment",
    "suite",
    "floor",
    "square",
    "court",
    "plaza",
    "district",
];

/// A house number and a street; after the street, words that are capitalised or hold a digit.
fn english_address_length(held: &[char]) -> Option<usize> {
    let (mut start, mut end, mut digit, mut street) = (0, 0, false, false);
    let latin = held.iter().position(|c| han(*c)).unwrap_or(held.len());
    for word in held[..latin].split(|c| matches!(c, ' ' | ',')) {
        let text = word.iter().collect::<String>();
        let number = word.iter().any(char::is_ascii_digit);
        let named = ENGLISH_STREETS.contains(&text.to_ascii_lowercase().as_str());
        let capital = word.first().is_none_or(char::is_ascii_uppercase);
        let label =
            matches!(text.to_ascii_lowercase().as_str(), "phone" | "tel" | "mobile" | "thanks" | "please");
        let telephone = (0..word.len()).any(|from| long_run(&word[from..]));
        if label || telephone || (street && !(number || named || capital)) {
            break;
        }
        (digit, street) = (digit || number, street || named);
        end = if word.is_empty() { end } else { start + word.len() };
        start += word.len() + 1;
    }
    (digit && street && end >= 10).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::super::Masker;
    use super::*;

    fn found(text: &str) -> Option<String> {
        let span = Masker::default()
            .scan(text)
            .into_iter()
            .find(|s| matches!(s.kind, Kind::Name | Kind::Address))?;
        Some(text.chars().skip(span.start).take(span.end - span.start).collect())
    }

    #[test]
    fn a_name_ends_where_the_next_word_begins() {
        for (text, name) in [
            ("姓名：王芳手机：13812345678", "王芳"),
            ("收件人：李娜女士收", "李娜"),
            ("联系人：王先生", "王先生"),
            ("姓名：李想收", "李想"),
            ("我叫王芳我要退货", "王芳"),
            ("收件人 慕容雪", "慕容雪"),
            ("收货人改为李娜，谢谢", "李娜"),
            ("户名：赵敏", "赵敏"),
            ("联系人：王先生一三八-零零一三-八零零零", "王先生"),
            ("姓名王芳电话13812345678", "王芳"),
            ("\"姓名\":\"赵敏\"", "赵敏"),
            ("{\"name\":\"赵敏\"}", "赵敏"),
            ("姓名：买买提·吐尔逊", "买买提·吐尔逊"),
            ("Name: John Smith", "John Smith"),
            ("My name is David Lee.", "David Lee"),
            ("Contact person: Sarah O'Brien", "Sarah O'Brien"),
            ("收件人：Zhang Wei，电话", "Zhang Wei"),
        ] {
            assert_eq!(found(text).as_deref(), Some(name), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_name_is_none() {
        for text in [
            "商品名字是金丝猴",
            "名字：高级会员",
            "姓名：任意",
            "收件人：方便就行",
            "我叫张师傅来修",
            "收件人：浙江省杭州市",
            "Product name: Blue Shirt",
            "Name: Tom",
            "file name: Red Carpet",
            "Name: Order Status",
            "收件人何时签收",
            "姓名单独改可以吗",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_goes_on_over_pauses_and_ends_before_other_words() {
        for (text, address) in [
            ("地址：浙江省 杭州市 西湖区 文三路100号", "浙江省 杭州市 西湖区 文三路100号"),
            ("地址：北京市海淀区中关村大街27号，1105室", "北京市海淀区中关村大街27号，1105室"),
            ("地址：杭州市西湖区文三路100号，谢谢", "杭州市西湖区文三路100号"),
            ("地址：西湖区文三路100号电话13812345678", "西湖区文三路100号"),
            ("寄到成都市武侯区天府大道中段666号", "成都市武侯区天府大道中段666号"),
            ("收货地址改成杭州市西湖区文三路100号帮我改一下", "杭州市西湖区文三路100号"),
            ("地址：3号楼2单元501", "3号楼2单元501"),
            ("地址：杭州市西湖区文三路100号138 1234 5678", "杭州市西湖区文三路100号"),
            ("地址：北京市朝阳区望京SOHO T3", "北京市朝阳区望京SOHO T3"),
            ("Address: 221B Baker Street, London NW1 6XE, thanks", "221B Baker Street, London NW1 6XE"),
            ("Ship to: 12 Maple Road is wrong", "12 Maple Road"),
        ] {
            assert_eq!(found(text).as_deref(), Some(address), "{text}");
        }
    }

    #[test]
    fn a_sentence_about_an_address_is_none() {
        for text in [
            "地址是必须填门牌号吗",
            "收货地址是公司楼下可以吗",
            "地址：怎么改成别的小区楼号",
            "送到楼下就行",
            "寄到上海市浦东新区要几天",
            "Email address: is it on the road",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
