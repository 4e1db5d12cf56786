//! When tasks go into the queue: together, so many of them or so long after the first.

/// For every instant (ascending) the one at which its batch is due: when it is full, or `delay_ns` after its first.
#[must_use]
pub(super) fn due(instants: &[u64], batch_max: usize, delay_ns: u64) -> Vec<u64> {
    let mut due = Vec::with_capacity(instants.len());
    while let Some(&first) = instants.get(due.len()) {
        let rest = &instants[due.len()..];
        let latest = first + delay_ns;
        let count = rest.iter().take(batch_max).take_while(|&&instant| instant <= latest).count();
        let at = if count == batch_max { rest[count - 1] } else { latest };
        due.extend(std::iter::repeat_n(at, count));
    }
    due
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::due;

    #[test]
    fn a_batch_is_due_when_it_is_full_or_its_first_task_has_waited() {
        assert_eq!(due(&[0, 10, 20, 30, 200, 500, 501], 3, 100), [20, 20, 20, 130, 300, 600, 600]);
        assert_eq!(due(&[5, 5, 5], 1, 100), [5, 5, 5]);
        assert_eq!(due(&[5, 6, 6, 7], 100, 0), [5, 6, 6, 7]);
        assert_eq!(due(&[], 3, 100), [0; 0]);
    }

    proptest! {
        #[test]
        fn nobody_waits_longer_than_asked_and_no_batch_is_larger(
            gaps in proptest::collection::vec(0u64..1000, 0..200), batch_max in 1usize..20, delay_ns in 0u64..5000,
        ) {
            let instants: Vec<u64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
            let due = due(&instants, batch_max, delay_ns);
            prop_assert_eq!(due.len(), instants.len());
            prop_assert!(due.windows(2).all(|pair| pair[0] <= pair[1]));
            for (instant, due) in instants.iter().zip(&due) {
                prop_assert!((*instant..=instant + delay_ns).contains(due));
            }
        }
    }
}
