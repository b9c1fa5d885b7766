//! The parser's side: calls with an ordering among their arguments, and where modules are.

use super::argument;
use core::result::Result;
use proc_macro2::{Span, TokenStream, TokenTree};
use std::path::{Path, PathBuf};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Meta, Token};

/// What wraps the orderings of all others.
const SHIM: &str = "core/src/sync";

/// What a file has.
pub(super) struct Scan {
    pub(super) calls: Vec<Call>,
    pub(super) modules: Vec<Module>,
}

/// A module in a file of its own.
pub(super) struct Module(pub(super) PathBuf);

impl Module {
    pub(super) fn file(&self, root: &Path) -> PathBuf {
        let beside = self.0.with_extension("rs");
        if root.join(&beside).exists() { beside } else { self.0.join("mod.rs") }
    }
}

/// A call with an ordering among its arguments.
pub(super) struct Call {
    pub(super) function: String,
    /// From which line on a comment may argue for it.
    pub(super) function_line: usize,
    /// Receiver and method, and which of two orderings.
    pub(super) operation: String,
    pub(super) is_fence: bool,
    pub(super) whole: Span,
    /// The path `Ordering::…`, and its last segment.
    ordering: Span,
    pub(super) variant: syn::Ident,
}

/// Scans a file of the core; an error starts with its line.
pub(super) fn scan(file: &Path, text: &str) -> Result<Scan, String> {
    let syntax =
        syn::parse_file(text).map_err(|error| format!("{}: {error}", error.span().start().line))?;
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let parent = file.parent().unwrap_or(Path::new("")).to_owned();
    let folder = if matches!(stem, "lib" | "mod") { parent } else { parent.join(stem) };
    let mut scanner = Scanner {
        text,
        folder,
        modules: Vec::new(),
        type_name: None,
        function: None,
        calls: Vec::new(),
        paths: Vec::new(),
        problems: Vec::new(),
    };
    scanner.visit_file(&syntax);

    let argued = |path: &Span| scanner.calls.iter().any(|call| same(call.ordering, *path));
    if let Some(path) = scanner.paths.iter().find(|path| !argued(path)) {
        let line = path.start().line;
        scanner.problems.push(format!("{line}: an ordering that is no argument of a call"));
    }
    match scanner.problems.into_iter().next() {
        Some(problem) => Err(problem),
        None => Ok(Scan { calls: scanner.calls, modules: scanner.modules }),
    }
}

fn same(one: Span, other: Span) -> bool {
    one.byte_range() == other.byte_range()
}

struct Scanner<'t> {
    text: &'t str,
    /// Where the files of this file's modules are.
    folder: PathBuf,
    modules: Vec<Module>,
    type_name: Option<String>,
    /// Name and first line.
    function: Option<(String, usize)>,
    calls: Vec<Call>,
    /// Every path that names an ordering.
    paths: Vec<Span>,
    problems: Vec<String>,
}

impl Scanner<'_> {
    fn in_type(&mut self, name: Option<String>, go_on: impl FnOnce(&mut Self)) {
        let outer = core::mem::replace(&mut self.type_name, name);
        go_on(self);
        self.type_name = outer;
    }

    fn in_function(&mut self, signature: &syn::Signature, go_on: impl FnOnce(&mut Self)) {
        let name = match &self.type_name {
            Some(of) => format!("{of}::{}", signature.ident),
            None => signature.ident.to_string(),
        };
        let line = signature.span().start().line;
        let outer = self.function.replace((name, line));
        go_on(self);
        self.function = outer;
    }

    fn call(
        &mut self,
        operation: &str,
        whole: Span,
        arguments: &Punctuated<Expr, Token![,]>,
        is_fence: bool,
    ) {
        for (at, argument) in arguments.iter().enumerate() {
            let Some(path) = ordering(argument) else { continue };
            let role = match (operation.rsplit(['.', ':']).next(), at) {
                (Some("compare_exchange" | "compare_exchange_weak"), 2)
                | (Some("fetch_update"), 0) => " on success",
                (Some("compare_exchange" | "compare_exchange_weak"), 3)
                | (Some("fetch_update"), 1) => " on failure",
                _ => "",
            };
            let (function, function_line) =
                self.function.clone().unwrap_or_else(|| ("(no function)".to_owned(), 1));
            self.calls.push(Call {
                function,
                function_line,
                operation: format!("{operation}{role}"),
                is_fence,
                whole,
                ordering: path.span(),
                variant: path.segments[path.segments.len() - 1].ident.clone(),
            });
        }
    }

    /// The source of an expression, on one line.
    fn source(&self, expression: &Expr) -> String {
        let text = &self.text[expression.span().byte_range()];
        text.split_whitespace().collect::<Vec<_>>().join(" ").replace(" .", ".")
    }
}

impl<'ast> Visit<'ast> for Scanner<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let at = self.folder.join(module.ident.to_string());
        if !is_production(&module.attrs) || at == Path::new(SHIM) {
            return;
        }
        if module.content.is_none() {
            self.modules.push(Module(at));
            return;
        }
        let outer = core::mem::replace(&mut self.folder, at);
        visit::visit_item_mod(self, module);
        self.folder = outer;
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let name = match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        if is_production(&item.attrs) {
            self.in_type(name, |this| visit::visit_item_impl(this, item));
        }
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        let name = Some(item.ident.to_string());
        self.in_type(name, |this| visit::visit_item_trait(this, item));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if is_production(&item.attrs) {
            self.in_function(&item.sig, |this| visit::visit_item_fn(this, item));
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if is_production(&item.attrs) {
            self.in_function(&item.sig, |this| visit::visit_impl_item_fn(this, item));
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.in_function(&item.sig, |this| visit::visit_trait_item_fn(this, item));
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        // The receiver comes first, in the source as here.
        let operation = format!("{}.{}", self.source(&call.receiver), call.method);
        visit::visit_expr_method_call(self, call);
        self.call(&operation, call.span(), &call.args, false);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        let operation = self.source(&call.func);
        visit::visit_expr_call(self, call);
        self.call(&operation, call.span(), &call.args, operation.ends_with("fence"));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if names_ordering(path) {
            self.paths.push(path.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_use_path(&mut self, path: &'ast syn::UsePath) {
        if path.ident == "Ordering" {
            let line = path.span().start().line;
            self.problems.push(format!("{line}: an ordering is imported: write `Ordering::…`"));
        }
        visit::visit_use_path(self, path);
    }

    fn visit_macro(&mut self, invoked: &'ast syn::Macro) {
        if mentions(invoked.tokens.clone(), "Ordering") {
            let line = invoked.span().start().line;
            self.problems.push(format!("{line}: an ordering inside a macro"));
        }
    }
}

fn ordering(argument: &Expr) -> Option<&syn::Path> {
    match argument {
        Expr::Path(path) if names_ordering(&path.path) => Some(&path.path),
        _ => None,
    }
}

/// Whether it ends in `Ordering::` and the name of a memory ordering.
fn names_ordering(path: &syn::Path) -> bool {
    let mut from_last = path.segments.iter().rev();
    let variant =
        from_last.next().is_some_and(|last| argument::is_ordering(&last.ident.to_string()));
    variant && from_last.next().is_some_and(|kind| kind.ident == "Ordering")
}

fn mentions(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => mentions(group.stream(), name),
        _ => false,
    })
}

/// Whether a build that is neither a test nor a model may contain it.
fn is_production(attributes: &[Attribute]) -> bool {
    let mut conditions = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    conditions
        .all(|cfg| cfg.parse_args::<Meta>().map_or(true, |condition| may_be(&condition, true)))
}

/// Whether the condition may have that value in production, where nothing but `test` and the
/// models' cfg is known.
fn may_be(condition: &Meta, value: bool) -> bool {
    let parts = |list: &syn::MetaList| {
        list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).unwrap_or_default()
    };
    match condition {
        Meta::Path(path) if path.is_ident("test") || path.is_ident("asyncpal_loom") => !value,
        Meta::List(list) if list.path.is_ident("not") => {
            parts(list).iter().all(|part| may_be(part, !value))
        }
        Meta::List(list) if list.path.is_ident(if value { "all" } else { "any" }) => {
            parts(list).iter().all(|part| may_be(part, value))
        }
        Meta::List(list) => parts(list).iter().any(|part| may_be(part, value)),
        _ => true,
    }
}
