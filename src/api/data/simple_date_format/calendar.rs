//! From the fields that a text named to a point in time, as leniently as Java's `GregorianCalendar`
//! does: what is out of range rolls over, and of fields that contradict each other the later ones
//! count. Fields are 32 bits wide and wrap as Java's do.

use super::moment::{CUTOVER_YEAR, Moment};
use crate::api::data::java_time::{self, GREGORIAN_START};
use crate::api::data::logical_type::MILLIS_PER_DAY;

const COUNT: usize = 16;
const SUNDAY: i32 = 1;

/// Fields of a calendar that a text can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CalendarField {
    /// 0 is before Christ.
    Era,
    Year,
    /// From 0.
    Month,
    WeekOfYear,
    WeekOfMonth,
    DayOfMonth,
    DayOfYear,
    /// Sunday is 1.
    DayOfWeek,
    DayOfWeekInMonth,
    AmPm,
    Hour,
    HourOfDay,
    Minute,
    Second,
    Millisecond,
    WeekYear,
}

use CalendarField as Field;

/// The fields named so far, and in which order.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    values: [i32; COUNT],
    /// Larger is later; 0 is unset.
    stamps: [u32; COUNT],
    last_stamp: u32,
    /// Milliseconds from UTC, if the text said so.
    offset: Option<i64>,
}

/// Which fields make the date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    DayOfMonth,
    WeekOfMonth,
    DayOfWeekInMonth,
    DayOfYear,
    WeekOfYear,
}

impl Fields {
    pub(super) fn set(&mut self, field: Field, value: i32) {
        self.last_stamp += 1;
        self.stamps[field as usize] = self.last_stamp;
        self.values[field as usize] = value;
    }

    pub(super) fn set_offset(&mut self, millis: i64) {
        self.offset = Some(millis);
    }

    pub(super) fn offset(&self) -> Option<i64> {
        self.offset
    }

    /// Adds to the year, whichever kind of year was named.
    pub(super) fn add_years(&mut self, years: i32) {
        for field in [Field::Year, Field::WeekYear] {
            let year = &mut self.values[field as usize];
            *year = year.wrapping_add(years);
        }
    }

    /// What a clock shows that has these fields, as milliseconds since its epoch.
    pub(super) fn local_millis(&self) -> i64 {
        let of_day = self.millis_of_day();
        let extra_days = of_day.div_euclid(MILLIS_PER_DAY);
        let day = if self.is_week_date() {
            self.day_of_week_date(extra_days)
        } else {
            self.day(self.year(), self.rule(), extra_days)
        };
        day.wrapping_mul(MILLIS_PER_DAY)
            .wrapping_add(of_day.rem_euclid(MILLIS_PER_DAY))
    }

    fn get(&self, field: Field) -> i32 {
        self.values[field as usize]
    }

    fn stamp(&self, field: Field) -> u32 {
        self.stamps[field as usize]
    }

    fn is_set(&self, field: Field) -> bool {
        self.stamp(field) > 0
    }

    /// Both must be set; the later one's stamp.
    fn stamp_of_both(&self, one: Field, other: Field) -> u32 {
        match (self.stamp(one), self.stamp(other)) {
            (0, _) | (_, 0) => 0,
            (one, other) => one.max(other),
        }
    }

    fn is_week_date(&self) -> bool {
        self.stamp(Field::WeekYear) > self.stamp(Field::Year)
    }

    fn millis_of_day(&self) -> i64 {
        let get = |field| i64::from(self.get(field));
        let hour_of_day = self.stamp(Field::HourOfDay);
        let halved = self.stamp_of_both(Field::Hour, Field::AmPm);
        let hours = if hour_of_day > 0 && hour_of_day > halved {
            get(Field::HourOfDay)
        } else {
            get(Field::Hour) + 12 * get(Field::AmPm)
        };
        let minutes = hours * 60 + get(Field::Minute);
        (minutes * 60 + get(Field::Second)) * 1000 + get(Field::Millisecond)
    }

    /// Astronomical: 0 is 1 BC.
    fn year(&self) -> i32 {
        let year = if self.is_set(Field::Year) {
            self.get(Field::Year)
        } else {
            1970
        };
        self.in_era(year, self.is_set(Field::Era) && self.get(Field::Era) == 0)
    }

    fn in_era(&self, year: i32, before_christ: bool) -> i32 {
        if before_christ {
            1i32.wrapping_sub(year)
        } else {
            year
        }
    }

    /// The most recent complete combination of fields (Java: `Calendar.selectFields`).
    fn rule(&self) -> Rule {
        let [day_of_week, week_of_month, week_of_year] =
            [Field::DayOfWeek, Field::WeekOfMonth, Field::WeekOfYear]
                .map(|field| self.stamp(field));
        let in_month = self.stamp(Field::DayOfWeekInMonth);
        let mut by_day = self.stamp(Field::DayOfMonth);
        let mut by_week = self.stamp_of_both(Field::WeekOfMonth, Field::DayOfWeek);
        let mut by_in_month = self.stamp_of_both(Field::DayOfWeekInMonth, Field::DayOfWeek);
        let by_day_of_year = self.stamp(Field::DayOfYear);
        let by_week_of_year = self.stamp_of_both(Field::WeekOfYear, Field::DayOfWeek);
        let complete = [
            by_day,
            by_week,
            by_in_month,
            by_day_of_year,
            by_week_of_year,
        ];
        let mut best = complete.into_iter().max().unwrap_or(0);
        if best == 0 {
            by_week = week_of_month;
            by_in_month = in_month.max(day_of_week);
            best = by_week.max(by_in_month).max(week_of_year);
            if best == 0 {
                by_day = self.stamp(Field::Month);
                best = by_day;
            }
        }
        if best == by_day {
            Rule::DayOfMonth
        } else if best == by_week && week_of_month >= week_of_year {
            if by_week == by_in_month && week_of_month < in_month {
                Rule::DayOfWeekInMonth
            } else {
                Rule::WeekOfMonth
            }
        } else if best == by_in_month && in_month >= week_of_year {
            if by_week == by_in_month && week_of_month >= in_month {
                Rule::WeekOfMonth
            } else {
                Rule::DayOfWeekInMonth
            }
        } else if best == by_day_of_year {
            Rule::DayOfYear
        } else {
            Rule::WeekOfYear
        }
    }

    /// The day since the epoch, in the Julian calendar before its end.
    fn day(&self, year: i32, rule: Rule, extra_days: i64) -> i64 {
        let counted = matches!(rule, Rule::DayOfYear | Rule::WeekOfYear);
        let cutover = i64::from(year) - CUTOVER_YEAR;
        if cutover > 0 || (cutover == 0 && !counted) {
            let day = self.day_in(java_time::gregorian_day, year, rule) + extra_days;
            if day >= GREGORIAN_START {
                return day;
            }
        }
        self.day_in(java_time::julian_day, year, rule) + extra_days
    }

    fn day_in(&self, calendar: fn(i64, i64, i64) -> i64, year: i32, rule: Rule) -> i64 {
        if rule == Rule::DayOfYear {
            return calendar(i64::from(year), 1, 1) + i64::from(self.get(Field::DayOfYear)) - 1;
        }
        if rule == Rule::WeekOfYear {
            let weeks = i64::from(self.get(Field::WeekOfYear)) - 1;
            return self.first_week(calendar(i64::from(year), 1, 1)) + 7 * weeks;
        }
        let month = self.get(Field::Month);
        let year = year.wrapping_add(month.div_euclid(12));
        let month = month.rem_euclid(12);
        let first = calendar(i64::from(year), i64::from(month) + 1, 1);
        match rule {
            Rule::WeekOfMonth => {
                let weeks = self.get(Field::WeekOfMonth).wrapping_sub(1);
                self.first_week(first) + i64::from(weeks.wrapping_mul(7))
            }
            Rule::DayOfWeekInMonth => self.nth_day_of_week(first, i64::from(year), month),
            _ if self.is_set(Field::DayOfMonth) => {
                first + i64::from(self.get(Field::DayOfMonth)) - 1
            }
            _ => first,
        }
    }

    /// The wanted day of the week that `first` is in.
    fn first_week(&self, first: i64) -> i64 {
        let sunday = on_or_before(first, SUNDAY);
        if self.is_set(Field::DayOfWeek) {
            return on_or_before(sunday + 6, self.get(Field::DayOfWeek));
        }
        sunday
    }

    fn nth_day_of_week(&self, first: i64, year: i64, month: i32) -> i64 {
        let day_of_week = if self.is_set(Field::DayOfWeek) {
            self.get(Field::DayOfWeek)
        } else {
            SUNDAY
        };
        let nth = if self.is_set(Field::DayOfWeekInMonth) {
            self.get(Field::DayOfWeekInMonth)
        } else {
            1
        };
        if nth >= 0 {
            return on_or_before(first + i64::from(nth.wrapping_mul(7)) - 1, day_of_week);
        }
        let back = nth.wrapping_add(1).wrapping_mul(7);
        let last = days_of_month(year, month).wrapping_add(back);
        on_or_before(first + i64::from(last) - 1, day_of_week)
    }

    /// The date of a week year (Java: `GregorianCalendar.setWeekDate`). The era is the one that the
    /// other fields lead to.
    fn day_of_week_date(&self, extra_days: i64) -> i64 {
        let plain = self.day(self.year(), self.rule(), extra_days);
        let before_christ = Moment::at(plain.wrapping_mul(MILLIS_PER_DAY)).is_before_christ();
        let mut week = i64::from(if self.is_set(Field::WeekOfYear) {
            self.get(Field::WeekOfYear)
        } else {
            1
        });
        let mut days = 0;
        if self.is_set(Field::DayOfWeek) {
            let day_of_week = i64::from(self.get(Field::DayOfWeek));
            if (1..=7).contains(&day_of_week) {
                days = day_of_week - 1;
            } else {
                // A number of `u` out of its range, still counted from Monday.
                week += (day_of_week - 1).div_euclid(7);
                days = ((day_of_week - 1).rem_euclid(7) + 1) % 7;
            }
        }
        let mut first = Self::default();
        first.set(Field::WeekOfYear, 1);
        first.set(Field::DayOfWeek, SUNDAY);
        let year = self.in_era(self.get(Field::WeekYear), before_christ);
        first.day(year, Rule::WeekOfYear, 0) + days + 7 * (week - 1) + extra_days
    }
}

/// The last day that is not after `day` and of this day of the week.
fn on_or_before(day: i64, day_of_week: i32) -> i64 {
    // The epoch was a Thursday.
    day - (day + 4 - i64::from(day_of_week.wrapping_sub(1))).rem_euclid(7)
}

/// Of the calendar that the year is in.
fn days_of_month(year: i64, month: i32) -> i32 {
    let leap = year % 4 == 0 && (year < CUTOVER_YEAR || year % 100 != 0 || year % 400 == 0);
    match month {
        1 => 28 + i32::from(leap),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}
