//! Files that know each other cannot be read, moved or tested one by one.

use super::{names::Source, place, read, sources};
use std::collections::{BTreeMap, BTreeSet};

/// How many files of a part stand in circles. A number is lowered when a circle is broken, and never raised.
const IN_CIRCLES: [(&str, usize); 4] = [("api", 0), ("cli", 0), ("casework", 0), ("rpc", 0)];

/// The files of the house by their modules.
struct House {
    files: BTreeMap<Vec<String>, (String, Source)>,
}

impl House {
    fn of(sources: &[(String, String)]) -> Self {
        let files = sources.iter().map(|(file, source)| {
            let module = place(file).1.into_iter().map(str::to_owned).collect();
            (module, (file.clone(), read(file, source)))
        });
        Self {
            files: files.collect(),
        }
    }

    /// A path that a file names, from the crate's root. Nothing where it begins outside, or is a single name, which an
    /// import has named before.
    fn rooted(&self, module: &[String], path: &[String]) -> Option<Vec<String>> {
        let (_, source) = &self.files[module];
        let (first, rest) = path.split_first()?;
        match source.imports.get(first) {
            _ if first == "crate" => Some(rest.to_vec()),
            Some(imported) if imported[0] == "crate" && !rest.is_empty() => {
                Some([&imported[1..], rest].concat())
            }
            _ if source.modules.contains(first) => Some([module, path].concat()),
            _ => None,
        }
    }

    /// The module whose file has what a path leads to, behind `use` wherever that hands it on. Nothing where the path is a
    /// module's.
    fn leads_to(&self, path: &[String], hops: usize) -> Option<&[String]> {
        let mut lengths = (1..=path.len()).rev();
        let (module, (_, source)) =
            lengths.find_map(|length| self.files.get_key_value(&path[..length]))?;
        let (name, rest) = path[module.len()..].split_first()?;
        let handed_on = source.imports.get(name).filter(|_| hops > 0);
        match handed_on.and_then(|on| self.rooted(module, on)) {
            Some(on) => self.leads_to(&[on.as_slice(), rest].concat(), hops - 1),
            None => Some(module),
        }
    }

    /// Which other files of its part a file knows.
    fn knows(&self, module: &[String]) -> BTreeSet<&[String]> {
        let (_, source) = &self.files[module];
        let used = source.names.iter().filter(|named| !named.is_export);
        used.filter_map(|named| self.rooted(module, &named.path))
            .filter_map(|path| self.leads_to(&path, 8))
            .filter(|known| *known != module && known.first() == module.first())
            .collect()
    }

    /// All files of a part that know themselves by way of others.
    fn in_circles(&self, part: &str) -> Vec<&str> {
        let of_part = self
            .files
            .keys()
            .filter(|module| module.first().is_some_and(|first| first == part));
        let knows: BTreeMap<&[String], _> = of_part
            .map(|module| (module.as_slice(), self.knows(module)))
            .collect();
        let is_in_circle = |module: &&&[String]| {
            let (mut seen, mut next) = (BTreeSet::new(), vec![**module]);
            while let Some(from) = next.pop() {
                next.extend(knows[from].iter().filter(|to| seen.insert(**to)));
            }
            seen.contains(**module)
        };
        let circle = knows.keys().filter(is_in_circle);
        circle.map(|module| &*self.files[*module].0).collect()
    }
}

#[test]
fn no_more_files_stand_in_circles_than_did() {
    let house = House::of(sources());
    for (part, known) in IN_CIRCLES {
        let found = house.in_circles(part);
        assert!(
            found.len() <= known,
            "{part}: {} files in circles: {found:#?}",
            found.len()
        );
    }
}

#[test]
fn a_circle_is_found_through_children_imports_and_what_is_handed_on() {
    let circles = |files: &[(&str, &str)]| {
        let owned = |(file, source): &(&str, &str)| (file.to_string(), source.to_string());
        let files: Vec<_> = files.iter().map(owned).collect();
        House::of(&files).in_circles("rpc").join(" ")
    };
    let (a, b) = ("rpc/a.rs", "rpc/b.rs");
    for (of_mod, of_a, of_b, expected) in [
        (
            "",
            "use super::b::X;",
            "use crate::rpc::a::Y;",
            "rpc/a.rs rpc/b.rs",
        ),
        ("", "use super::b;", "use super::a::Y;", ""),
        (
            "",
            "use super::b; fn f() { b::x() }",
            "use super::a::Y;",
            "rpc/a.rs rpc/b.rs",
        ),
        (
            "mod b; pub use b::X;",
            "use super::X;",
            "use super::a::Y;",
            "rpc/a.rs rpc/b.rs",
        ),
        (
            "mod b; pub use a::Y; pub use b::X;",
            "use super::X;",
            "",
            "",
        ),
        (
            "mod a; fn f() { a::y() }",
            "use super::f;",
            "",
            "rpc/mod.rs rpc/a.rs",
        ),
        ("mod a; fn f() { a::y() }", "", "use super::f;", ""),
        (
            "",
            "use crate::tls::X;",
            "#[cfg(test)] mod tests { use super::super::a::Y; }",
            "",
        ),
    ] {
        let found = circles(&[("rpc/mod.rs", of_mod), (a, of_a), (b, of_b)]);
        assert_eq!(found, expected, "{of_mod} | {of_a} | {of_b}");
    }
}
