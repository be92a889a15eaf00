//! What a fault can hit.

/// A process of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// The gateway's role `web`.
    Web,
    /// One of the two routers.
    RouterA,
    /// The other.
    RouterB,
    /// The gateway's role `collector`.
    Collector,
    /// The gateway's role `dispatcher`.
    Dispatcher,
    /// One of the two switches.
    SwitchA,
    /// The other.
    SwitchB,
    /// The bus.
    Nats,
    /// The database server, where there is one.
    Postgres,
    /// The disk with the TDB's file, where it is a file on a disk of its own.
    TdbDisk,
}

impl Target {
    /// The processes of the gateway.
    pub const GATEWAY: [Target; 5] = [
        Target::Web,
        Target::RouterA,
        Target::RouterB,
        Target::Collector,
        Target::Dispatcher,
    ];
    /// The switches.
    pub const SWITCHES: [Target; 2] = [Target::SwitchA, Target::SwitchB];

    /// Its name in logs, and on the bus if it is a switch.
    pub fn name(self) -> &'static str {
        match self {
            Target::Web => "web",
            Target::RouterA => "router-a",
            Target::RouterB => "router-b",
            Target::Collector => "collector",
            Target::Dispatcher => "dispatcher",
            Target::SwitchA => "switch-a",
            Target::SwitchB => "switch-b",
            Target::Nats => "nats",
            Target::Postgres => "postgres",
            Target::TdbDisk => "tdb-disk",
        }
    }

    /// The `--roles` of a gateway process.
    pub fn role(self) -> &'static str {
        match self {
            // Leases of the licence are answered by several.
            Target::RouterA | Target::RouterB => "router,pass",
            Target::Web => "web,pass",
            other => other.name(),
        }
    }

    /// Whether it is a router.
    pub fn is_router(self) -> bool {
        matches!(self, Target::RouterA | Target::RouterB)
    }

    /// Whether it is a switch.
    pub fn is_switch(self) -> bool {
        Target::SWITCHES.contains(&self)
    }

    /// Where a failpoint can be armed in it.
    pub fn failpoints(self) -> &'static [&'static str] {
        match self {
            Target::Web => &[
                "web.accept.commit.before",
                "web.accept.commit.after",
                "tdb.commit.before",
                "tdb.commit.after",
            ],
            Target::RouterA | Target::RouterB => &[
                "router.assign.before",
                "router.assign.after",
                "router.dispatch.send.before",
                "router.dispatch.send.after",
                "tdb.commit.before",
                "tdb.commit.after",
            ],
            Target::Collector => &[
                "collector.ack.before",
                "collector.ack.after",
                "tdb.commit.before",
                "tdb.commit.after",
            ],
            Target::Dispatcher => &[
                "dispatcher.send.before",
                "dispatcher.send.after",
                "tdb.commit.before",
                "tdb.commit.after",
            ],
            Target::SwitchA | Target::SwitchB => &[
                "journal.append.before",
                "journal.append.after",
                "journal.sync.before",
                "journal.sync.after",
                "module.reply.before",
                "module.reply.after",
                "module.publish.before",
                "module.publish.after",
            ],
            Target::Nats | Target::Postgres | Target::TdbDisk => &[],
        }
    }
}
