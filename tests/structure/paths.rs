//! Paths among tokens that are not parsed any further.

use proc_macro2::{TokenStream, TokenTree};

use crate::source::Mention;

/// Every `a::b` among these tokens, in groups and in string literals such as `"crate::a"` too.
pub(crate) fn paths_in_tokens(tokens: TokenStream) -> Vec<Mention> {
    let mut mentions = Vec::new();
    collect(tokens, &mut mentions);
    mentions
}

fn collect(tokens: TokenStream, mentions: &mut Vec<Mention>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => collect(group.stream(), mentions),
            TokenTree::Literal(literal) => {
                let line = literal.span().start().line;
                let text = literal.to_string();
                let path: Vec<_> = text.trim_matches('"').split("::").map(str::to_owned).collect();
                let is_word = |part: &String| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_');
                if text.starts_with('"') && path.len() > 1 && path.iter().all(is_word) {
                    mentions.push(Mention { path, line });
                }
            }
            TokenTree::Ident(ident) => {
                let line = ident.span().start().line;
                let mut path = vec![ident.to_string()];
                while is_colon(tokens.peek()) {
                    tokens.next();
                    if !is_colon(tokens.peek()) {
                        break;
                    }
                    tokens.next();
                    let Some(TokenTree::Ident(next)) = tokens.peek() else { break };
                    path.push(next.to_string());
                    tokens.next();
                }
                mentions.push(Mention { path, line });
            }
            // `::name` is always another crate.
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                if is_colon(tokens.peek()) {
                    tokens.next();
                    if matches!(tokens.peek(), Some(TokenTree::Ident(_))) {
                        tokens.next();
                    }
                }
            }
            TokenTree::Punct(_) => {}
        }
    }
}

fn is_colon(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}

#[test]
fn paths_are_found_in_groups_and_in_text() {
    let tokens = "a::b(crate::c, x = \"crate::d\", ::serde::e, f, y: g)".parse().unwrap();
    let found: Vec<_> = paths_in_tokens(tokens).into_iter().map(|mention| mention.path.join("::")).collect();
    assert_eq!(found, ["a::b", "crate::c", "x", "crate::d", "f", "y", "g"]);
}
