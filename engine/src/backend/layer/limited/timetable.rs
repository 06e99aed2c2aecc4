//! A rate, and others for parts of the day.

/// The minutes of a day.
const DAY: u16 = 24 * 60;

/// The limit of a rate over a day of the local clock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timetable {
    /// The bytes a second outside of every window; `None` without a limit.
    pub usual: Option<u64>,
    /// The parts of the day with a rate of their own; where two overlap, the later one counts.
    pub windows: Vec<Window>,
}

/// A part of every day with a rate of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The minute of the day at which it begins.
    pub from: u16,
    /// The minute of the day before which it ends; at or before `from`, it ends on the next day.
    pub to: u16,
    /// The bytes a second; `None` without a limit.
    pub rate: Option<u64>,
}

impl Timetable {
    /// Returns a timetable of one rate in bytes a second; `None` without a limit.
    pub fn always(rate: Option<u64>) -> Self {
        Self { usual: rate, windows: Vec::new() }
    }

    /// Returns the limit in bytes a second at a minute of the local day; `None` without a limit. A rate of 0 is none.
    pub fn rate_at(&self, minute: u16) -> Option<u64> {
        let window = self.windows.iter().rfind(|window| window.holds_at(minute % DAY));
        window.map_or(self.usual, |window| window.rate).filter(|rate| *rate > 0)
    }

    /// Returns true if there is no limit at any time.
    pub fn is_unlimited(&self) -> bool {
        let rates = self.windows.iter().map(|window| window.rate);
        rates.chain([self.usual]).all(|rate| rate.unwrap_or(0) == 0)
    }
}

impl Window {
    fn holds_at(&self, minute: u16) -> bool {
        match self.from < self.to {
            true => (self.from..self.to).contains(&minute),
            false => minute >= self.from || minute < self.to,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window(from: u16, to: u16, rate: Option<u64>) -> Window {
        Window { from: from * 60, to: to * 60, rate }
    }

    #[test]
    fn a_window_holds_from_its_first_minute_to_before_its_last() {
        let windows = vec![
            window(8, 18, Some(1000)),
            window(22, 6, None),
            window(12, 13, Some(2000)),
            window(18, 24, Some(0)),
        ];
        let table = Timetable { usual: Some(5000), windows };
        for (hour, minute, rate) in [
            (0, 0, None),
            (5, 59, None),
            (6, 0, Some(5000)),
            (7, 59, Some(5000)),
            (8, 0, Some(1000)),
            (12, 0, Some(2000)),
            (13, 0, Some(1000)),
            (17, 59, Some(1000)),
            (18, 0, None),
            (23, 59, None),
        ] {
            assert_eq!(table.rate_at(hour * 60 + minute), rate, "{hour}:{minute:02}");
        }
        assert!(!table.is_unlimited() && Timetable::default().is_unlimited());
        assert!(Timetable::always(Some(0)).is_unlimited());
        assert_eq!(Timetable::always(Some(7)).rate_at(0), Some(7));
    }

    proptest! {
        #[test]
        fn the_last_window_that_holds_decides(
            windows in prop::collection::vec((0..DAY, 1..DAY, 1..1000u64), 0..6),
            usual in prop::option::of(1..1000u64),
            minute in 0..DAY,
        ) {
            // Counted from its beginning, a minute is in a window if it is less than its length away.
            let is_inside = |(from, length, _): &&(u16, u16, u64)| (minute + DAY - from) % DAY < *length;
            let expected = windows.iter().rfind(is_inside).map(|window| window.2);
            let windows = windows.iter().map(|&(from, length, rate)| {
                Window { from, to: (from + length) % DAY, rate: Some(rate) }
            });
            let table = Timetable { usual, windows: windows.collect() };
            prop_assert_eq!(table.rate_at(minute), expected.or(usual));
        }
    }
}
