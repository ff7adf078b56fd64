//! The columns of a chart: rows that are close to each other, drawn as one.

use std::collections::BTreeMap;

use clockbound_client::diagnostics::BUDGET_TERMS;

use super::summary::State;
use crate::record::row::Row;

/// The most columns that there are. Two are joined when there would be more.
pub const MAX_COLUMNS: usize = 1_200;
const FIRST_WIDTH_NS: i64 = 100_000_000;

/// The rows of a column.
#[derive(Clone, Debug)]
pub struct Column {
    /// The number of rows.
    pub rows: u64,
    /// The worst state.
    pub state: State,
    /// The intervals; `None` if no row has one.
    pub claims: Option<Claims>,
}

/// The intervals of the rows of a column.
#[derive(Clone, Debug)]
pub struct Claims {
    /// The smallest bound, ns.
    pub least_ns: i64,
    /// The largest one.
    pub largest_ns: i64,
    /// What adds up to the largest one.
    pub components_ns: [i64; BUDGET_TERMS.len()],
    /// The least of the earliest possible times relative to `CLOCK_REALTIME`, ns.
    pub low_ns: i64,
    /// The greatest of the latest possible ones.
    pub high_ns: i64,
    /// The least and the greatest midpoint relative to `CLOCK_REALTIME`, ns.
    pub divergence_ns: (i64, i64),
}

/// The columns by their position: `CLOCK_REALTIME` divided by the width.
#[derive(Clone, Debug)]
pub struct Columns {
    width_ns: i64,
    columns: BTreeMap<i64, Column>,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            width_ns: FIRST_WIDTH_NS,
            columns: BTreeMap::new(),
        }
    }
}

impl Columns {
    /// Adds a row.
    pub fn add(&mut self, row: &Row) {
        // A column is not narrower than the time between rows, so that rows leave no holes.
        while self.width_ns < row.interval_ns {
            self.join();
        }
        let position = row.unix_ns.div_euclid(self.width_ns);
        add_to(&mut self.columns, position, column_of(row));
        while self.columns.len() > MAX_COLUMNS {
            self.join();
        }
    }

    /// The width of a column, ns.
    pub fn width_ns(&self) -> i64 {
        self.width_ns
    }

    /// The columns in the order of time, each with its position.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &Column)> {
        self.columns
            .iter()
            .map(|(position, column)| (*position, column))
    }

    /// Doubles the width.
    fn join(&mut self) {
        self.width_ns = self.width_ns.saturating_mul(2);
        let mut joined = BTreeMap::new();
        for (position, column) in std::mem::take(&mut self.columns) {
            add_to(&mut joined, position.div_euclid(2), column);
        }
        self.columns = joined;
    }
}

fn column_of(row: &Row) -> Column {
    let claim = row
        .published
        .as_ref()
        .and_then(|published| published.claim.as_ref());
    Column {
        rows: 1,
        state: State::of(row),
        claims: claim.map(|claim| {
            let (low_ns, high_ns) = claim.offsets_ns(row.unix_ns);
            let divergence_ns = claim.divergence_ns(row.unix_ns);
            Claims {
                least_ns: claim.bound_ns(),
                largest_ns: claim.bound_ns(),
                components_ns: claim.components_ns,
                low_ns,
                high_ns,
                divergence_ns: (divergence_ns, divergence_ns),
            }
        }),
    }
}

fn add_to(columns: &mut BTreeMap<i64, Column>, position: i64, added: Column) {
    let Some(column) = columns.get_mut(&position) else {
        columns.insert(position, added);
        return;
    };
    column.rows += added.rows;
    column.state = column.state.max(added.state);
    match (&mut column.claims, added.claims) {
        (_, None) => {}
        (claims @ None, added) => *claims = added,
        (Some(claims), Some(added)) => {
            claims.least_ns = claims.least_ns.min(added.least_ns);
            if added.largest_ns > claims.largest_ns {
                claims.largest_ns = added.largest_ns;
                claims.components_ns = added.components_ns;
            }
            claims.low_ns = claims.low_ns.min(added.low_ns);
            claims.high_ns = claims.high_ns.max(added.high_ns);
            claims.divergence_ns = (
                claims.divergence_ns.0.min(added.divergence_ns.0),
                claims.divergence_ns.1.max(added.divergence_ns.1),
            );
        }
    }
}
