//! What a calendar shows at a point in time: Java's `GregorianCalendar` as an English default locale
//! sets it up, whose weeks begin on Sunday and whose year begins with the week of 1 January.

use crate::api::data::java_time::{self, Civil, GREGORIAN_START};

/// The year in which the Julian calendar ended.
pub(super) const CUTOVER_YEAR: i64 = 1582;

/// Calendar fields of a point in time, UTC.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    civil: Civil,
}

impl Moment {
    pub(super) fn at(millis: i64) -> Self {
        Self {
            civil: java_time::civil(millis),
        }
    }

    /// Year, 0 is 1 BC.
    pub(super) fn year(self) -> i64 {
        self.civil.year
    }

    pub(super) fn is_before_christ(self) -> bool {
        self.civil.year <= 0
    }

    pub(super) fn year_of_era(self) -> i64 {
        if self.is_before_christ() {
            1 - self.civil.year
        } else {
            self.civil.year
        }
    }

    /// 1 to 12.
    pub(super) fn month(self) -> u8 {
        self.civil.month
    }

    pub(super) fn day_of_month(self) -> i64 {
        i64::from(self.civil.day)
    }

    /// Since midnight.
    pub(super) fn millis_of_day(self) -> i64 {
        self.civil.millis_of_day
    }

    /// Sunday is 0.
    pub(super) fn day_of_week(self) -> i64 {
        day_of_week(self.civil.epoch_day)
    }

    pub(super) fn day_of_year(self) -> i64 {
        self.civil.epoch_day - first_day(self.civil.year) + 1
    }

    pub(super) fn day_of_week_in_month(self) -> i64 {
        (self.civil.epoch_day - self.first_of_month()) / 7 + 1
    }

    pub(super) fn week_of_month(self) -> i64 {
        week(self.first_of_month(), self.civil.epoch_day)
    }

    pub(super) fn week_of_year(self) -> i64 {
        let next = first_day(self.civil.year + 1);
        if day_of_week(next) != 0 && self.civil.epoch_day >= sunday_until(next) {
            return 1;
        }
        week(first_day(self.civil.year), self.civil.epoch_day)
    }

    /// The year that [`Self::week_of_year`] belongs to. Before Christ, Java looks at the new year of
    /// another year (it negates the year twice), which is kept.
    pub(super) fn week_year(self) -> i64 {
        let year = self.civil.year;
        if year > CUTOVER_YEAR + 1 {
            let turned = self.civil.month != 1 && self.week_of_year() == 1;
            return year + i64::from(turned);
        }
        let left = first_day(year + 1) - self.civil.epoch_day;
        let looked_at = if self.is_before_christ() {
            -year
        } else {
            year + 1
        };
        let until_sunday = (7 - day_of_week(first_day(looked_at))) % 7;
        let of_next = if until_sunday == 0 {
            0
        } else {
            7 - until_sunday
        };
        let is_first = self.day_of_year() == 1 && day_of_week(self.civil.epoch_day) != 0;
        year + i64::from(left <= of_next && !is_first)
    }

    /// October 1582 began as a Julian month.
    fn first_of_month(self) -> i64 {
        let civil = self.civil;
        if civil.year == CUTOVER_YEAR && civil.month == 10 && civil.epoch_day >= GREGORIAN_START {
            return java_time::julian_day(civil.year, 10, 1);
        }
        civil.epoch_day - i64::from(civil.day) + 1
    }
}

/// Day since the epoch of 1 January.
fn first_day(year: i64) -> i64 {
    if year <= CUTOVER_YEAR {
        java_time::julian_day(year, 1, 1)
    } else {
        java_time::gregorian_day(year, 1, 1)
    }
}

/// Sunday is 0; the epoch was a Thursday.
fn day_of_week(epoch_day: i64) -> i64 {
    (epoch_day + 4).rem_euclid(7)
}

/// The last Sunday that is not after a day.
fn sunday_until(epoch_day: i64) -> i64 {
    epoch_day - day_of_week(epoch_day)
}

/// Number of the week that a day is in, where the first week has the first day in it.
fn week(first: i64, day: i64) -> i64 {
    (day - sunday_until(first)).div_euclid(7) + 1
}
