//! The kinds of personal data, where one was found, and which kinds a policy masks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a piece of personal data is. `as_str` gives the name used on the wire and on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Resident identity number (GB 11643-1999), old 15-digit form, residence permits with the same checksum.
    IdCard,
    /// Unified social credit code of an organisation (GB 32100-2015): a company, not a person.
    Uscc,
    /// Payment card number: Luhn and a known issuer prefix, or Luhn and a context word.
    BankCard,
    /// Mainland mobile number, with or without +86; a number of another country in pieces after a plus sign.
    Phone,
    /// Fixed line with its area code. Service hot-lines (400, 800, 95xxx, 10086 ...) are nobody's data.
    Landline,
    /// E-mail address.
    Email,
    /// Number plate of a mainland vehicle.
    Plate,
    /// Passport or travel permit, known by a context word before it.
    Passport,
    /// IPv4 address.
    Ipv4,
    /// API key, JSON Web Token or PEM block.
    Secret,
    /// Personal name after a label such as 姓名 or 收件人; other names are not recognised.
    Name,
    /// Street address after a label such as 地址; other addresses are not recognised.
    Address,
}

impl Kind {
    /// Every kind, strongest claim first: of two readings of the same characters the earlier kind wins.
    pub const ALL: [Self; 12] = [
        Self::IdCard,
        Self::Uscc,
        Self::BankCard,
        Self::Phone,
        Self::Landline,
        Self::Email,
        Self::Plate,
        Self::Passport,
        Self::Ipv4,
        Self::Secret,
        Self::Name,
        Self::Address,
    ];

    /// The snake_case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IdCard => "id_card",
            Self::Uscc => "uscc",
            Self::BankCard => "bank_card",
            Self::Phone => "phone",
            Self::Landline => "landline",
            Self::Email => "email",
            Self::Plate => "plate",
            Self::Passport => "passport",
            Self::Ipv4 => "ipv4",
            Self::Secret => "secret",
            Self::Name => "name",
            Self::Address => "address",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == name);
        known.ok_or_else(|| UnknownKind { name: name.to_owned() })
    }
}

/// A kind of personal data that does not exist was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown kind of personal data {name:?}; use id_card, uscc, bank_card, phone, landline, email, plate, \
     passport, ipv4, secret, name, address, or default, all or none"
)]
pub struct UnknownKind {
    /// The name as it was given.
    pub name: String,
}

/// One recognised piece of personal data, masked or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    /// What it is.
    pub kind: Kind,
    /// First character, counted in characters (Unicode scalar values) of the input.
    pub start: usize,
    /// One past the last character.
    pub end: usize,
}

/// Which kinds are masked; every kind is recognised and reported either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    masked: u16,
}

impl Policy {
    /// The policy that masks exactly `kinds`.
    pub fn of(kinds: impl IntoIterator<Item = Kind>) -> Self {
        Self { masked: kinds.into_iter().fold(0, |set, kind| set | bit(kind)) }
    }

    /// The policy that masks the kinds of these names; `default` and `all` stand for several, `none` for no kind.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownKind> {
        names.into_iter().try_fold(Self::of([]), |policy, name| {
            let named = match name {
                "default" => Self::default(),
                "all" => Self::of(Kind::ALL),
                "none" => Self::of([]),
                kind => Self::of([kind.parse()?]),
            };
            Ok(Self { masked: policy.masked | named.masked })
        })
    }

    /// Whether `kind` is masked.
    pub fn masks(self, kind: Kind) -> bool {
        self.masked & bit(kind) != 0
    }
}

impl Default for Policy {
    /// Everything about a person. Company codes are public and IPv4 addresses are mostly a shop's own
    /// equipment: both are reported and left readable.
    fn default() -> Self {
        let personal = |kind: &Kind| !matches!(kind, Kind::Uscc | Kind::Ipv4);
        Self::of(Kind::ALL.into_iter().filter(personal))
    }
}

fn bit(kind: Kind) -> u16 {
    1 << kind as u16
}
