//! How a body is compressed on its way.

use serde::{Deserialize, Deserializer, de::Error as _};

use super::Setting;

/// How the wire compresses a body, which it then names in `content-encoding` or its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// As it is.
    #[default]
    Identity,
    /// gzip at this level, 1 (fastest) to 9.
    Gzip(u8),
    /// Zstandard (RFC 8878) at this level, 1 (fastest) to 19.
    Zstd(u8),
}

/// The setting of a destination that takes gzip.
pub(crate) const COMPRESSION: Setting = Setting {
    key: "compression",
    help: "\"none\", \"gzip\" or \"gzip:<1 to 9>\". Default: \"gzip\", which is \"gzip:1\"",
};

const GZIP: &str = "expected \"none\", \"gzip\", or \"gzip:1\" to \"gzip:9\"";
const ANY: &str =
    "expected \"none\", \"gzip\", \"gzip:1\" to \"gzip:9\", \"zstd\", or \"zstd:1\" to \"zstd:19\"";

impl Encoding {
    /// What costs least: a stream of events is as good as it gets at the first level.
    pub const FASTEST_GZIP: Self = Self::Gzip(1);
    /// As cheap, and smaller, where the destination takes it.
    pub const FASTEST_ZSTD: Self = Self::Zstd(1);

    /// What stands where nothing is said.
    pub(crate) fn fastest_gzip() -> Self {
        Self::FASTEST_GZIP
    }

    /// Whether it is what its name alone stands for.
    pub(crate) fn is_fastest(self) -> bool {
        matches!(self, Self::Identity | Self::FASTEST_GZIP | Self::FASTEST_ZSTD)
    }

    /// Reads the setting of a destination that takes gzip alone.
    pub(crate) fn gzip_only<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Self::of(&String::deserialize(deserializer)?) {
            Some(encoding @ (Self::Identity | Self::Gzip(_))) => Ok(encoding),
            Some(Self::Zstd(_)) | None => Err(D::Error::custom(GZIP)),
        }
    }

    fn of(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None => match text {
                "none" => Some(Self::Identity),
                "gzip" => Some(Self::FASTEST_GZIP),
                "zstd" => Some(Self::FASTEST_ZSTD),
                _ => None,
            },
            Some((name, level)) => match (name, level.parse().ok()?) {
                ("gzip", level @ 1..=9) => Some(Self::Gzip(level)),
                ("zstd", level @ 1..=19) => Some(Self::Zstd(level)),
                _ => None,
            },
        }
    }
}

impl<'de> Deserialize<'de> for Encoding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom(ANY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_a_name_and_perhaps_a_level() {
        for (text, encoding) in [
            ("none", Encoding::Identity),
            ("gzip", Encoding::Gzip(1)),
            ("gzip:9", Encoding::Gzip(9)),
            ("zstd", Encoding::Zstd(1)),
            ("zstd:19", Encoding::Zstd(19)),
        ] {
            assert_eq!(Encoding::of(text), Some(encoding), "{text}");
        }
        for text in ["", "gzip:", "gzip:0", "gzip:10", "zstd:20", "zstd:-1", "none:1", "GZIP"] {
            assert_eq!(Encoding::of(text), None, "{text}");
        }
    }
}
