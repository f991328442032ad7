//! Addresses, ports, time-outs, RPC.

use std::time::Duration;

use firesteel_model::ByteCount;

use super::{AnyKey, Key, Managers, Section, Unit};

keys! { Network:
    /// How long a peer may be silent before it counts as lost (RT-71).
    NETWORK_TIMEOUT: Duration = "spark.network.timeout", since "1.3.0",
        default("120s"), unit(Unit::Seconds), check(|time| !time.is_zero(), "more than 0");

    /// How often the driver looks for executors that are silent (RT-71).
    NETWORK_TIMEOUT_INTERVAL: Duration = "spark.network.timeoutInterval", since "1.3.2",
        default("60s"), unit(Unit::Milliseconds), check(|time| !time.is_zero(), "more than 0"),
        only_on(Managers::WITH_EXECUTORS);

    /// How long an executor may be silent; overrides `spark.network.timeout` for executors (RT-71).
    BLOCK_MANAGER_HEARTBEAT_TIMEOUT: Duration = "spark.storage.blockManagerHeartbeatTimeoutMs", since "3.2.0",
        falls_back_to(&NETWORK_TIMEOUT), unit(Unit::Milliseconds),
        formerly(&["spark.storage.blockManagerSlaveTimeoutMs"]), only_on(Managers::WITH_EXECUTORS);

    /// The name or address under which executors reach the driver.
    DRIVER_HOST: Option<String> = "spark.driver.host", since "0.7.0",
        computed("`SPARK_LOCAL_IP`, else `spark.driver.bindAddress`, else 127.0.0.1"),
        only_on(Managers::WITH_EXECUTORS);

    /// The address that the driver listens on, if it is not the one that executors use.
    DRIVER_BIND_ADDRESS: Option<String> = "spark.driver.bindAddress", since "2.1.0",
        computed("`SPARK_LOCAL_IP`, else `spark.driver.host`, else 127.0.0.1"), only_on(Managers::WITH_EXECUTORS);

    /// The port of the driver; 0 takes a free one.
    DRIVER_PORT: u16 = "spark.driver.port", since "0.7.0", default("0"), only_on(Managers::WITH_EXECUTORS);

    /// The port on which a block manager serves blocks; 0 takes a free one (RT-51).
    BLOCK_MANAGER_PORT: u16 = "spark.blockManager.port", since "1.1.0",
        default("0"), only_on(Managers::WITH_EXECUTORS);

    /// The same for the driver's block manager.
    DRIVER_BLOCK_MANAGER_PORT: u16 = "spark.driver.blockManager.port", since "2.1.0",
        falls_back_to(&BLOCK_MANAGER_PORT), only_on(Managers::WITH_EXECUTORS);

    /// How many ports above a given one are tried, one after another, if it is taken (RT-51).
    PORT_MAX_RETRIES: u16 = "spark.port.maxRetries", since "1.1.1", default("16"), only_on(Managers::WITH_EXECUTORS);

    /// The largest message between driver and executors; a task that is larger aborts its task set (RT-08). A number alone means MiB.
    RPC_MESSAGE_MAX_SIZE: ByteCount = "spark.rpc.message.maxSize", since "2.0.0",
        default("128m"), unit(Unit::MiB),
        check(|size| size.bytes() > 0 && size.bytes() < 2 << 30, "more than 0 and less than 2g"),
        formerly(&["spark.akka.frameSize"]);

    /// How long to wait for the answer to a request.
    RPC_ASK_TIMEOUT: Duration = "spark.rpc.askTimeout", since "1.4.0",
        falls_back_to(&NETWORK_TIMEOUT), unit(Unit::Seconds), formerly(&["spark.akka.askTimeout"]);

    /// How long an executor tries to reach the driver before it ends.
    RPC_LOOKUP_TIMEOUT: Duration = "spark.rpc.lookupTimeout", since "1.4.0",
        falls_back_to(&NETWORK_TIMEOUT), unit(Unit::Seconds), formerly(&["spark.akka.lookupTimeout"]),
        only_on(Managers::WITH_EXECUTORS);
}
