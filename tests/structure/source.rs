//! The modules of a crate: the items each one defines, the names it imports, and the paths it mentions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Item, ItemMod, Lit, Meta, Token, UseTree};

use crate::paths::paths_in_tokens;

/// A path and its place.
#[derive(Clone, Debug)]
pub(crate) struct Mention {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

/// One name that a `use` brings into a module; a glob has no name.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    pub(crate) name: Option<String>,
    pub(crate) target: Mention,
}

/// A module without its tests.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// `crate`, `crate::a`, `crate::a::b`.
    pub(crate) path: String,
    pub(crate) file: PathBuf,
    pub(crate) parent: Option<usize>,
    pub(crate) children: BTreeMap<String, usize>,
    /// Every name that an item of this module defines.
    pub(crate) items: BTreeSet<String>,
    /// Structs, enums, unions, traits and type aliases.
    pub(crate) types: Vec<(String, usize)>,
    pub(crate) imports: Vec<Import>,
    pub(crate) mentions: Vec<Mention>,
}

/// The modules that belong to one root file; the first is the root.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) modules: Vec<Module>,
    /// Lines with code: neither blank, nor a comment, nor a part of a test.
    pub(crate) lines: usize,
}

impl Tree {
    pub(crate) fn read(root: &Path) -> Self {
        let mut tree = Self::default();
        let folder = root.parent().unwrap().to_owned();
        tree.read_file(root, "crate", None, &folder);
        tree
    }

    /// Reads a file as a module whose children are in `folder`.
    fn read_file(&mut self, file: &Path, path: &str, parent: Option<usize>, folder: &Path) -> usize {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut tests = Vec::new();
        let module = self.read_items(&parsed.items, file, path, parent, folder, &mut tests);
        let is_code = |(index, line): &(usize, &str)| {
            let line = line.trim();
            let is_test = tests.iter().any(|(first, last)| (*first..=*last).contains(&(index + 1)));
            !line.is_empty() && !line.starts_with("//") && !is_test
        };
        self.lines += text.lines().enumerate().filter(is_code).count();
        module
    }

    fn read_items(
        &mut self,
        items: &[Item],
        file: &Path,
        path: &str,
        parent: Option<usize>,
        folder: &Path,
        tests: &mut Vec<(usize, usize)>,
    ) -> usize {
        let mut reader = Reader::default();
        items.iter().for_each(|item| reader.visit_item(item));
        let index = self.modules.len();
        tests.append(&mut reader.tests);
        self.modules.push(Module {
            path: path.to_owned(),
            file: file.to_owned(),
            parent,
            children: BTreeMap::new(),
            items: reader.items,
            types: reader.types,
            imports: reader.imports,
            mentions: reader.mentions,
        });
        for child in items {
            let Item::Mod(child) = child else { continue };
            if is_test(&child.attrs) {
                continue;
            }
            let name = name_of(&child.ident);
            let child_path = format!("{path}::{name}");
            let child_index = match &child.content {
                Some((_, items)) => self.read_items(items, file, &child_path, Some(index), &folder.join(&name), tests),
                None => {
                    let (file, folder) = file_of(child, &name, file, folder);
                    self.read_file(&file, &child_path, Some(index), &folder)
                }
            };
            self.modules[index].children.insert(name, child_index);
        }
        index
    }
}

/// The file of `mod name;` and the folder of its children.
fn file_of(module: &ItemMod, name: &str, declared_in: &Path, folder: &Path) -> (PathBuf, PathBuf) {
    let named = module.attrs.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(declared_in.parent().unwrap().join(text.value())),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    let file = named.unwrap_or_else(|| folder.join(format!("{name}.rs")));
    if file.exists() { (file, folder.join(name)) } else { (folder.join(name).join("mod.rs"), folder.join(name)) }
}

fn name_of(ident: &proc_macro2::Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}

/// True if an attribute keeps the item out of all builds except those of tests.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg") && attribute.parse_args::<Meta>().is_ok_and(|meta| needs_test(&meta)))
    })
}

fn needs_test(meta: &Meta) -> bool {
    let parts = |list: &syn::MetaList| {
        list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).map(Vec::from_iter).unwrap_or_default()
    };
    match meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => parts(list).iter().any(needs_test),
        Meta::List(list) if list.path.is_ident("any") => parts(list).iter().all(needs_test),
        _ => false,
    }
}

/// Collects the content of one module, without tests and child modules.
#[derive(Default)]
struct Reader {
    items: BTreeSet<String>,
    types: Vec<(String, usize)>,
    imports: Vec<Import>,
    mentions: Vec<Mention>,
    /// The first and the last line of each test.
    tests: Vec<(usize, usize)>,
}

impl Reader {
    /// True if this syntax belongs to the tests and is skipped.
    fn passes_over(&mut self, attributes: &[Attribute], syntax: &impl Spanned) -> bool {
        let is_test = is_test(attributes);
        if is_test {
            self.tests.push((syntax.span().start().line, syntax.span().end().line));
        }
        is_test
    }

    fn define(&mut self, ident: &proc_macro2::Ident) {
        self.items.insert(name_of(ident));
    }

    fn define_type(&mut self, ident: &proc_macro2::Ident) {
        self.define(ident);
        self.types.push((name_of(ident), ident.span().start().line));
    }

    fn import(&mut self, tree: &UseTree, mut prefix: Vec<String>) {
        let mut add = |name: Option<String>, path: Vec<String>, line| {
            self.imports.push(Import { name, target: Mention { path, line } });
        };
        match tree {
            UseTree::Path(path) => {
                prefix.push(name_of(&path.ident));
                self.import(&path.tree, prefix);
            }
            UseTree::Name(name) if name.ident == "self" => {
                add(prefix.last().cloned(), prefix, name.span().start().line);
            }
            UseTree::Name(name) => {
                prefix.push(name_of(&name.ident));
                add(prefix.last().cloned(), prefix, name.span().start().line);
            }
            UseTree::Rename(rename) => {
                if rename.ident != "self" {
                    prefix.push(name_of(&rename.ident));
                }
                add(Some(name_of(&rename.rename)), prefix, rename.span().start().line);
            }
            UseTree::Glob(glob) => add(None, prefix, glob.span().start().line),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, prefix.clone())),
        }
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

impl<'a> Visit<'a> for Reader {
    fn visit_item(&mut self, item: &'a Item) {
        if self.passes_over(attributes(item), item) {
            return;
        }
        match item {
            // A child is read as a module of its own, and its declaration is no use of it.
            Item::Mod(_) => return,
            Item::Const(item) => self.define(&item.ident),
            Item::Enum(item) => self.define_type(&item.ident),
            Item::Fn(item) => self.define(&item.sig.ident),
            Item::Macro(item) => {
                if let Some(ident) = &item.ident {
                    self.define(ident);
                }
            }
            Item::Static(item) => self.define(&item.ident),
            Item::Struct(item) => self.define_type(&item.ident),
            Item::Trait(item) => self.define_type(&item.ident),
            Item::TraitAlias(item) => self.define_type(&item.ident),
            Item::Type(item) => self.define_type(&item.ident),
            Item::Union(item) => self.define_type(&item.ident),
            Item::Use(item) => {
                // `use ::name` is always another crate.
                if item.leading_colon.is_none() {
                    self.import(&item.tree, Vec::new());
                }
                return;
            }
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'a syn::ImplItem) {
        let attributes = match item {
            syn::ImplItem::Const(item) => &item.attrs,
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Macro(item) => &item.attrs,
            syn::ImplItem::Type(item) => &item.attrs,
            _ => return,
        };
        if !self.passes_over(attributes, item) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'a syn::Field) {
        if !self.passes_over(&field.attrs, field) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'a syn::Variant) {
        if !self.passes_over(&variant.attrs, variant) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_local(&mut self, local: &'a syn::Local) {
        if !self.passes_over(&local.attrs, local) {
            visit::visit_local(self, local);
        }
    }

    fn visit_arm(&mut self, arm: &'a syn::Arm) {
        if !self.passes_over(&arm.attrs, arm) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        if path.leading_colon.is_none() {
            let line = path.span().start().line;
            let path = path.segments.iter().map(|segment| name_of(&segment.ident)).collect();
            self.mentions.push(Mention { path, line });
        }
        visit::visit_path(self, path);
    }

    /// Macros are not expanded: every path among the arguments counts.
    fn visit_macro(&mut self, invocation: &'a syn::Macro) {
        self.mentions.extend(paths_in_tokens(invocation.tokens.clone()));
        visit::visit_macro(self, invocation);
    }

    /// `#[serde(with = "crate::name")]` names an item, and so does `#[from(crate::Name)]`; documentation does not.
    fn visit_attribute(&mut self, attribute: &'a Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.mentions.extend(paths_in_tokens(list.tokens.clone()));
        }
    }

    /// `pub(in crate::name)` is no use of the module.
    fn visit_visibility(&mut self, _: &'a syn::Visibility) {}
}
