//! Layers the sources (default, file, environment, flags; the later wins) and remembers where each value came
//! from.

use std::fmt;
use std::path::{Path, PathBuf};

use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};

use super::settings::{Flags, Setting, Settings, TABLE};
use super::{Command, ConfigError};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// `frontdesk demo` sets it so.
    Demo,
    /// The file named by `--config`.
    File(PathBuf),
    /// An environment variable, by name.
    Variable(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "default"),
            Self::Demo => write!(f, "default of demo"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// The layered sources.
pub struct Resolved {
    figment: Figment,
    /// The values that won.
    pub settings: Settings,
}

/// Where `frontdesk demo` keeps its data.
pub const DEMO_DATA_DIR: &str = "./data/demo";

/// One line of `frontdesk config`.
pub struct Line {
    /// The setting's name.
    pub name: &'static str,
    /// Its value; a secret is shown as `***`.
    pub value: String,
    /// The same as JSON: a number is a number.
    pub json: serde_json::Value,
    /// Where it came from.
    pub origin: Origin,
}

/// Layers the sources. `variable` reads the environment (an argument, so that tests own it).
pub fn resolve(
    flags: &Flags,
    command: Command,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Resolved, ConfigError> {
    let mut figment = Figment::from(Serialized::defaults(Settings::default()));
    if command == Command::Demo {
        figment = figment.merge(Values::new(DEMO, [("data_dir".into(), DEMO_DATA_DIR.into())].into()));
    }
    let file = flags.config.clone().or_else(|| variable("FRONTDESK_CONFIG").map(PathBuf::from));
    if let Some(path) = &file {
        figment = figment.merge(Values::of_file(path)?);
    }
    figment = figment.merge(Values::new(ENVIRONMENT, environment(variable)));
    figment = figment.merge(Values::new(FLAGS, flags.given()));
    let settings = figment.extract().map_err(|error| explain(error, file.as_deref()))?;
    Ok(Resolved { figment, settings })
}

impl Resolved {
    /// Where a setting's value came from.
    pub fn origin(&self, name: &str) -> Origin {
        match (self.figment.find_metadata(name), TABLE.iter().find(|s| s.name == name)) {
            (Some(metadata), Some(setting)) => origin(metadata, setting),
            _ => Origin::Default,
        }
    }

    /// Every setting, in the table's order.
    pub fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        TABLE.iter().map(|setting| Line {
            name: setting.name,
            value: self.shown(setting),
            json: self.json(setting),
            origin: self.origin(setting.name),
        })
    }

    /// An error about a setting, with its origin and value (never a secret's).
    pub fn refuse(&self, name: &str, allowed: impl Into<String>) -> ConfigError {
        let shown = TABLE.iter().find(|setting| setting.name == name).map(|setting| self.shown(setting));
        ConfigError::Refused {
            setting: name.to_owned(),
            value: shown.unwrap_or_default(),
            origin: self.origin(name),
            allowed: allowed.into(),
        }
    }

    fn shown(&self, setting: &Setting) -> String {
        match self.json(setting) {
            serde_json::Value::String(text) if setting.secret && !text.is_empty() => text,
            serde_json::Value::Null => String::new(),
            value => value.to_string(),
        }
    }

    fn json(&self, setting: &Setting) -> serde_json::Value {
        match self.figment.find_value(setting.name) {
            Ok(Value::String(_, text)) if setting.secret && !text.is_empty() => HIDDEN.into(),
            // By way of text, where 0.7 stays 0.7: as a value it would be the double nearest to the float.
            Ok(value) => {
                serde_json::to_string(&value).and_then(|text| serde_json::from_str(&text)).unwrap_or_default()
            }
            Err(_) => serde_json::Value::Null,
        }
    }
}

/// What is shown of a secret.
const HIDDEN: &str = "***";
const DEMO: &str = "demo";
const ENVIRONMENT: &str = "environment";
const FLAGS: &str = "flags";
const FILE: &str = "file";

fn origin(metadata: &Metadata, setting: &Setting) -> Origin {
    match (metadata.name.as_ref(), &metadata.source) {
        (DEMO, _) => Origin::Demo,
        (ENVIRONMENT, _) => Origin::Variable(setting.variable()),
        (FLAGS, _) => Origin::Flag(setting.flag()),
        (FILE, Some(Source::File(path))) => Origin::File(path.clone()),
        _ => Origin::Default,
    }
}

/// Only variables that the table names: Kubernetes sets `FRONTDESK_SERVICE_HOST` and the like for a Service
/// called frontdesk, and `FRONTDESK_PORT` as a `tcp://` address, neither of which is meant for us.
fn environment(variable: impl Fn(&str) -> Option<String>) -> Dict {
    let ours = |setting: &Setting| {
        let raw = variable(&setting.variable())?;
        let from_kubernetes = setting.name == "port" && raw.starts_with("tcp://");
        (!from_kubernetes).then(|| (setting.name.to_owned(), setting.parse(&raw)))
    };
    TABLE.iter().filter_map(ours).collect()
}

/// Values of one origin.
struct Values {
    from: Metadata,
    values: Dict,
}

impl Values {
    fn new(name: &'static str, values: Dict) -> Self {
        Self { from: Metadata::named(name), values }
    }

    fn of_file(path: &Path) -> Result<Self, ConfigError> {
        let refuse = |reason: String| ConfigError::File { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let profiles = Toml::string(&text).data().map_err(|error| refuse(error.kind.to_string()))?;
        let values = profiles.into_values().next().unwrap_or_default();
        Ok(Self { from: Metadata::from(FILE, Source::File(path.to_owned())), values })
    }
}

impl Provider for Values {
    fn metadata(&self) -> Metadata {
        self.from.clone()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// figment's error in our words: which setting, from where, what was found, what is allowed.
fn explain(error: figment::Error, file: Option<&Path>) -> ConfigError {
    use figment::error::Kind;
    let name = error.path.last().cloned().unwrap_or_default();
    let setting = TABLE.iter().find(|setting| setting.name == name);
    match (&error.kind, setting, &error.metadata) {
        (Kind::UnknownField(field, _), ..) => ConfigError::Unknown {
            setting: field.clone(),
            origin: file.map_or(Origin::Default, |path| Origin::File(path.to_owned())),
        },
        (
            Kind::InvalidType(found, allowed) | Kind::InvalidValue(found, allowed),
            Some(setting),
            Some(from),
        ) => ConfigError::Refused {
            setting: name,
            value: if setting.secret { "***".to_owned() } else { found.to_string() },
            origin: origin(from, setting),
            allowed: allowed.clone(),
        },
        (kind, ..) => {
            ConfigError::File { path: file.map(Path::to_owned).unwrap_or_default(), reason: kind.to_string() }
        }
    }
}
