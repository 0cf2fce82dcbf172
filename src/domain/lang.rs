//! The two languages in which the exchange speaks to people.

use std::{fmt, str::FromStr};

/// Not a language that is spoken here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a language spoken here: use zh or en")]
pub struct UnknownLang;

/// Language of messages to people. Keys and codes are the same in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lang {
    /// Chinese, simplified.
    Zh,
    /// English.
    En,
}

impl Lang {
    /// From a POSIX locale or BCP 47 tag (`zh_CN.UTF-8`, `zh-Hans`): Chinese where it says so, else English.
    pub fn from_locale(locale: &str) -> Self {
        let language = locale.split(['_', '-', '.', '@']).next().unwrap_or("");
        if language.eq_ignore_ascii_case("zh") {
            Self::Zh
        } else {
            Self::En
        }
    }

    /// The one of two texts that is in this language.
    pub const fn pick<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// The key: `zh` or `en`.
    pub const fn as_str(self) -> &'static str {
        self.pick("zh", "en")
    }
}

impl FromStr for Lang {
    type Err = UnknownLang;

    fn from_str(text: &str) -> Result<Self, UnknownLang> {
        match text {
            "zh" => Ok(Self::Zh),
            "en" => Ok(Self::En),
            _ => Err(UnknownLang),
        }
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides() {
        for zh in ["zh", "zh_CN.UTF-8", "zh-Hans-CN", "ZH_cn"] {
            assert_eq!(Lang::from_locale(zh), Lang::Zh, "{zh}");
        }
        for en in ["", "C", "POSIX", "en_GB.UTF-8", "zhuang"] {
            assert_eq!(Lang::from_locale(en), Lang::En, "{en}");
        }
        assert_eq!("zh".parse(), Ok(Lang::Zh));
        assert_eq!("fr".parse::<Lang>(), Err(UnknownLang));
    }
}
