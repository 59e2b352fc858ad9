//! Estimates the cost of `(?i)` before a pattern is compiled.
//!
//! Invariant: each class counts once for itself and once for each class around it, as often as the compiler folds it. So no
//! nesting or repetition of classes makes the estimate too low. The sizes of named classes are approximate.
//!
//! The compiler looks up the other cases of each character of a class before it limits the size of its result. So a pattern
//! of 512 characters can take half a second and still compile to little.

use regex_syntax::ast::{
    self, Ast, ClassPerl, ClassPerlKind, ClassSetItem, ClassUnicode, Flag, Flags, FlagsItemKind, Visitor,
};

/// The number of characters of the largest class.
const ALL_CHARACTERS: u64 = 0x11_0000;
/// The assumed size of a class such as `\p{Letter}`. Most classes have at most half as many characters. The few larger
/// classes are rare in patterns, so they have no size of their own.
const NAMED_CLASS: u64 = ALL_CHARACTERS / 4;
/// The number of characters of `\w`.
const WORD_CHARACTERS: u64 = 150_000;
/// The number of characters of `\d`, of `\s`, and of a class such as `[:alpha:]`.
const FEW_CHARACTERS: u64 = 1_000;

/// The approximate number of characters that the compiler folds.
pub(super) fn folded_characters(pattern: &Ast) -> u64 {
    match ast::visit(pattern, FoldedCharacters::default()) {
        Ok(characters) => characters,
    }
}

#[derive(Default)]
struct FoldedCharacters {
    /// True if the pattern has an `(?i)` anywhere, even if it applies to other parts.
    ignores_case: bool,
    characters: u64,
    /// The number of classes around the visited class. The compiler folds each of them again as a whole.
    around: u64,
}

impl FoldedCharacters {
    fn note(&mut self, flags: &Flags) {
        let is_i = |kind: &FlagsItemKind| *kind == FlagsItemKind::Flag(Flag::CaseInsensitive);
        self.ignores_case |= flags.items.iter().any(|item| is_i(&item.kind));
    }

    fn add_item(&mut self, characters: u64) {
        self.characters += characters * (self.around + 1);
    }
}

impl Visitor for FoldedCharacters {
    type Output = u64;
    type Err = std::convert::Infallible;

    fn finish(self) -> Result<Self::Output, Self::Err> {
        Ok(if self.ignores_case { self.characters } else { 0 })
    }

    fn visit_pre(&mut self, node: &Ast) -> Result<(), Self::Err> {
        match node {
            Ast::Flags(set) => self.note(&set.flags),
            Ast::Group(group) => group.flags().into_iter().for_each(|flags| self.note(flags)),
            // The compiler folds a class before it negates it.
            Ast::ClassUnicode(_) => self.characters += NAMED_CLASS,
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Self::Err> {
        match item {
            ClassSetItem::Literal(_) => self.add_item(1),
            ClassSetItem::Range(range) => {
                self.add_item(u64::from(u32::from(range.end.c).saturating_sub(u32::from(range.start.c))) + 1);
            }
            ClassSetItem::Ascii(class) => self.add_item(if class.negated { ALL_CHARACTERS } else { FEW_CHARACTERS }),
            ClassSetItem::Perl(class) => self.add_item(characters_of_perl(class)),
            ClassSetItem::Unicode(class) => {
                self.characters += NAMED_CLASS;
                self.add_item(characters_of_named(class));
            }
            ClassSetItem::Bracketed(class) => {
                if class.negated {
                    self.add_item(ALL_CHARACTERS);
                }
                self.around += 1;
            }
            ClassSetItem::Empty(_) | ClassSetItem::Union(_) => {}
        }
        Ok(())
    }

    fn visit_class_set_item_post(&mut self, item: &ClassSetItem) -> Result<(), Self::Err> {
        if matches!(item, ClassSetItem::Bracketed(_)) {
            self.around -= 1;
        }
        Ok(())
    }
}

fn characters_of_named(class: &ClassUnicode) -> u64 {
    if class.is_negated() { ALL_CHARACTERS } else { NAMED_CLASS }
}

fn characters_of_perl(class: &ClassPerl) -> u64 {
    match class.kind {
        _ if class.negated => ALL_CHARACTERS,
        ClassPerlKind::Word => WORD_CHARACTERS,
        ClassPerlKind::Digit | ClassPerlKind::Space => FEW_CHARACTERS,
    }
}
