//! Reads declarations out of Rust source, ours or bindgen's, and lists where two differ.

use std::collections::BTreeMap;
use syn::{Expr, ForeignItem, Item, Lit, ReturnType, Type, UnOp};

/// What one source declares. Types are kept as written; [`Source::spell`] makes them
/// comparable.
#[derive(Default)]
pub struct Source {
    aliases: BTreeMap<String, Type>,
    /// Structures by name, with their fields in order; an opaque one has none.
    pub structs: BTreeMap<String, Vec<(String, Type)>>,
    functions: BTreeMap<String, syn::Signature>,
    constants: BTreeMap<String, (Type, i128)>,
}

impl Source {
    /// Reads the declarations of `texts` together; `origin` names them in a failure.
    pub fn parse(origin: &str, texts: &[&str]) -> Self {
        let mut source = Self::default();
        for text in texts {
            let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{origin}: {error}"));
            file.items.into_iter().for_each(|item| source.add(item));
        }
        source
    }

    /// The names of all functions.
    pub fn function_names(&self) -> Vec<&str> {
        self.functions.keys().map(String::as_str).collect()
    }

    fn add(&mut self, item: Item) {
        match item {
            Item::Type(alias) => {
                self.aliases.insert(alias.ident.to_string(), *alias.ty);
            }
            Item::Struct(item) => {
                let fields = item.fields.into_iter().filter_map(|field| {
                    let name = field.ident?.to_string();
                    Some((name, field.ty))
                });
                self.structs
                    .insert(item.ident.to_string(), fields.collect());
            }
            Item::ForeignMod(block) => {
                for item in block.items {
                    if let ForeignItem::Fn(function) = item {
                        self.functions
                            .insert(function.sig.ident.to_string(), function.sig);
                    }
                }
            }
            Item::Const(item) => {
                if let Some(value) = integer(&item.expr) {
                    self.constants
                        .insert(item.ident.to_string(), (*item.ty, value));
                }
            }
            // `opaque! { /// … name; }`
            Item::Macro(call) if call.mac.path.is_ident("opaque") => {
                for token in call.mac.tokens {
                    if let proc_macro2::TokenTree::Ident(name) = token {
                        self.structs.insert(name.to_string(), Vec::new());
                    }
                }
            }
            _ => {}
        }
    }

    /// A type with every alias followed and C's integers told by width, so that only what the
    /// calling convention and memory layout see remains (LP64, as on every supported host).
    fn spell(&self, ty: &Type) -> String {
        match ty {
            Type::Path(path) => {
                let last = path
                    .path
                    .segments
                    .last()
                    .expect("a path has a last segment");
                let name = last.ident.to_string();
                if let syn::PathArguments::AngleBracketed(arguments) = &last.arguments {
                    let inner = arguments.args.iter().map(|argument| match argument {
                        syn::GenericArgument::Type(ty) => self.spell(ty),
                        _ => "?".to_owned(),
                    });
                    return format!("{name}<{}>", inner.collect::<Vec<_>>().join(", "));
                }
                match (self.aliases.get(&name), name.as_str()) {
                    (Some(alias), _) => self.spell(alias),
                    (None, "c_int") => "i32".to_owned(),
                    (None, "c_uint") => "u32".to_owned(),
                    (None, "c_uchar") => "u8".to_owned(),
                    (None, "c_long" | "isize") => "i64".to_owned(),
                    (None, "c_ulong" | "usize") => "u64".to_owned(),
                    (None, _) => name,
                }
            }
            Type::Ptr(pointer) => {
                let kind = if pointer.mutability.is_some() {
                    "mut"
                } else {
                    "const"
                };
                format!("*{kind} {}", self.spell(&pointer.elem))
            }
            Type::Array(array) => {
                let length = integer(&array.len).expect("a C array has a literal length");
                format!("[{}; {length}]", self.spell(&array.elem))
            }
            Type::BareFn(function) => {
                let inputs = function.inputs.iter().map(|input| self.spell(&input.ty));
                self.spell_call(inputs, function.variadic.is_some(), &function.output)
            }
            other => panic!("a type that C has not: {other:?}"),
        }
    }

    fn spell_call(
        &self,
        inputs: impl Iterator<Item = String>,
        variadic: bool,
        output: &ReturnType,
    ) -> String {
        let mut inputs: Vec<_> = inputs.collect();
        if variadic {
            inputs.push("...".to_owned());
        }
        let output = match output {
            ReturnType::Default => "()".to_owned(),
            ReturnType::Type(_, ty) => self.spell(ty),
        };
        format!("fn({}) -> {output}", inputs.join(", "))
    }

    fn spell_function(&self, name: &str) -> Option<String> {
        let signature = self.functions.get(name)?;
        let inputs = signature.inputs.iter().map(|input| match input {
            syn::FnArg::Typed(input) => self.spell(&input.ty),
            syn::FnArg::Receiver(_) => panic!("{name}: a C function has no self"),
        });
        Some(self.spell_call(inputs, signature.variadic.is_some(), &signature.output))
    }

    fn spell_struct(&self, name: &str) -> Option<String> {
        let fields = self.structs.get(name)?.iter();
        let fields = fields.map(|(name, ty)| format!("{name}: {}", self.spell(ty)));
        Some(fields.collect::<Vec<_>>().join(", "))
    }

    fn spell_constant(&self, name: &str) -> Option<String> {
        self.constants.get(name).map(|(_, value)| value.to_string())
    }

    fn spell_alias(&self, name: &str) -> Option<String> {
        self.aliases.get(name).map(|ty| self.spell(ty))
    }
}

/// Each thing in `declared` that `installed` has otherwise or not at all, one line each.
pub fn differences(declared: &Source, installed: &Source) -> Vec<String> {
    type Spell = fn(&Source, &str) -> Option<String>;
    let touched = declared
        .structs
        .iter()
        .filter(|(_, fields)| !fields.is_empty());
    let kinds: [(&str, Vec<&String>, Spell); 4] = [
        (
            "function",
            declared.functions.keys().collect(),
            Source::spell_function,
        ),
        (
            "struct",
            touched.map(|(name, _)| name).collect(),
            Source::spell_struct,
        ),
        (
            "constant",
            declared.constants.keys().collect(),
            Source::spell_constant,
        ),
        (
            "type",
            declared.aliases.keys().collect(),
            Source::spell_alias,
        ),
    ];
    let mut found = Vec::new();
    for (kind, names, spell) in kinds {
        for name in names {
            let (ours, theirs) = (spell(declared, name), spell(installed, name));
            if ours != theirs {
                let [ours, theirs] = [ours, theirs].map(|text| text.unwrap_or("nothing".into()));
                found.push(format!(
                    "{kind} {name}: declared {ours}; the headers have {theirs}"
                ));
            }
        }
    }
    found
}

fn integer(expression: &Expr) -> Option<i128> {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(value) => value.base10_parse().ok(),
            _ => None,
        },
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => Some(-integer(&unary.expr)?),
        _ => None,
    }
}
