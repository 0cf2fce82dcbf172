//! Which names a source file uses, as full paths: those of its imports, of its code, and in its macros.

use proc_macro2::{Delimiter, Spacing, Span, TokenStream, TokenTree};
use std::collections::BTreeMap;
use syn::{
    Attribute, Meta, UseTree, Visibility,
    ext::IdentExt as _,
    visit::{self, Visit},
};

/// From the crate's root (`crate` first), or as written where it begins elsewhere.
pub(crate) type Path = Vec<String>;

/// A path that a file names.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) path: Path,
    /// Whether it only hands a name on, by `pub use`.
    pub(crate) is_export: bool,
}

/// What a file says outside of tests.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) names: Vec<Named>,
    /// What it imports or hands on, by the name that it has there.
    pub(crate) imports: BTreeMap<String, Path>,
    /// The modules that it declares, in order.
    pub(crate) modules: Vec<String>,
    /// Files of `#[cfg(test)] mod …;`, without `.rs`, from the directory of the module's children.
    pub(crate) test_modules: Vec<String>,
}

/// Reads the file of module `module` (its names from the crate's root).
pub(crate) fn read(source: &str, module: &[&str]) -> syn::Result<Source> {
    let file = syn::parse_file(source)?;
    let mut reader = Reader {
        scope: module.iter().map(|name| (*name).to_owned()).collect(),
        found: Source::default(),
    };
    reader.visit_file(&file);
    Ok(reader.found)
}

struct Reader {
    scope: Path,
    found: Source,
}

impl Reader {
    fn name(&mut self, at: Span, path: &[String]) {
        self.found.names.push(Named {
            line: at.start().line,
            path: resolve(path, &self.scope),
            is_export: false,
        });
    }

    fn import(&mut self, path: &[String], tree: &UseTree, is_export: bool) {
        let to = |name: &syn::Ident| {
            let name = name.unraw().to_string();
            // `a::{self}` is `a`.
            let own = (name != "self" || path.is_empty()).then_some(name);
            [path, own.as_slice()].concat()
        };
        let (at, path, name) = match tree {
            UseTree::Path(next) => return self.import(&to(&next.ident), &next.tree, is_export),
            UseTree::Group(group) => {
                let trees = group.items.iter();
                return trees.for_each(|tree| self.import(path, tree, is_export));
            }
            UseTree::Name(name) => {
                let path = to(&name.ident);
                (name.ident.span(), path.clone(), path.last().cloned())
            }
            UseTree::Rename(renamed) => (
                renamed.ident.span(),
                to(&renamed.ident),
                Some(renamed.rename.to_string()),
            ),
            UseTree::Glob(glob) => {
                let path = [path, &["*".to_owned()]].concat();
                (glob.star_token.spans[0], path, None)
            }
        };
        self.name(at, &path);
        let Some(named) = self.found.names.last_mut() else {
            return;
        };
        named.is_export = is_export;
        if let Some(name) = name {
            self.found.imports.insert(name, named.path.clone());
        }
    }

    /// What stands in a macro is not parsed: words that `::` joins are paths, `use` trees among them.
    fn tokens(&mut self, prefix: &[String], tokens: TokenStream) {
        let mut path = prefix.to_vec();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let mut goes_on = matches!(tokens.peek(), Some(TokenTree::Punct(mark))
                if mark.as_char() == ':' && mark.spacing() == Spacing::Joint);
            match &token {
                // `pub(crate)` says who may look in, not what is looked at.
                TokenTree::Ident(word) if word == "pub" => {
                    let is_scope = |next: &TokenTree| {
                        matches!(next, TokenTree::Group(group)
                        if group.delimiter() == Delimiter::Parenthesis)
                    };
                    tokens.next_if(is_scope);
                    continue;
                }
                TokenTree::Ident(word) => path.push(word.unraw().to_string()),
                TokenTree::Punct(mark) if mark.as_char() == ':' => continue,
                TokenTree::Punct(mark) if mark.as_char() == '*' && path.len() > prefix.len() => {
                    path.push("*".to_owned());
                }
                TokenTree::Group(group) => {
                    self.tokens(&path, group.stream());
                    path.truncate(prefix.len());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => goes_on = false,
            }
            if path.len() > prefix.len() && !goes_on {
                self.name(token.span(), &path);
                path.truncate(prefix.len());
            }
        }
    }
}

/// Passes over what `#[cfg(test)]` stands before. Elsewhere than here it is read as if it were not there.
macro_rules! outside_of_tests {
    ($($visit:ident($node:ident)),* $(,)?) => {
        $(fn $visit(&mut self, node: &syn::$node) {
            if !is_test(&node.attrs) {
                visit::$visit(self, node);
            }
        })*
    };
}

impl Visit<'_> for Reader {
    outside_of_tests! {
        visit_field(Field), visit_impl_item_fn(ImplItemFn), visit_item_const(ItemConst), visit_item_fn(ItemFn),
        visit_item_impl(ItemImpl), visit_item_struct(ItemStruct),
    }

    fn visit_item_mod(&mut self, module: &syn::ItemMod) {
        let name = module.ident.unraw().to_string();
        if !is_test(&module.attrs) {
            self.found.modules.push(name.clone());
            self.scope.push(name);
            visit::visit_item_mod(self, module);
            self.scope.pop();
        } else if module.content.is_none() {
            self.found
                .test_modules
                .push(file_of(&module.attrs).unwrap_or(name));
        }
    }

    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        if !is_test(&item.attrs) {
            self.import(&[], &item.tree, !matches!(item.vis, Visibility::Inherited));
        }
    }

    fn visit_item_extern_crate(&mut self, item: &syn::ItemExternCrate) {
        self.name(item.ident.span(), &[item.ident.unraw().to_string()]);
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let segments = path.segments.iter();
        let names: Path = segments.map(|it| it.ident.unraw().to_string()).collect();
        if let Some(first) = path.segments.first() {
            self.name(first.ident.span(), &names);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &syn::Macro) {
        self.tokens(&[], called.tokens.clone());
        visit::visit_macro(self, called);
    }

    fn visit_meta_list(&mut self, list: &syn::MetaList) {
        self.tokens(&[], list.tokens.clone());
        visit::visit_meta_list(self, list);
    }

    /// The same.
    fn visit_visibility(&mut self, _: &Visibility) {}
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        matches!(&attribute.meta, Meta::List(list)
            if list.path.is_ident("cfg") && list.tokens.to_string() == "test")
    })
}

/// The `#[path = "…"]` of a module, without `.rs`.
fn file_of(attributes: &[Attribute]) -> Option<String> {
    attributes
        .iter()
        .find_map(|attribute| match &attribute.meta {
            Meta::NameValue(named) if named.path.is_ident("path") => match &named.value {
                syn::Expr::Lit(syn::ExprLit {
                    lit: syn::Lit::Str(file),
                    ..
                }) => Some(file.value().trim_end_matches(".rs").to_owned()),
                _ => None,
            },
            _ => None,
        })
}

/// Own paths from the crate's root; others as they are.
fn resolve(path: &[String], scope: &[String]) -> Path {
    let root = ["crate".to_owned()];
    let ups = path.iter().take_while(|name| *name == "super").count();
    match path.first().map(String::as_str) {
        Some("crate" | "yichuan") => [&root, &path[1..]].concat(),
        Some("self") if path.len() > 1 => [&root, scope, &path[1..]].concat(),
        Some("super") => {
            let above = &scope[..scope.len().saturating_sub(ups)];
            [&root, above, &path[ups..]].concat()
        }
        _ => path.to_vec(),
    }
}
