//! What a query may cost, worked out before anything is read: how deep it goes, and how many values it may give, where a
//! page counts as many times as its limit says.

use std::collections::HashMap;

use async_graphql::parser::types::{ExecutableDocument, Field, Selection, SelectionSet};
use async_graphql::{Name, Positioned, Value, Variables};

/// Pages that are not told a limit have this one.
const PAGE: u64 = 100;
/// Lists that belong to one thing (the lines of an order, the fields of a type) count so many times.
const PART: u64 = 10;
const PAGES: [&str; 7] = ["accounts", "holds", "statement", "products", "orders", "rejections", "sales"];
const PARTS: [&str; 16] = [
    "lines",
    "shipments",
    "returns",
    "operations",
    "currencies",
    "classes",
    "ledger_accounts",
    "types",
    "fields",
    "inputFields",
    "args",
    "interfaces",
    "possibleTypes",
    "enumValues",
    "directives",
    "payments",
];

/// How deep a query goes and how many values it may give.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) depth: u64,
    pub(super) complexity: u64,
}

impl Cost {
    /// The dearest operation of a document. None where fragments go round in a circle.
    pub(super) fn of(document: &ExecutableDocument, variables: &Variables) -> Option<Self> {
        let definitions = document.operations.iter().flat_map(|(_, operation)| &operation.node.variable_definitions);
        let defaults =
            definitions.filter_map(|each| Some((&each.node.name.node, each.node.default_value()?))).collect();
        let mut counting = Counting { document, variables, defaults, fragments: HashMap::new() };
        let mut all = Self::default();
        for (_, operation) in document.operations.iter() {
            let cost = counting.set(&operation.node.selection_set.node)?;
            all = Self { depth: all.depth.max(cost.depth), complexity: all.complexity.max(cost.complexity) };
        }
        Some(all)
    }

    const fn beside(self, other: Self) -> Self {
        let depth = if self.depth > other.depth { self.depth } else { other.depth };
        Self { depth, complexity: self.complexity.saturating_add(other.complexity) }
    }
}

struct Counting<'a> {
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    /// What variables are where the request does not say.
    defaults: HashMap<&'a Name, &'a Value>,
    /// What each fragment costs; none while it is being counted. Counted once, however often it is used.
    fragments: HashMap<&'a Name, Option<Cost>>,
}

impl<'a> Counting<'a> {
    fn set(&mut self, set: &'a SelectionSet) -> Option<Cost> {
        set.items.iter().try_fold(Cost::default(), |sum, selection| Some(sum.beside(self.selection(&selection.node)?)))
    }

    fn selection(&mut self, selection: &'a Selection) -> Option<Cost> {
        match selection {
            Selection::Field(Positioned { node: field, .. }) => {
                let within = self.set(&field.selection_set.node)?;
                let complexity = within.complexity.saturating_mul(self.times(field)).saturating_add(1);
                Some(Cost { depth: within.depth + 1, complexity })
            }
            Selection::InlineFragment(fragment) => self.set(&fragment.node.selection_set.node),
            Selection::FragmentSpread(spread) => {
                let (name, fragment) = self.document.fragments.get_key_value(&spread.node.fragment_name.node)?;
                if let Some(counted) = self.fragments.get(name) {
                    return *counted;
                }
                self.fragments.insert(name, None);
                let cost = self.set(&fragment.node.selection_set.node)?;
                self.fragments.insert(name, Some(cost));
                Some(cost)
            }
        }
    }

    /// How often what stands in a field may come.
    fn times(&self, field: &Field) -> u64 {
        let given = |name: Name| self.variables.get(&name).or_else(|| self.defaults.get(&name).copied()).cloned();
        let limit = field
            .get_argument("limit")
            .and_then(|limit| limit.node.clone().into_const_with(|n| given(n).ok_or(())).ok());
        let limit = match limit {
            Some(Value::Number(limit)) => limit.as_u64(),
            _ => None,
        };
        let name = field.name.node.as_str();
        if let Some(limit) = limit {
            limit.max(1)
        } else if PAGES.contains(&name) {
            PAGE
        } else if PARTS.contains(&name) {
            PART
        } else {
            1
        }
    }
}
