//! What the small pages (comparison, history) share: style, content policy, templates that escape.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Value};

use crate::Error;
use crate::html::hash;

/// The style of the report, with what the small pages add.
pub(crate) const PAGES_STYLE: &str = concat!(include_str!("../assets/report.css"), include_str!("../assets/pages.css"));

/// Nothing from outside, no script, the style shipped here by its hash.
pub(crate) fn policy() -> String {
    format!("default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'", hash(PAGES_STYLE))
}

/// Fills a template; the name's ending switches escaping on.
pub(crate) fn fill(name: &str, template: &str, values: Value) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.add_template(name, template)?;
    Ok(environment.get_template(name)?.render(values)?)
}
