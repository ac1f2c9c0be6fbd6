//! When the file of the log is rotated by the calendar, as RabbitMQ writes it: `$D0`, `$W5D16`, `$M1D0`.

use nom::branch::alt;
use nom::character::complete::{char, digit1};
use nom::combinator::{all_consuming, map, map_opt, opt, value};
use nom::sequence::preceded;
use nom::{IResult, Parser};
use time::{Date, Month, OffsetDateTime, Time};

use super::{SettingValue, allowed};

/// When the file of the log is rotated. Times are UTC, as those in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationDate {
    /// Each hour, at this minute.
    Hourly(u8),
    /// Each day, at this hour.
    Daily(u8),
    /// On this day of each week, 0 for Sunday, at this hour.
    Weekly(u8, u8),
    /// On this day of each month, the last one if it has fewer, at this hour.
    Monthly(u8, u8),
}

/// No month has more.
const DAYS_MAX: u8 = 31;
const DAY_MS: i128 = 24 * 3600 * 1000;

fn number(max: u8) -> impl FnMut(&str) -> IResult<&str, u8> {
    move |input| map_opt(digit1, |digits: &str| digits.parse().ok().filter(|number| *number <= max)).parse(input)
}

fn hour(input: &str) -> IResult<&str, u8> {
    let (input, hour) = opt(preceded(char('D'), number(23))).parse(input)?;
    Ok((input, hour.unwrap_or(0)))
}

fn rotation(input: &str) -> IResult<&str, RotationDate> {
    let day_of_month = alt((value(DAYS_MAX, char('L')), map_opt(number(DAYS_MAX), |day| (day > 0).then_some(day))));
    preceded(
        char('$'),
        alt((
            map(preceded(char('H'), number(59)), RotationDate::Hourly),
            map(preceded(char('D'), number(23)), RotationDate::Daily),
            map((preceded(char('W'), number(6)), hour), |(day, hour)| RotationDate::Weekly(day, hour)),
            map((preceded(char('M'), day_of_month), hour), |(day, hour)| RotationDate::Monthly(day, hour)),
        )),
    )
    .parse(input)
}

impl SettingValue for RotationDate {
    const NAME: &'static str = "DATE";
    const ALLOWED: &'static str = "$D0 (each day at 0:00), $W5D16 (on Fridays at 16:00), $M1D0 or $MLD0 (on the first or last day of a month) or $H30 \
         (30 minutes after each hour)";

    fn read(text: &str) -> Result<Self, String> {
        all_consuming(rotation).parse(text).map(|(_, date)| date).map_err(|_not_one| allowed::<Self>())
    }

    fn show(&self) -> Option<String> {
        Some(match self {
            Self::Hourly(minute) => format!("$H{minute}"),
            Self::Daily(hour) => format!("$D{hour}"),
            Self::Weekly(day, hour) => format!("$W{day}D{hour}"),
            Self::Monthly(day, hour) => format!("$M{day}D{hour}"),
        })
    }
}

impl RotationDate {
    /// When it was due last, up to now; in milliseconds since 1970.
    pub(crate) fn last_due_ms(self, now_ms: u64) -> u64 {
        let now = OffsetDateTime::from_unix_timestamp_nanos(i128::from(now_ms) * 1_000_000);
        let now = now.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let at =
            |date: Date, hour: u8| Time::from_hms(hour, 0, 0).map_or(now, |time| OffsetDateTime::new_utc(date, time));
        let (candidate, period_ms) = match self {
            Self::Hourly(minute) => {
                let time = Time::from_hms(now.hour(), minute, 0);
                (time.map_or(now, |time| OffsetDateTime::new_utc(now.date(), time)), DAY_MS / 24)
            }
            Self::Daily(hour) => (at(now.date(), hour), DAY_MS),
            Self::Weekly(day, hour) => {
                let ago = (now.weekday().number_days_from_sunday() + 7 - day) % 7;
                (at(now.date().saturating_sub(time::Duration::days(ago.into())), hour), 7 * DAY_MS)
            }
            Self::Monthly(day, hour) => {
                let this_month = at(of_month(now.year(), now.month(), day), hour);
                let year = if now.month() == Month::January { now.year() - 1 } else { now.year() };
                let last_month = at(of_month(year, now.month().previous(), day), hour);
                // Months differ in length, so the one before is looked up here, and no
                // period is taken off below.
                (if this_month > now { last_month } else { this_month }, 0)
            }
        };
        let ms = candidate.unix_timestamp_nanos() / 1_000_000;
        let ms = if candidate > now { ms - period_ms } else { ms };
        u64::try_from(ms).unwrap_or(0)
    }
}

/// A day of a month, or its last one.
fn of_month(year: i32, month: Month, day: u8) -> Date {
    let day = day.min(month.length(year));
    Date::from_calendar_date(year, month, day).unwrap_or(Date::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(year: i32, month: u8, day: u8, hour: u8, minute: u8) -> u64 {
        let date = Date::from_calendar_date(year, Month::try_from(month).unwrap(), day).unwrap();
        let time = Time::from_hms(hour, minute, 0).unwrap();
        u64::try_from(OffsetDateTime::new_utc(date, time).unix_timestamp()).unwrap() * 1000
    }

    #[track_caller]
    fn check(date: &str, now_ms: u64, expected_ms: u64) {
        assert_eq!(RotationDate::read(date).unwrap().last_due_ms(now_ms), expected_ms, "{date}");
    }

    #[test]
    fn it_was_due_at_the_last_such_time() {
        // A Wednesday.
        let now_ms = ms(2026, 3, 11, 15, 20);
        check("$D0", now_ms, ms(2026, 3, 11, 0, 0));
        check("$D23", now_ms, ms(2026, 3, 10, 23, 0));
        check("$H30", now_ms, ms(2026, 3, 11, 14, 30));
        check("$H20", now_ms, now_ms);
        check("$W0D23", now_ms, ms(2026, 3, 8, 23, 0));
        check("$W3D16", now_ms, ms(2026, 3, 4, 16, 0));
        check("$W3", now_ms, ms(2026, 3, 11, 0, 0));
        check("$M1D0", now_ms, ms(2026, 3, 1, 0, 0));
        check("$M12D6", now_ms, ms(2026, 2, 12, 6, 0));
        check("$MLD0", now_ms, ms(2026, 2, 28, 0, 0));
        check("$M31D5", ms(2026, 1, 31, 4, 0), ms(2025, 12, 31, 5, 0));
    }

    #[test]
    fn other_words_are_refused() {
        for text in ["", "D0", "$D", "$D24", "$W7D0", "$M0D0", "$M32D0", "$H60", "$D0x", "$W5D16D1", "daily"] {
            assert!(RotationDate::read(text).is_err(), "{text}");
        }
    }
}
