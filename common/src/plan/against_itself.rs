//! A/A: one variant of a plan under two names, so that whatever the bench finds is of its own making.

use toml::Value;

use super::{Plan, PlanError, tables};

/// What is added to the variant's name. Names of one length: command lines and file names of both are of one length too.
const SUFFIXES: [&str; 2] = ["a", "b"];

impl Plan {
    /// This plan with `variant` twice in place of its variants, as `NAME-a` and `NAME-b`, the first of which is the baseline.
    /// What others have published is of no matter to it, and left out.
    ///
    /// # Errors
    /// [`PlanError::Value`]: the plan has no such variant.
    pub fn against_itself(&self, variant: &str) -> Result<Plan, PlanError> {
        let mut table: toml::Table = self
            .source
            .parse()
            .map_err(|error: toml::de::Error| PlanError::Syntax(error.to_string().trim_end().to_owned()))?;
        let named = |value: &Value| value.get("name").and_then(Value::as_str) == Some(variant);
        let Some(Value::Table(one)) = tables(&mut table, "variant")?.into_iter().find(named) else {
            let names: Vec<&str> = self.variants.iter().map(|variant| variant.name.as_str()).collect();
            return Err(PlanError::value("--aa", format!("{variant:?}"), format!("one of {}", names.join(", "))));
        };
        let copies = SUFFIXES.map(|suffix| {
            let mut copy = one.clone();
            copy.insert("name".to_owned(), Value::String(format!("{variant}-{suffix}")));
            Value::Table(copy)
        });
        let mut insert = |key: &str, value: Value| table.insert(key.to_owned(), value);
        insert("variant", Value::Array(copies.to_vec()));
        insert("name", Value::String(format!("{}-{variant}", self.name)));
        insert("question", Value::String(format!("does {variant} differ from itself?")));
        table.remove("baseline");
        table.remove("published");
        Plan::from_table(table)
    }

    /// Whether its two variants differ in nothing but their names: an A/A bench, however it was asked for.
    #[must_use]
    pub fn is_against_itself(&self) -> bool {
        let [a, b] = self.variants.as_slice() else { return false };
        let mut renamed = b.clone();
        renamed.name.clone_from(&a.name);
        *a == renamed
    }
}
