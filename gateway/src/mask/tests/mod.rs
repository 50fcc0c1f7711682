//! What is masked, what is not, and that streaming and masking twice change nothing.

use super::*;

mod benchmark;
mod cases;
mod theorem;

fn mask(text: &str) -> String {
    Masker::default().mask(text).into_string()
}

fn kinds(text: &str) -> Vec<&'static str> {
    Masker::default().scan(text).into_iter().map(|span| span.kind.as_str()).collect()
}

#[test]
fn identifiers_are_masked_wherever_they_stand() {
    for (text, masked) in [
        ("我的手机号是13812345678请联系", "我的手机号是138****5678请联系"),
        ("身份证11010519491231002X谢谢", "身份证1101**********002X谢谢"),
        ("身份证11010519491231002x", "身份证1101**********002x"),
        ("id11010519491231002X", "id1101**********002X"),
        ("老身份证440524800101001。", "老身份证4405*******1001。"),
        ("１３８１２３４５６７８", "138****5678"),
        ("+86 138-1234-5678", "+86138****5678"),
        ("8613812345678", "86138****5678"),
        ("(+86)13812345678", "(+86138****5678)"),
        ("138 1234 5678", "138****5678"),
        ("1 3 8 1 2 3 4 5 6 7 8", "138****5678"),
        ("打我电话幺三八零零幺三八零零零", "打我电话138****8000"),
        ("电话一三八〇〇一三八〇〇〇吧", "电话138****8000吧"),
        ("电话一13812345678，电话二13912345678", "电话一138****5678，电话二139****5678"),
        ("138\u{200b}1234\u{200b}5678", "138****5678"),
        ("110105 19491231 002X", "1101**********002X"),
        ("座机010-66668888转8001", "座机010****8888转8001"),
        ("座机（0755）86668888", "座机（0755****8888)"),
        ("座机+86 21 66668888", "座机+8621****8888"),
        ("卡号4111 1111 1111 1111有效", "卡号4111********1111有效"),
        ("邮箱zhangsan@example.com哦", "邮箱z***@example.com哦"),
        ("邮箱ｚｈａｎｇ＠qq。com哦", "邮箱z***@qq。com哦"),
        ("Mail a.b+c@mail.example.co.uk.", "Mail a***@mail.example.co.uk."),
        ("车牌京A·12345停门口", "车牌京A***45停门口"),
        ("车牌粤B D12345", "车牌粤B****45"),
        ("沪AD12345", "沪A****45"),
        ("护照号E12345678", "护照号E*****678"),
        ("护照E 12345678", "护照E 1****678"),
        ("my passport number is EA1234567", "my passport number is E*****567"),
        ("key: sk-proj-abcdef1234567890ABCDEF。", "key: sk-***。"),
        ("银行卡6222021234567890124", "银行卡6222***********0124"),
        ("我叫王小明。", "我叫王**。"),
        ("收件人：张三丰，电话", "收件人：张**，电话"),
        ("地址：杭州市西湖区文三路100号2单元301室，谢谢", "地址：杭州市西湖区***，谢谢"),
        ("**13812345678**", "**138****5678**"),
        ("card 4532 0151 1283 0366 12/27 123", "card 4532********0366 12/27 123"),
        ("6222 0212 0200 3456 788 13812345678", "6222***********6788 138****5678"),
        ("62148357 12345675", "6214********5675"),
        ("订单退款请退到这张卡6222021202003456788", "订单退款请退到这张卡6222***********6788"),
        ("refund my order to 4532 0151 1283 0366.", "refund my order to 4532********0366."),
        ("tel-13812345678 mobile_138-1234-5678", "tel-138****5678 mobile_138****5678"),
        ("dh13812345678 V13812345678 ip192.168.1.1", "dh138****5678 V138****5678 ip192.168.1.1"),
        ("13812345678ok 13812345678ASAP", "138****5678ok 138****5678ASAP"),
        ("11010519491231002Xplease", "1101**********002Xplease"),
        ("11010519491231002X13812345678", "1101**********002X138****5678"),
        ("11010519491231002×谢谢", "1101*********1002×谢谢"),
        ("13812345678元旦期间不要打", "138****5678元旦期间不要打"),
        ("1.13812345678 2.13912345678", "1.138****5678 2.139****5678"),
        ("1.0571-87654321", "1.0571****4321"),
        ("幺三八，幺二三四，五六七八，听清了吗", "138****5678，听清了吗"),
        ("138 - 1234 - 5678", "138****5678"),
        ("86-21-66668888", "8621****8888"),
        ("+86 (0)21 6666 8888", "+86021****8888"),
        ("律所31110000E00017891P", "律所31110000E00017891P"),
        ("zhang@163.com-手机13812345678", "z***@163.com-手机138****5678"),
        ("zhang@163.com。li@qq.com", "z***@163.com。l***@qq.com"),
        ("zhang@163.com--急", "z***@163.com--急"),
        ("浙 A8K123", "浙 A***23"),
        ("浙\u{200b} \u{200b}A8K123", "浙\u{200b} \u{200b}A***23"),
        ("我的车牌是新A12345", "我的车牌是新A***45"),
        ("+852 9123 4567", "+852****4567"),
        ("call +1 (415) 555-0132 or +44 20 7946 0958", "call +141****0132 or +4420****0958"),
        ("手机/微信：13812345678、邮箱a@b.cn", "手机/微信：138****5678、邮箱a***@b.cn"),
    ] {
        assert_eq!(mask(text), masked, "{text}");
    }
}

#[test]
fn near_misses_stay() {
    for text in [
        "订单号20241123123456789",
        "订单202411231234567890已发货",
        "时间戳1732345678901",
        "时间戳1732345678",
        "请拨打400-820-8820或95588、10086、12315",
        "请拨打4008208820 8008108888",
        "金额13812345678元",
        "￥13812345678.00",
        "坐标113.13812345678",
        "2024-11-23 13:45:00 到 2024.11.24",
        "快递SF1381234567890",
        "单号YT13812345678901",
        "货号AB-13812345678",
        "身份证号不对：110105194913310021",
        "110105194912310020",
        "6222021234567890124",
        "E12345678这款",
        "他说三十八万零五百",
        "一二三四五六七",
        "版本1.2.3.4",
        "v1.2.3.4.5",
        "@张三 hello",
        "a@b",
        "sk-learn-is-a-nice-library-for-people",
        "-----BEGIN my story",
        "地址：在哪里看",
        "姓名：怎么改",
        "我叫了个外卖",
        "会员卡号6222021234567890128",
        "云ABCDEF",
        "https://example.com/p/12345678901234567",
        "B13812345678和13812345678ABC",
        "13812345678元",
        "最新A12345款，藏青B10234还有吗，阿里云C12345",
        "颜色黑K12345这款",
        "-----BEGIN 藏青B10234",
        "套装青 B10234",
        "京I12345",
        "护照过关，航班CA1234567",
        "办护照咨询QQ 12345678",
        "logo@2x.png",
        "3+12345678901 +20241123 +1000000000",
        "+0852 9123 4567",
        "+12 345 678X",
        "0.13812345678 113.13812345678",
        "10×13812",
        "一，二，三，四，五，六，七，八，九，十",
        "身高体重三围：168 50 84 62 88",
        "150-60-75-80-12规格有吗",
        "库存 150 160 170 18",
        "礼品卡卡号1234567890123452",
        "单号 138 1234 5678 9012",
        "订单057187654321",
        "App更新到8.0.12.1就闪退",
    ] {
        assert_eq!((mask(text).as_str(), kinds(text)), (text, vec![]), "{text}");
    }
}

#[test]
fn a_mistyped_identity_number_is_masked_where_it_is_called_one() {
    assert_eq!(mask("我的身份证110105194912310020"), "我的身份证1101**********0020");
    assert_eq!(mask("身份证丢了，订单110105194912310020"), "身份证丢了，订单110105194912310020");
}

#[test]
fn companies_and_addresses_are_reported_and_stay() {
    for (text, kind) in [("税号91350100M000100Y43", "uscc"), ("服务器192.168.1.20:8080", "ipv4")] {
        assert_eq!((mask(text).as_str(), kinds(text)), (text, vec![kind]));
    }
    let all = Masker::new(Policy::of(Kind::ALL));
    assert_eq!(all.mask("税号91350100M000100Y43").as_str(), "税号9135**********0Y43");
    assert_eq!(all.mask("192.168.1.20").as_str(), "192.*.*.20");
}

#[test]
fn secrets_are_swallowed_whole() {
    let block = "钥匙-----BEGIN RSA PRIVATE KEY-----\nMIIB/wdk+e==\n-----END RSA PRIVATE KEY-----\n好的";
    assert_eq!(mask(block), "钥匙-----BEGIN***\n好的");
    let span = Masker::default().scan(block)[0];
    assert_eq!((span.start, span.end), (2, block.chars().count() - 3));
    let token = format!(
        "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx{}.sig-{}. Thanks",
        "A".repeat(3000),
        "b".repeat(900)
    );
    assert_eq!(mask(&token), "Bearer eyJ***. Thanks");
    let open = Masker::new(Policy::of([Kind::Phone]));
    assert_eq!(open.mask(block).as_str(), block);
}

#[test]
fn spans_count_characters_of_the_input() {
    let spans = Masker::default().scan("我的号１３８ 1234 5678，京A12345");
    assert_eq!(spans.iter().map(|span| (span.start, span.end)).collect::<Vec<_>>(), [(3, 16), (17, 24)]);
    let json = serde_json::to_string(&spans[0]).unwrap();
    assert_eq!(json, r#"{"kind":"phone","start":3,"end":16}"#);
}

#[test]
fn policies_come_from_names() {
    let policy = Policy::from_names(["phone", "uscc"]).unwrap();
    assert!(policy.masks(Kind::Phone) && policy.masks(Kind::Uscc) && !policy.masks(Kind::Email));
    assert!(Policy::from_names(["telephone"]).unwrap_err().to_string().contains("landline"));
    for kind in Kind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
}
