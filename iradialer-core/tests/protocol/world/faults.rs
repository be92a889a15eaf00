//! What is done to processes: they are killed, stand still, are cut off, and come back.

use super::{Pid, START_MS, What, World};
use crate::{collector, router, switch};

impl World {
    /// Does `pid` some harm before its step; returns the step if it is taken all the same.
    pub(super) fn harm(&mut self, pid: Pid, harm: usize, what: What) -> Option<What> {
        match harm {
            1 | 2 => {
                self.pending += u32::from(!matches!(what, What::Tick));
                self.processes[pid.index()].waiting.push(what);
                self.crash(pid);
                None
            }
            3 | 4 => {
                let for_ms = [300, 1_500, 5_000, 9_000, 14_000][self.vary(5)];
                self.note(|| format!("{pid:?} stands still for {for_ms} ms"));
                self.pending += u32::from(!matches!(what, What::Tick));
                let process = &mut self.processes[pid.index()];
                process.frozen = true;
                process.waiting.push(what);
                self.at(self.now_ms + for_ms, None, What::Thaw(pid));
                None
            }
            5 => {
                let for_ms = [400, 2_500, 6_000, 13_500][self.vary(4)];
                self.note(|| format!("{pid:?} is cut off from the bus for {for_ms} ms"));
                self.processes[pid.index()].cut_off = true;
                self.at(self.now_ms + for_ms, None, What::Mend(pid));
                Some(what)
            }
            6 => {
                self.note(|| "the bus loses its state".into());
                self.bus.lose_state();
                Some(what)
            }
            7 => {
                self.set_clock(pid);
                Some(what)
            }
            _ => match pid {
                Pid::Switch(n) => {
                    switch::unload(self, n);
                    None
                }
                _ => {
                    let switch = Pid::Switch(self.vary(2));
                    self.note(|| format!("{switch:?} connects to the bus anew"));
                    self.processes[switch.index()].cut_off = true;
                    self.at(self.now_ms + 400, None, What::Mend(switch));
                    Some(what)
                }
            },
        }
    }

    /// Sets the wall clock of a router wrong for a while. Those of switches are within the margin: with
    /// them, and nobody else's, a router's time is compared, and one that is ahead by more makes a command
    /// good for longer.
    fn set_clock(&mut self, pid: Pid) {
        let router = match pid {
            Pid::Router(_) => pid,
            _ => Pid::Router(self.vary(2)),
        };
        let skew_ms = [-100_000, 2_000, -8_000, -100_000][self.vary(4)];
        let for_ms = [12_000, 700, 5_000][self.vary(3)];
        self.note(|| format!("the clock of {router:?} is {skew_ms} ms off for {for_ms} ms"));
        self.processes[router.index()].skew_ms = skew_ms;
        self.at(self.now_ms + for_ms, None, What::ClockRight(router));
    }

    fn crash(&mut self, pid: Pid) {
        let for_ms = [200, 1_200, 4_000, 8_000][self.vary(4)];
        self.note(|| format!("{pid:?} is killed, for {for_ms} ms"));
        self.down(pid, for_ms);
        if let Pid::Switch(n) = pid {
            let survive = self.vary(3) * 2;
            let wiped = self.vary(12) == 11;
            switch::crash(self, n, survive, wiped);
        }
    }

    /// Ends the life of a process, and begins another after that time.
    pub fn down(&mut self, pid: Pid, for_ms: u64) {
        self.bus.forget(pid);
        let process = &mut self.processes[pid.index()];
        process.up = false;
        let lost = process.waiting.drain(..);
        let lost = lost.filter(|what| !matches!(what, What::Tick)).count();
        self.pending -= lost as u32;
        self.at(self.now_ms + for_ms, None, What::Start(pid));
    }

    pub(super) fn start(&mut self, pid: Pid) {
        let process = &mut self.processes[pid.index()];
        process.life += 1;
        process.up = true;
        process.awake_since_ms = self.now_ms;
        process.frozen = false;
        if self.now_ms > START_MS {
            self.note(|| format!("{pid:?} starts"));
        }
        match pid {
            Pid::Router(n) => router::start(self, n),
            Pid::Switch(n) => switch::start(self, n),
            Pid::Collector => return collector::start(self),
            Pid::Web => return,
        }
        self.after(0, pid, What::Tick);
    }

    pub(super) fn thaw(&mut self, pid: Pid) {
        let process = &mut self.processes[pid.index()];
        if !std::mem::take(&mut process.frozen) {
            return;
        }
        process.awake_since_ms = self.now_ms;
        let waiting = std::mem::take(&mut process.waiting);
        self.note(|| format!("{pid:?} goes on"));
        for what in waiting {
            self.pending -= u32::from(!matches!(what, What::Tick));
            self.after(0, pid, what);
        }
    }
}
