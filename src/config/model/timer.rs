//! The settings of a timer.

use super::IDLE_BUFFER;
use super::kind::{Field, JAVA_INT, Kind, Setting, int};
use super::table::{Key, Model, Table, settings};

settings! {
    /// The settings of a [`Timer`](crate::Timer) in a file.
    TimerSettings, TIMER = "timer";

    /// The name of the meter: 1 to 200 letters, digits, dots, underscores and dashes, a letter first, and not that of another meter.
    metric_names: String = Kind::Meter, default "resilience4j.timer.calls";
    /// A class that says what a failure is tagged with. Not set: its cause.
    on_failure_tag_resolver: String = Kind::Class;
    /// Java's buffers of events.
    event_consumer_buffer_size: u32 = int(1, JAVA_INT), default "100", idle IDLE_BUFFER;
    /// The config that this one starts from.
    base_config: String = Kind::Text;
}
