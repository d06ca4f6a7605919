//! A session whose stages are stepped by hand: no pipeline, no gate, no journal.

use engine::execution::Execution;
use engine::feed::{Feed, Next};
use engine::paper::Paper;
use engine::recorder::Gate;
use engine::risk::Risk;
use engine::session::Session;
use engine::source::{Message, Source};
use engine::stage::{Out, Stage};
use engine::station::{leave, returns};
use engine::strategy::Strategy;
use model::event::{Event, Lane};
use model::order::EndReason;

struct Stepper {
    feed: Feed,
    strategy: Strategy,
    risk: Risk,
    execution: Execution,
    outs: [Out; 3],
    told: Vec<Event>,
}

/// Runs a source to its end; returns every event of it.
pub(super) fn run(session: &Session, source: &mut dyn Source) -> Vec<Event> {
    let setup = &session.setup;
    let paper = Paper::of(setup, &session.instruments);
    // The strategies of scenarios need no bars made from trades.
    let mut feed = Feed::new(setup, &session.instruments, Default::default(), paper);
    let start = source.peek().expect("a message");
    feed.start_after(session.preamble(), model::time::Nanos(start.0 - 1));
    let stations = session.stations(Gate::off());
    let mut stepper = Stepper {
        feed,
        strategy: stations.strategy.stage,
        risk: stations.risk.stage,
        execution: stations.egress.station.stage,
        outs: [Out::new(), Out::new(), Out::new()],
        told: Vec::new(),
    };
    stepper.feed.begin(start);
    stepper.pass();
    stepper.follow(source);
    stepper.feed.end(EndReason::EndOfData);
    stepper.pass();
    while let Some(at) = stepper.feed.paper_due() {
        if stepper.feed.roll_before(at) {
            stepper.pass();
        }
        stepper.paper(at);
    }
    stepper.told
}

impl Stepper {
    fn follow(&mut self, source: &mut dyn Source) {
        let mut message = Message::default();
        while let Some(data) = source.peek() {
            let next = self.feed.next(Some(data)).expect("a message is due");
            if self.feed.roll_before(next.at()) {
                self.pass();
                continue;
            }
            match next {
                Next::Data(_) => {
                    source.take(&mut message);
                    self.feed.ingest(&message);
                    self.pass();
                }
                Next::Bar(_) => panic!("scenarios make no bars"),
                Next::Paper(at) => self.paper(at),
                Next::Timer(at) => {
                    self.feed.fire_timer(at);
                    self.pass();
                }
            }
        }
    }

    fn paper(&mut self, at: model::time::Nanos) {
        if self.feed.advance_paper(at) {
            self.pass();
        }
    }

    /// Passes feed's batch through the stages, and what they ask for back to it.
    fn pass(&mut self) {
        loop {
            let batch = self.feed.batch().to_vec();
            self.told.extend(&batch);
            for event in &batch {
                for request in self.step(event) {
                    self.feed.request(&request);
                }
            }
            if !self.feed.answer_refusal() {
                return;
            }
        }
    }

    fn step(&mut self, event: &Event) -> Vec<Event> {
        let [first, second, third] = &mut self.outs;
        let mut requests = Vec::new();
        first.clear();
        self.strategy.step(event, first);
        keep(&mut self.told, first, Lane::Strategy);
        for event in first.events() {
            second.clear();
            self.risk.step(event, second);
            keep(&mut self.told, second, Lane::Risk);
            for event in second.events() {
                third.clear();
                self.execution.step(event, third);
                keep(&mut self.told, third, Lane::Execution);
                for event in third.events() {
                    if let Some(sent) = leave(event) {
                        self.told.push(sent);
                        requests.push(sent);
                    } else if returns(event.kind()) {
                        requests.push(*event);
                    }
                }
            }
        }
        requests
    }
}

fn keep(told: &mut Vec<Event>, out: &Out, lane: Lane) {
    told.extend(out.events().iter().filter(|event| event.kind().lane() == lane));
}
