//! Permits of a dyno, for async tasks: tokio's semaphore, which is first come, first served.

use tokio::sync::Semaphore;

/// So many permits.
#[derive(Debug)]
pub struct Permits(Semaphore);

impl Permits {
    /// So many, all free.
    #[must_use]
    pub fn new(count: u32) -> Permits {
        Permits(Semaphore::new(count as usize))
    }

    /// Waits for a permit.
    pub async fn acquire(&self) {
        if let Ok(permit) = self.0.acquire().await {
            // It comes back by `release`. The semaphore is never closed, so there always is one.
            permit.forget();
        }
    }

    /// Gives one back.
    pub fn release(&self) {
        self.0.add_permits(1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Permits;

    #[test]
    fn first_come_first_served() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let permits = Arc::new(Permits::new(1));
            permits.acquire().await;
            let (say, mut served) = tokio::sync::mpsc::unbounded_channel();
            for number in 0..5 {
                let (permits, say) = (Arc::clone(&permits), say.clone());
                tokio::spawn(async move {
                    permits.acquire().await;
                    say.send(number).unwrap();
                    permits.release();
                });
                tokio::task::yield_now().await;
            }
            drop(say);
            permits.release();
            let mut order = Vec::new();
            while let Some(number) = served.recv().await {
                order.push(number);
            }
            assert_eq!(order, [0, 1, 2, 3, 4]);
        });
    }
}
