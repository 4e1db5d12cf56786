use std::collections::BTreeMap;

use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{Delay, DueQueue, End, Flow, Head, Lead};

#[test]
fn half_of_a_round_trip_in_either_direction() {
    let mut delay = Delay::new(1200, 0, 1);
    assert_eq!((delay.due_ns(7), delay.due_ns(7)), (600_007, 600_007));
    let mut jitter = Delay::new(1200, 1000, 1);
    let drawn: Vec<u64> = (0..1000).map(|_| jitter.due_ns(0)).collect();
    assert!(drawn.iter().all(|due| (600_000..=1_100_000).contains(due)));
    let mean = drawn.iter().sum::<u64>() / 1000;
    assert!((835_000..865_000).contains(&mean), "evenly: {mean}");
}

/// What is begun early is done by so much earlier.
#[test]
fn the_lead_makes_the_median_piece_punctual() {
    let settle = |takes_ns: &dyn Fn(u64) -> i64| {
        let mut lead = Lead::default();
        (0..4_000).for_each(|turn| lead.saw(takes_ns(turn) - lead.ns().cast_signed()));
        lead.ns()
    };
    // From 10 to 110 us, evenly.
    let median = settle(&|turn| 10_000 + (turn * 7_919 % 100_000) as i64);
    assert!((57_000..63_000).contains(&median), "{median}");
    assert!(settle(&|_| 0) <= 200);
    assert_eq!(settle(&|_| 10_000_000), 100_000, "one that cannot keep up does not get ahead of itself");
}

#[test]
fn a_piece_is_through_when_its_last_byte_is() {
    let mut flow = Flow::default();
    assert_eq!(flow.arrive(b"abc", 10), Some(10));
    assert_eq!(flow.arrive(b"d", 5), None, "one entry a flow");
    assert_eq!((flow.bytes(), flow.pieces()), (4, 2));
    assert_eq!(flow.head(9), Head::Later(10));
    assert_eq!(flow.head(10), Head::Bytes(b"abc"));
    assert_eq!(flow.passed(2), None);
    assert_eq!(flow.head(10), Head::Bytes(b"c"));
    assert_eq!(flow.passed(1), Some(10));
    assert_eq!((flow.head(9), flow.head(10)), (Head::Later(10), Head::Bytes(b"d")), "it does not overtake");
    assert_eq!(flow.passed(1), Some(10));
    assert_eq!((flow.head(10), flow.bytes()), (Head::Empty, 0));
    assert_eq!(flow.end(End::Closed, 12), Some(12));
    assert_eq!((flow.head(11), flow.head(12)), (Head::Later(12), Head::End(End::Closed)));
    assert_eq!(flow.passed(0), Some(12));
    assert_eq!(flow.head(12), Head::Empty);
}

#[test]
fn what_is_dropped_leaves_nothing_behind() {
    let mut flow = Flow::default();
    flow.arrive(b"abc", 10);
    flow.arrive(b"d", 10);
    flow.passed(1);
    assert_eq!(flow.clear(), 2);
    assert_eq!((flow.head(10), flow.bytes(), flow.pieces()), (Head::Empty, 0, 0));
    assert_eq!(flow.arrive(b"e", 11), Some(11));
    assert_eq!(flow.head(11), Head::Bytes(b"e"));
}

#[derive(Debug, Clone)]
enum Event {
    Arrive {
        flow: u8,
        bytes: Vec<u8>,
    },
    /// Time goes by; then whatever is due is passed on, at most so many bytes at a time.
    Wait {
        ns: u64,
        room: usize,
    },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let arrive =
        (0..4u8, proptest::collection::vec(any::<u8>(), 1..20)).prop_map(|(flow, bytes)| Event::Arrive { flow, bytes });
    let wait = (0..2_000u64, 1..25usize).prop_map(|(ns, room)| Event::Wait { ns, room });
    proptest::collection::vec(prop_oneof![3 => arrive, 1 => wait], 0..100)
}

/// A proxy without sockets.
#[derive(Default)]
struct Site {
    flows: BTreeMap<u8, Flow>,
    queue: DueQueue<u8>,
    /// By flow: every byte, and when it had come or was passed on.
    came: BTreeMap<u8, Vec<(u8, u64)>>,
    went: BTreeMap<u8, Vec<(u8, u64)>>,
}

impl Site {
    fn deliver(&mut self, now_ns: u64, room: usize) {
        while let Some(id) = self.queue.pop(now_ns) {
            let flow = self.flows.get_mut(&id).unwrap();
            loop {
                let count = match flow.head(now_ns) {
                    Head::Bytes(bytes) => {
                        let some = &bytes[..bytes.len().min(room)];
                        self.went.entry(id).or_default().extend(some.iter().map(|&byte| (byte, now_ns)));
                        some.len()
                    }
                    Head::Later(due_ns) => {
                        self.queue.push(due_ns, id);
                        break;
                    }
                    Head::Empty => break,
                    Head::End(_) => unreachable!("no flow ends here"),
                };
                flow.passed(count);
            }
        }
    }
}

proptest! {
    /// Nothing is lost, nothing overtakes within a flow, nothing goes before it is asked for; and what is due is passed on when it is.
    #[test]
    fn every_byte_goes_once_in_its_order_and_never_early(events in events(), jitter_us in 0..3u32, seed in any::<u64>()) {
        const RTT_US: u32 = 2;
        let (mut site, mut delay, mut now_ns) = (Site::default(), Delay::new(RTT_US, jitter_us, seed), 0);
        for event in events {
            match event {
                Event::Arrive { flow, bytes } => {
                    site.came.entry(flow).or_default().extend(bytes.iter().map(|&byte| (byte, now_ns)));
                    let due_ns = delay.due_ns(now_ns);
                    if let Some(due_ns) = site.flows.entry(flow).or_default().arrive(&bytes, due_ns) {
                        site.queue.push(due_ns, flow);
                    }
                }
                Event::Wait { ns, room } => {
                    now_ns += ns;
                    site.deliver(now_ns, room);
                    prop_assert!(site.queue.next_ns().is_none_or(|next| next > now_ns));
                }
            }
        }
        site.deliver(now_ns + 10_000_000, 7);
        prop_assert_eq!(site.queue.next_ns(), None);
        prop_assert!(site.flows.values().all(|flow| flow.bytes() == 0 && flow.pieces() == 0));
        for (id, came) in &site.came {
            let went = &site.went[id];
            let bytes = |all: &[(u8, u64)]| all.iter().map(|(byte, _)| *byte).collect::<Vec<_>>();
            prop_assert_eq!(bytes(came), bytes(went));
            prop_assert!(came.iter().zip(went).all(|((_, came), (_, went))| *went >= came + u64::from(RTT_US) * 500));
        }
    }
}
