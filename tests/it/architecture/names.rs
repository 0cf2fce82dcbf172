//! Which names a source file uses, as full paths. Reads tokens, not types: enough for imports, also those in macros.

use std::iter;

/// A path that a file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// Counted from 1.
    pub(crate) line: usize,
    /// From the crate's root (`crate` first), or as written where it begins elsewhere.
    pub(crate) path: Vec<String>,
}

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Every path outside of tests, and every other word as a path of one.
    pub(crate) names: Vec<Named>,
    /// Files of `#[cfg(test)] mod …;`, without `.rs`, from the directory of the module's children.
    pub(crate) test_modules: Vec<String>,
    /// The modules that it declares, in order.
    pub(crate) modules: Vec<String>,
    /// Whether every bracket was closed: if not, the file was not understood.
    pub(crate) balanced: bool,
}

type Token<'a> = (&'a str, usize);

/// Reads the file of module `module` (its names from the crate's root).
pub(crate) fn read(source: &str, module: &[&str]) -> Source {
    let mut found = Source::default();
    let tokens = without_tests(&tokens(source), &mut found.test_modules);
    let mut scope: Vec<String> = module.iter().map(|name| (*name).to_owned()).collect();
    let mut open = Vec::new();
    found.balanced = true;
    let text = |at: usize| tokens.get(at).map_or("", |(text, _)| *text);
    let mut at = 0;
    while at < tokens.len() {
        let (token, line) = tokens[at];
        let mut paths = Vec::new();
        at += match token {
            "mod" if is_word(text(at + 1)) => {
                found.modules.push(text(at + 1).to_owned());
                if text(at + 2) == "{" {
                    scope.push(text(at + 1).to_owned());
                    open.push(true);
                    3
                } else {
                    2
                }
            }
            // `pub(crate)` and the like say who may look in, not what is looked at.
            "pub" if text(at + 1) == "(" && text(at + 3) == ")" => 4,
            // `use<…>` is a bound, not an import.
            "use" if text(at + 1) != "<" => 1 + use_tree(&tokens[at + 1..], &[], &mut paths),
            "{" => {
                open.push(false);
                1
            }
            "}" => {
                match open.pop() {
                    Some(true) => drop(scope.pop()),
                    Some(false) => {}
                    None => found.balanced = false,
                }
                1
            }
            word if is_word(word) => {
                let path: Vec<&str> = iter::once(word)
                    .chain(
                        (at + 1..)
                            .step_by(2)
                            .take_while(|sep| text(*sep) == "::" && is_word(text(sep + 1)))
                            .map(|sep| text(sep + 1)),
                    )
                    .collect();
                let length = path.len() * 2 - 1;
                paths.push(path);
                length
            }
            _ => 1,
        };
        let resolved = paths.into_iter().map(|path| resolve(&path, &scope));
        found
            .names
            .extend(resolved.map(|path| Named { line, path }));
    }
    found.balanced &= open.is_empty();
    found
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Collects the paths of a `use` tree, and says how many tokens it had.
fn use_tree<'a>(tokens: &[Token<'a>], prefix: &[&'a str], paths: &mut Vec<Vec<&'a str>>) -> usize {
    let mut path = prefix.to_vec();
    let mut at = 0;
    while let Some((token, _)) = tokens.get(at) {
        match *token {
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|(token, _)| *token != "}") {
                    at += use_tree(&tokens[at..], &path, paths);
                    at += usize::from(tokens.get(at).is_some_and(|(token, _)| *token == ","));
                }
                return at + 1;
            }
            word if is_word(word) || word == "*" => {
                at += 1;
                // `a::{self}` is `a`.
                if word != "self" || path.is_empty() {
                    path.push(word);
                }
                match tokens.get(at) {
                    Some(("::", _)) => {}
                    next => {
                        paths.push(path);
                        return at + 2 * usize::from(next.is_some_and(|(token, _)| *token == "as"));
                    }
                }
            }
            _ => return at.max(1),
        }
    }
    at
}

/// Own paths from the crate's root; others as they are.
fn resolve(path: &[&str], scope: &[String]) -> Vec<String> {
    let rooted = |scope: &[String], rest: &[&str]| {
        let rest = rest.iter().map(|name| (*name).to_owned());
        iter::once("crate".to_owned())
            .chain(scope.iter().cloned())
            .chain(rest)
            .collect()
    };
    match path {
        ["crate" | "yichuan", rest @ ..] => rooted(&[], rest),
        ["self", rest @ ..] if !rest.is_empty() => rooted(scope, rest),
        ["super", ..] => {
            let ups = path.iter().take_while(|name| **name == "super").count();
            let above = scope.len().saturating_sub(ups);
            rooted(&scope[..above], &path[ups..])
        }
        _ => path.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// The tokens without the items that `#[cfg(test)]` stands before.
fn without_tests<'a>(tokens: &[Token<'a>], test_modules: &mut Vec<String>) -> Vec<Token<'a>> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
        if !MARK
            .iter()
            .eq(rest.iter().take(MARK.len()).map(|(text, _)| text))
        {
            kept.push(*token);
            rest = after;
            continue;
        }
        rest = &rest[MARK.len()..];
        let mut file = None;
        while let [("#", _), ("[", _), attribute @ ..] = rest {
            if let [("path", _), ("=", _), (path, _), ..] = attribute {
                file = Some(path.trim_matches('"').trim_end_matches(".rs"));
            }
            rest = &rest[1 + group(&rest[1..])..];
        }
        let item = &rest[..item_length(rest)];
        if let Some(at) = item.iter().position(|(text, _)| *text == "mod")
            && let [(name, _), (";", _)] = &item[at + 1..]
        {
            test_modules.push(file.unwrap_or(name).to_owned());
        }
        rest = &rest[item.len()..];
    }
    kept
}

/// How many tokens the bracketed group has that the tokens begin with.
fn group(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0_usize;
    for (at, (token, _)) in tokens.iter().enumerate() {
        match *token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// How many tokens the item has that the tokens begin with: to its `;`, or to its body's `}` where it is one that ends
/// so. A field, arm or argument ends before its `,` or the bracket around it.
fn item_length(tokens: &[Token<'_>]) -> usize {
    let words = tokens.iter().map(|(text, _)| *text);
    let mut words = words.filter(|text| {
        is_word(text) && !matches!(*text, "pub" | "crate" | "super" | "in" | "unsafe" | "async")
    });
    let (ends_at_body, is_item) = match (words.next(), words.next()) {
        (Some("const"), Some("fn")) => (true, true),
        (Some("use" | "static" | "type" | "let" | "const"), _) => (false, true),
        (Some("fn" | "mod" | "struct" | "enum" | "impl" | "trait" | "macro_rules"), _) => {
            (true, true)
        }
        _ => (tokens.first().is_some_and(|(text, _)| *text == "{"), false),
    };
    let mut at = 0;
    while let Some((token, _)) = tokens.get(at) {
        match *token {
            "(" | "[" => at += group(&tokens[at..]),
            "{" => {
                at += group(&tokens[at..]);
                if ends_at_body {
                    return at;
                }
            }
            ";" => return at + 1,
            "," if !is_item => return at + 1,
            ")" | "]" | "}" => return at,
            _ => at += 1,
        }
    }
    at
}

/// Words, `::`, string literals and single marks, each with its line. Comments, characters and lifetimes are left out.
fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while let Some(first) = rest.chars().next() {
        let (length, is_token) = if first.is_whitespace() {
            (first.len_utf8(), false)
        } else if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (block_comment(rest), false)
        } else if let Some(length) = string(rest) {
            (length, true)
        } else if first == '\'' {
            (character_or_lifetime(rest), false)
        } else if rest.starts_with("::") {
            (2, true)
        } else if let word = word(rest)
            && word > 0
        {
            (word, true)
        } else {
            (first.len_utf8(), true)
        };
        let (token, after) = rest.split_at(length);
        if is_token {
            tokens.push((token.strip_prefix("r#").unwrap_or(token), line));
        }
        line += token.matches('\n').count();
        rest = after;
    }
    tokens
}

fn word(text: &str) -> usize {
    let text_of = |text: &str| {
        text.find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(text.len())
    };
    match text.strip_prefix("r#") {
        Some(raw) => 2 + text_of(raw),
        None => text_of(text),
    }
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        let rest = &text[at..];
        let step = match rest.get(..2) {
            Some("/*") => {
                depth += 1;
                2
            }
            Some("*/") => {
                depth -= 1;
                2
            }
            _ => rest.chars().next().map_or(0, char::len_utf8),
        };
        at += step;
        if depth == 0 || step == 0 {
            return at;
        }
    }
}

/// The length of the string literal that the text begins with: any prefix, raw or not.
fn string(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r", "b", "c", ""]
        .into_iter()
        .find(|prefix| text.starts_with(prefix))?;
    let after = &text[prefix.len()..];
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let start = text.len() - body.len();
    if prefix.ends_with('r') {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(
            body.find(&end)
                .map_or(text.len(), |at| start + at + end.len()),
        );
    }
    if hashes > 0 {
        return None;
    }
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(start + at + 1),
            _ => {}
        }
    }
    Some(text.len())
}

fn character_or_lifetime(text: &str) -> usize {
    let mut inside = text.char_indices().skip(1);
    match (inside.next(), inside.next()) {
        (Some((_, '\\')), Some((escaped, c))) => {
            let from = escaped + c.len_utf8();
            text[from..]
                .find('\'')
                .map_or(text.len(), |at| from + at + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1 + word(&text[1..]),
    }
}
