//! Least squares: linear ones, and for curves N / (offset + a sum of terms) with no negative coefficient. Pure.

/// What N is divided by: `offset`, and each of `bases` times its coefficient; functions of N.
pub(super) struct Curve<'a, Offset: Fn(f64) -> f64> {
    pub(super) offset: Offset,
    pub(super) bases: &'a [&'a dyn Fn(f64) -> f64],
}

/// The best coefficients, one for each basis, and their sum of squared residuals.
pub(super) struct Fit {
    pub(super) coefficients: Vec<f64>,
    pub(super) squares: f64,
}

const STEPS: u32 = 200;
const HALVINGS: u32 = 30;
/// A step that takes a smaller share off the sum of squares is the last.
const CONVERGED: f64 = 1e-12;

/// The curve through `points` (N, throughput) with the least sum of squares among those without a negative coefficient: of all
/// ways to hold some of them at 0, the best whose others come out positive. `None` where there is none.
pub(super) fn fit<Offset: Fn(f64) -> f64>(points: &[(f64, f64)], curve: &Curve<'_, Offset>) -> Option<Fit> {
    let rows: Vec<Row> = points
        .iter()
        .map(|&(n, throughput)| Row {
            n,
            throughput,
            offset: (curve.offset)(n),
            bases: curve.bases.iter().map(|basis| basis(n)).collect(),
        })
        .collect();
    let subsets = (0u32..1 << curve.bases.len()).map(|held| {
        let free: Vec<usize> = (0..curve.bases.len()).filter(|basis| held & (1 << basis) == 0).collect();
        free_fit(&rows, &free, curve.bases.len())
    });
    subsets.flatten().min_by(|a, b| a.squares.total_cmp(&b.squares))
}

struct Row {
    n: f64,
    throughput: f64,
    offset: f64,
    bases: Vec<f64>,
}

impl Row {
    fn divisor(&self, coefficients: &[f64]) -> f64 {
        self.offset + self.bases.iter().zip(coefficients).map(|(basis, coefficient)| basis * coefficient).sum::<f64>()
    }
}

/// Infinite where the curve has no positive throughput.
fn squares(rows: &[Row], coefficients: &[f64]) -> f64 {
    let residual = |row: &Row| {
        let divisor = row.divisor(coefficients);
        if divisor > 0.0 { (row.throughput - row.n / divisor).powi(2) } else { f64::INFINITY }
    };
    rows.iter().map(residual).sum()
}

/// The best with only `free` coefficients other than 0, by Gauss and Newton with halved steps; `None` where one of them would be
/// negative.
fn free_fit(rows: &[Row], free: &[usize], all: usize) -> Option<Fit> {
    // N / throughput is linear in the coefficients: with weights that undo what the division does to residuals, this is near.
    let start = solve(rows, free, |row| {
        let weight = row.throughput.powi(2) / row.n;
        (weight, weight * (row.n / row.throughput - row.offset))
    })?;
    let mut coefficients = vec![0.0; all];
    free.iter().zip(start).for_each(|(&basis, start)| coefficients[basis] = f64::max(start, 0.0));
    let mut least = squares(rows, &coefficients);
    for _ in 0..STEPS {
        let at = &coefficients;
        let Some(step) = solve(rows, free, |row| {
            let divisor = row.divisor(at);
            (-row.n / divisor.powi(2), row.throughput - row.n / divisor)
        }) else {
            break;
        };
        let shorter = (0..HALVINGS).map(|halving| f64::from(halving).exp2().recip()).find_map(|share| {
            let mut next = coefficients.clone();
            free.iter().zip(&step).for_each(|(&basis, step)| next[basis] += share * step);
            let squares = squares(rows, &next);
            (squares < least).then_some((next, squares))
        });
        let Some((next, squares)) = shorter else { break };
        let gained = 1.0 - squares / least;
        (coefficients, least) = (next, squares);
        if gained < CONVERGED {
            break;
        }
    }
    let fits = least.is_finite() && coefficients.iter().all(|&coefficient| coefficient >= 0.0);
    fits.then_some(Fit { coefficients, squares: least })
}

/// The linear least squares problem whose rows are `of(row)`: what each basis is multiplied by, and the right-hand side. `None`
/// where it has no single solution.
fn solve(rows: &[Row], free: &[usize], of: impl Fn(&Row) -> (f64, f64)) -> Option<Vec<f64>> {
    // Each row ends with its right-hand side.
    let weighted = rows.iter().map(|row| {
        let (weight, right) = of(row);
        free.iter().map(|&basis| weight * row.bases[basis]).chain([right]).collect()
    });
    linear(&weighted.collect::<Vec<_>>())
}

/// The coefficients with which the columns of `rows`, each of which ends with its right-hand side, come nearest to that. `None`
/// where there is no single solution, or nothing to solve.
pub(super) fn linear(rows: &[Vec<f64>]) -> Option<Vec<f64>> {
    let columns = rows.first()?.len() - 1;
    // Columns may differ by orders of magnitude: each is measured in its own length.
    let product = |i: usize, j: usize| rows.iter().map(|row| row[i] * row[j]).sum::<f64>();
    let lengths: Vec<f64> = (0..columns).map(|column| product(column, column).sqrt()).chain([1.0]).collect();
    let equation =
        |i: usize| lengths.iter().enumerate().map(|(j, length)| product(i, j) / (lengths[i] * length)).collect();
    let solution = eliminate((0..columns).map(equation).collect())?;
    Some(solution.into_iter().zip(lengths).map(|(value, length)| value / length).collect())
}

/// Gauss's elimination with partial pivoting; each equation ends with its right-hand side.
fn eliminate(mut equations: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    const SINGULAR: f64 = 1e-13;
    let n = equations.len();
    for column in 0..n {
        let pivot = (column..n).max_by(|&a, &b| equations[a][column].abs().total_cmp(&equations[b][column].abs()))?;
        equations.swap(column, pivot);
        let (solved, below) = equations.split_at_mut(column + 1);
        let pivot = &solved[column];
        if pivot[column].is_nan() || pivot[column].abs() <= SINGULAR {
            return None;
        }
        for equation in below {
            let factor = equation[column] / pivot[column];
            equation.iter_mut().zip(pivot).for_each(|(entry, pivot)| *entry -= factor * pivot);
        }
    }
    let mut solution = vec![0.0; n];
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|column| equations[row][column] * solution[column]).sum();
        solution[row] = (equations[row][n] - known) / equations[row][row];
    }
    Some(solution)
}
