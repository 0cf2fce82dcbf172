//! Closed lists whose members have stable keys: one macro declares the list, its keys, its words for people, and how it is
//! read back.

/// Not a member of a closed list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of: {expected}")]
pub struct UnknownKey {
    /// The members.
    pub expected: &'static str,
}

/// Declares an enum whose variants have keys: `ALL`, `as_str`, `Display` and `FromStr`.
///
/// A variant is written in one of three ways, the same throughout the list. The second and third also give `label`, which
/// names it in a language; the English label is the key unless it is given.
///
/// - `Draft = "draft",`
/// - `Draft = "draft" | "拟稿",` where the Chinese label is typed, too: `FromStr` reads it as well as the key;
/// - `Draft = "draft" ("拟稿"),` or `Draft = "draft" ("拟稿", "a draft"),` where only the key is typed.
macro_rules! keyed {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$doc:meta])* $variant:ident = $key:literal,)+
    }) => {
        $crate::domain::keyed! {
            @list $(#[$meta])* $vis enum $name { $($(#[$doc])* $variant = $key [],)+ }
        }
    };
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$doc:meta])* $variant:ident = $key:literal | $zh:literal,)+
    }) => {
        $crate::domain::keyed! {
            @list $(#[$meta])* $vis enum $name { $($(#[$doc])* $variant = $key [$zh],)+ }
        }
        $crate::domain::keyed! { @labels $vis $name { $($variant = ($zh, $key),)+ } }
    };
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$doc:meta])* $variant:ident = $key:literal ($zh:literal),)+
    }) => {
        $crate::domain::keyed! {
            @list $(#[$meta])* $vis enum $name { $($(#[$doc])* $variant = $key [],)+ }
        }
        $crate::domain::keyed! { @labels $vis $name { $($variant = ($zh, $key),)+ } }
    };
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$doc:meta])* $variant:ident = $key:literal ($zh:literal, $en:literal),)+
    }) => {
        $crate::domain::keyed! {
            @list $(#[$meta])* $vis enum $name { $($(#[$doc])* $variant = $key [],)+ }
        }
        $crate::domain::keyed! { @labels $vis $name { $($variant = ($zh, $en),)+ } }
    };
    (@list $(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$doc:meta])* $variant:ident = $key:literal [$($other:literal)?],)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $($(#[$doc])* $variant,)+ }

        #[allow(dead_code, reason = "a list that the crate keeps to itself may not need all")]
        impl $name {
            /// All of them.
            $vis const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable key.
            $vis const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $key,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::UnknownKey;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                // Without the comma in front of the first.
                const EXPECTED: &str = concat!($(", ", $key $(, " ", $other)?),+).split_at(2).1;
                match text {
                    $($key $(| $other)? => Ok(Self::$variant),)+
                    _ => Err($crate::domain::UnknownKey { expected: EXPECTED }),
                }
            }
        }
    };
    (@labels $vis:vis $name:ident { $($variant:ident = ($zh:literal, $en:literal),)+ }) => {
        impl $name {
            /// In words for people.
            $vis const fn label(self, lang: $crate::domain::Lang) -> &'static str {
                match self { $(Self::$variant => lang.pick($zh, $en),)+ }
            }
        }
    };
}

pub(crate) use keyed;

#[cfg(test)]
mod tests {
    use crate::domain::Lang;

    keyed! {
        /// Only keys.
        pub(super) enum Plain {
            /// One.
            One = "one",
            /// Two.
            Two = "two",
        }
    }

    keyed! {
        pub(super) enum Typed {
            One = "one" | "一",
            Two = "two" | "二",
        }
    }

    keyed! {
        enum Shown {
            One = "one" ("一", "the first"),
            Two = "two" ("二", "the second"),
        }
    }

    #[test]
    fn every_key_reads_back_and_what_is_no_key_is_told_the_keys() {
        for plain in Plain::ALL {
            assert_eq!(plain.as_str().parse(), Ok(*plain));
        }
        let unknown = "three".parse::<Plain>().unwrap_err();
        assert_eq!(unknown.to_string(), "not one of: one, two");
        assert_eq!(format!("{:>4}", Plain::One), " one");
    }

    #[test]
    fn a_label_is_typed_only_where_the_list_says_so() {
        assert_eq!("二".parse(), Ok(Typed::Two));
        assert_eq!("two".parse(), Ok(Typed::Two));
        let unknown = "三".parse::<Typed>().unwrap_err();
        assert_eq!(unknown.to_string(), "not one of: one 一, two 二");
        let labels: Vec<_> = Typed::ALL.iter().map(|it| it.label(Lang::En)).collect();
        assert_eq!(labels, ["one", "two"]);
        assert!("一".parse::<Shown>().is_err());
        let labels = [Lang::Zh, Lang::En].map(|lang| Shown::ALL[1].label(lang));
        assert_eq!(labels, ["二", "the second"]);
    }
}
