//! Tasks in simulated time. One thread runs them in an order that depends on nothing but the times for which they sleep.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use entity_stream_protocol::EpochMillis;

type Task = Pin<Box<dyn Future<Output = ()>>>;
type Wake = Reverse<(u64, u64, usize)>;

/// The tasks, and the time.
#[derive(Default)]
pub(crate) struct Schedule {
    now: Cell<u64>,
    count: Cell<u64>,
    current: Cell<usize>,
    wakes: RefCell<BinaryHeap<Wake>>,
    tasks: RefCell<Vec<Option<Task>>>,
    free: RefCell<Vec<usize>>,
}

impl Schedule {
    pub(crate) fn starting_at(now: EpochMillis) -> Self {
        let schedule = Self::default();
        schedule.now.set(now.millis());
        schedule
    }

    /// The real time. No instance knows it.
    pub(crate) fn now(&self) -> EpochMillis {
        EpochMillis::new(i64::try_from(self.now.get()).unwrap())
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let mut tasks = self.tasks.borrow_mut();
        let id = self.free.borrow_mut().pop().unwrap_or_else(|| {
            tasks.push(None);
            tasks.len() - 1
        });
        tasks[id] = Some(Box::pin(task));
        self.wake(id, 0);
    }

    /// Waits for so many milliseconds.
    pub(crate) fn sleep(&self, millis: u64) -> Sleep<'_> {
        Sleep { schedule: self, millis: Some(millis) }
    }

    fn wake(&self, task: usize, after: u64) {
        self.count.set(self.count.get() + 1);
        self.wakes.borrow_mut().push(Reverse((self.now.get() + after, self.count.get(), task)));
    }

    /// Runs until every task has ended or waits at a gate. Returns the number of steps.
    pub(crate) fn run(&self) -> u64 {
        let mut context = Context::from_waker(Waker::noop());
        let mut steps = 0;
        loop {
            let Some(Reverse((time, _, id))) = self.wakes.borrow_mut().pop() else { break };
            self.now.set(time);
            self.current.set(id);
            steps += 1;
            assert!(steps < 2_000_000, "the schedule does not end");
            let Some(mut task) = self.tasks.borrow_mut()[id].take() else { continue };
            if task.as_mut().poll(&mut context).is_pending() {
                self.tasks.borrow_mut()[id] = Some(task);
            } else {
                self.free.borrow_mut().push(id);
            }
        }
        // Tasks hold the world, which holds the tasks.
        let left = std::mem::take(&mut *self.tasks.borrow_mut());
        drop(left);
        steps
    }
}

/// See [`Schedule::sleep`].
pub(crate) struct Sleep<'a> {
    schedule: &'a Schedule,
    millis: Option<u64>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        match self.millis.take() {
            Some(millis) => {
                self.schedule.wake(self.schedule.current.get(), millis);
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

/// A place where tasks wait until another task lets all of them pass.
#[derive(Default)]
pub(crate) struct Gate {
    waiting: RefCell<Vec<usize>>,
}

impl Gate {
    pub(crate) fn open(&self, schedule: &Schedule) {
        for task in self.waiting.borrow_mut().drain(..) {
            schedule.wake(task, 0);
        }
    }

    pub(crate) fn wait<'a>(&'a self, schedule: &'a Schedule) -> Waiting<'a> {
        Waiting { gate: self, schedule, is_waiting: false }
    }
}

/// See [`Gate::wait`].
pub(crate) struct Waiting<'a> {
    gate: &'a Gate,
    schedule: &'a Schedule,
    is_waiting: bool,
}

impl Future for Waiting<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.is_waiting {
            return Poll::Ready(());
        }
        self.is_waiting = true;
        self.gate.waiting.borrow_mut().push(self.schedule.current.get());
        Poll::Pending
    }
}
