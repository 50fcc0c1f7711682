//! The async side: a real step loop on its thread, a shadow for an executor, and a test that says when it steps.

use crate::random::Random;
use crate::shadow::{Shadow, VOCABULARY, alone};
use frontdesk_engine::api::{Event, FinishReason, Rejected, Request, Sampled, Sampling, TokenId};
use frontdesk_engine::engine::{Engine, Events, Stats, Status};
use frontdesk_engine::scheduler::Limits;
use frontdesk_engine::scheduler::batch::{Batch, Execute, ExecuteError};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// What the executor does with the next batch. It waits for an order as long as there is somebody to give one.
enum Order {
    Compute,
    Fail,
    Panic,
    DrawTooFew,
}

struct Ordered {
    shadow: Shadow,
    orders: Receiver<Order>,
}

impl Execute for Ordered {
    fn run(&mut self, batch: &Batch) -> Result<Vec<Sampled>, ExecuteError> {
        match self.orders.recv().unwrap_or(Order::Compute) {
            Order::Compute => self.shadow.run(batch),
            Order::Fail => Err(ExecuteError("out of luck".into())),
            Order::Panic => panic!("out of mind"),
            Order::DrawTooFew => Ok(Vec::new()),
        }
    }
}

fn limits() -> Limits {
    Limits {
        max_batch_sequences: 3,
        max_waiting: 2,
        max_batch_tokens: 16,
        ..Limits::new(32, 200, VOCABULARY)
    }
}

fn start() -> (Engine, Sender<Order>) {
    let (sender, orders) = channel();
    (Engine::start(Box::new(Ordered { shadow: Shadow::new(&limits()), orders }), limits()), sender)
}

/// Steps on its own.
fn free_running() -> Engine {
    start().0
}

fn request(first: TokenId, max_tokens: usize) -> Request {
    let prompt = (first..first + 20).collect();
    Request { prompt, sampling: Sampling::greedy(), max_tokens, stop: Vec::new(), logprobs: None }
}

/// All events, none later than ten seconds after the one before.
async fn all(mut events: Events) -> Vec<Event> {
    let mut seen = Vec::new();
    while let Some(event) = soon(events.recv()).await {
        seen.push(event);
    }
    assert!(seen[..seen.len() - 1].iter().all(|event| !event.is_last()) && seen[seen.len() - 1].is_last());
    seen
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.unwrap()
}

/// Waits for the engine's thread to get there.
async fn until(engine: &Engine, reached: impl Fn(Stats) -> bool) {
    soon(async {
        while !reached(engine.stats()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

fn tokens(events: &[Event]) -> Vec<TokenId> {
    let token = |event: &Event| match event {
        Event::Token(sampled) => Some(sampled.token),
        _ => None,
    };
    events.iter().filter_map(token).collect()
}

fn failure(events: &[Event]) -> &str {
    match events.last() {
        Some(Event::Failed { message }) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn requests_together_get_what_each_gets_alone() {
    let engine = free_running();
    let requests = [request(0, 30), request(3, 50), request(0, 40), request(9, 1), request(20, 7)];
    let events: Vec<Events> =
        requests.iter().map(|request| engine.generate(request.clone()).unwrap()).collect();
    for (request, events) in requests.iter().zip(events) {
        let seen = all(events).await;
        assert_eq!(tokens(&seen), alone(request, 200));
        assert!(matches!(seen.last(), Some(Event::Finished { reason: FinishReason::Length, .. })));
    }
    let stats = engine.stats();
    assert_eq!((stats.in_flight, stats.scheduler.blocks_referenced), (0, 0));
    assert_eq!(stats.scheduler.counters.tokens_generated, 128);
    assert!(stats.batch_tokens >= 128 && stats.step_time >= stats.last_step_time);
}

#[tokio::test]
async fn dropping_the_stream_frees_its_blocks_at_the_next_step() {
    let (engine, orders) = start();
    let events = [engine.generate(request(0, 100)).unwrap(), engine.generate(request(9, 100)).unwrap()];
    for _ in 0..5 {
        orders.send(Order::Compute).unwrap();
    }
    until(&engine, |stats| stats.scheduler.counters.tokens_generated >= 3).await;
    let [dropped, mut kept] = events;
    drop(dropped);
    orders.send(Order::Compute).unwrap();
    until(&engine, |stats| stats.in_flight == 1).await;
    orders.send(Order::Compute).unwrap();
    until(&engine, |stats| stats.scheduler.running == 1 && stats.scheduler.blocks_referenced <= 2).await;
    assert!(matches!(soon(kept.recv()).await, Some(Event::Token(_))));
    drop(kept);
    drop(orders);
    until(&engine, |stats| stats.in_flight == 0 && stats.scheduler.blocks_referenced == 0).await;
}

#[tokio::test]
async fn who_waits_can_leave_too() {
    let (engine, orders) = start();
    let mut events: Vec<Events> = (0..5).map(|_| engine.generate(request(0, 10)).unwrap()).collect();
    orders.send(Order::Compute).unwrap();
    drop(events.pop());
    orders.send(Order::Compute).unwrap();
    until(&engine, |stats| stats.in_flight == 4).await;
    drop(orders);
    for events in events {
        assert_eq!(tokens(&all(events).await).len(), 10);
    }
}

#[tokio::test]
async fn a_failed_step_ends_its_batch_and_nothing_else() {
    for order in [Order::Fail, Order::DrawTooFew] {
        let (engine, orders) = start();
        let doomed = engine.generate(request(0, 10)).unwrap();
        // Two steps: a prompt of 20 in batches of 16.
        orders.send(Order::Compute).unwrap();
        orders.send(order).unwrap();
        let message = failure(&all(doomed).await).to_owned();
        assert!(message.contains("could not be computed: "), "{message}");
        drop(orders);
        assert_eq!(tokens(&all(engine.generate(request(0, 10)).unwrap()).await), alone(&request(0, 10), 200));
        assert_eq!((engine.stats().failed_steps, engine.status()), (1, Status::Serving));
    }
}

#[tokio::test]
async fn a_panic_fails_everybody_and_stops_the_engine() {
    let (engine, orders) = start();
    let events: Vec<Events> = (0..5).map(|_| engine.generate(request(0, 10)).unwrap()).collect();
    orders.send(Order::Panic).unwrap();
    for events in events {
        assert_eq!(failure(&all(events).await), "the executor panicked: out of mind");
    }
    let stopped = "the executor panicked: out of mind".to_owned();
    assert_eq!(engine.status(), Status::Stopped(stopped.clone()));
    assert_eq!(engine.generate(request(0, 10)).unwrap_err(), Rejected::Stopped(stopped));
    soon(engine.drained()).await;
}

#[tokio::test]
async fn draining_finishes_what_is_there_and_takes_nothing_new() {
    let (engine, orders) = start();
    let events = engine.generate(request(0, 10)).unwrap();
    engine.drain();
    assert_eq!(engine.status(), Status::Draining);
    assert_eq!(engine.generate(request(0, 10)).unwrap_err(), Rejected::Draining);
    let drained = engine.clone();
    let drained = tokio::spawn(async move { drained.drained().await });
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(!drained.is_finished());
    drop(orders);
    assert_eq!(tokens(&all(events).await).len(), 10);
    soon(drained).await.unwrap();
}

#[tokio::test]
async fn admission_is_decided_at_once() {
    let (engine, orders) = start();
    let events: Vec<Events> = (0..5).map(|_| engine.generate(request(0, 3)).unwrap()).collect();
    assert_eq!(engine.generate(request(0, 3)).unwrap_err(), Rejected::QueueFull { limit: 5 });
    let long = Request { prompt: vec![0; 200], ..request(0, 1) };
    assert_eq!(engine.generate(long).unwrap_err(), Rejected::TooLong { needed: 201, limit: 200 });
    assert!(matches!(engine.generate(request(0, 0)).unwrap_err(), Rejected::Invalid(_)));
    drop(orders);
    for events in events {
        all(events).await;
        // Who has read the end finds the place free.
        all(engine.generate(request(0, 1)).unwrap()).await;
    }
}

#[tokio::test]
async fn a_slow_reader_holds_up_nobody() {
    let engine = free_running();
    let slow = engine.generate(request(0, 100)).unwrap();
    let quick = engine.generate(request(1, 100)).unwrap();
    assert_eq!(tokens(&all(quick).await).len(), 100);
    until(&engine, |stats| stats.in_flight == 0).await;
    assert_eq!(tokens(&all(slow).await), alone(&request(0, 100), 200));
}

#[tokio::test]
async fn requests_outlive_the_last_handle_and_the_thread_does_not() {
    struct Tell(Shadow, Sender<()>);
    impl Execute for Tell {
        fn run(&mut self, batch: &Batch) -> Result<Vec<Sampled>, ExecuteError> {
            self.0.run(batch)
        }
    }
    impl Drop for Tell {
        fn drop(&mut self) {
            self.1.send(()).unwrap();
        }
    }
    let (sender, dropped) = channel();
    let engine = Engine::start(Box::new(Tell(Shadow::new(&limits()), sender)), limits());
    let events = engine.generate(request(0, 100)).unwrap();
    drop(engine);
    assert_eq!(tokens(&all(events).await).len(), 100);
    dropped.recv_timeout(Duration::from_secs(10)).unwrap();
}

/// Clients that come, read some and leave or stay, with faults in between: the other half of invariant 7.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_7_idle_means_all_places_home() {
    let (engine, orders) = start();
    let mut random = Random(7);
    for seed in 0..400 {
        orders.send(if random.chance(3) { Order::Fail } else { Order::Compute }).unwrap();
        let (engine, patience) = (engine.clone(), random.within(0, 40));
        tokio::spawn(async move {
            // A full house refuses; that is no concern of this test.
            let Ok(mut events) = engine.generate(request(seed % 15, 30)) else { return };
            for _ in 0..patience {
                if events.recv().await.is_none() {
                    return;
                }
            }
        });
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    drop(orders);
    until(&engine, |stats| stats.in_flight == 0 && stats.scheduler.running == 0).await;
    let scheduler = engine.stats().scheduler;
    assert_eq!((scheduler.waiting, scheduler.blocks_referenced), (0, 0));
    assert_eq!(scheduler.blocks_free + scheduler.blocks_cached, limits().block_count);
    assert!(scheduler.counters.cached_tokens > 0 && engine.stats().failed_steps > 0);
}

#[tokio::test]
async fn steps_count_forward_progress() {
    let (engine, orders) = start();
    let events = engine.generate(request(0, 5)).unwrap();
    assert_eq!((engine.stats().scheduler.counters.steps, engine.stats().in_flight), (0, 1));
    orders.send(Order::Compute).unwrap();
    until(&engine, |stats| stats.scheduler.counters.steps == 1).await;
    drop(orders);
    all(events).await;
    assert_eq!(engine.stats().scheduler.counters.steps, 6);
}

#[test]
fn the_handle_goes_anywhere() {
    fn anywhere<T: Send + Sync + Clone + 'static>() {}
    anywhere::<Engine>();
    fn sent<T: Send + 'static>() {}
    sent::<Events>();
}
