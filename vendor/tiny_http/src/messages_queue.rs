use std::collections::VecDeque;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// Requests on their way from connections to workers. It holds at most one per connection.
pub(crate) struct MessagesQueue<T> {
    state: Mutex<State<T>>,
    condvar: Condvar,
}

struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

impl<T> MessagesQueue<T> {
    pub(crate) fn new() -> MessagesQueue<T> {
        let state = State { waiting: VecDeque::new(), closed: false };
        MessagesQueue { state: Mutex::new(state), condvar: Condvar::new() }
    }

    /// Adds an element, or gives it back when the queue is closed.
    pub(crate) fn push(&self, value: T) -> Result<(), T> {
        let mut state = self.lock();
        if state.closed {
            return Err(value);
        }
        state.waiting.push_back(value);
        self.condvar.notify_one();
        Ok(())
    }

    /// The oldest element; waits for one. `None` when the queue is closed and empty.
    pub(crate) fn pop(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(value) = state.waiting.pop_front() {
                return Some(value);
            }
            if state.closed {
                return None;
            }
            state = self.condvar.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes no more elements and wakes everybody who waits.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.condvar.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Pushes and pops only; a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
