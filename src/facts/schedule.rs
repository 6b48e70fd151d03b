//! When the sources are read: once a day, and every half hour in the two days after a Patch
//! Tuesday, when updates and the documents about them appear.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const HALF_HOUR: SignedDuration = SignedDuration::from_mins(30);
/// Microsoft's time, by its rule since 2007, so that no database of time zones is needed.
const PACIFIC: &str = "PST8PDT,M3.2.0,M11.1.0";
/// The hour at which updates appear there.
const HOUR: i8 = 10;
/// How long the sources are read often after that.
const BUSY: SignedDuration = SignedDuration::from_hours(48);

/// The next time after a reading at `last`. `jitter` is a random number from 0 to 1, so that not
/// all services ask at once; it makes an interval longer by up to a sixth.
pub fn next(last: Timestamp, jitter: f64) -> Timestamp {
    let later = |from: Timestamp, interval: SignedDuration| {
        let jitter = interval.as_secs_f64() / 6.0 * jitter.clamp(0.0, 1.0);
        let jitter = SignedDuration::try_from_secs_f64(jitter).unwrap_or_default();
        from.saturating_add(interval + jitter).unwrap_or(Timestamp::MAX)
    };
    let Some((busy_since, next_busy)) = patch_tuesdays(last) else { return later(last, DAY) };
    let is_busy = last.duration_since(busy_since) < BUSY;
    let usual = later(last, if is_busy { HALF_HOUR } else { DAY });
    // The first reading of a Patch Tuesday is not later than half an hour after its beginning.
    usual.min(later(next_busy, SignedDuration::from_mins(5)))
}

/// The last Patch Tuesday at or before a moment, and the next one.
fn patch_tuesdays(moment: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let pacific = moment.to_zoned(TimeZone::posix(PACIFIC).ok()?);
    let this = patch_tuesday(&pacific)?;
    if this <= moment {
        let next = pacific.last_of_month().ok()?.tomorrow().ok()?;
        return Some((this, patch_tuesday(&next)?));
    }
    let last = pacific.first_of_month().ok()?.yesterday().ok()?;
    Some((patch_tuesday(&last)?, this))
}

/// That of a month: the second Tuesday.
fn patch_tuesday(within: &Zoned) -> Option<Timestamp> {
    let day = within.date().nth_weekday_of_month(2, Weekday::Tuesday).ok()?;
    let at = day.at(HOUR, 0, 0, 0).to_zoned(within.time_zone().clone()).ok()?;
    Some(at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patch_tuesday_is_at_ten_in_the_pacific() {
        for (moment, last, next) in [
            // Winter time ends on the 14th of March 2027, after the second Tuesday.
            ("2027-03-01T00:00:00Z", "2027-02-09T18:00:00Z", "2027-03-09T18:00:00Z"),
            ("2027-03-09T18:00:00Z", "2027-03-09T18:00:00Z", "2027-04-13T17:00:00Z"),
            ("2026-10-13T16:59:59Z", "2026-09-08T17:00:00Z", "2026-10-13T17:00:00Z"),
            ("2026-12-31T23:00:00Z", "2026-12-08T18:00:00Z", "2027-01-12T18:00:00Z"),
        ] {
            let moments = [moment, last, next].map(|text| text.parse::<Timestamp>().unwrap());
            assert_eq!(patch_tuesdays(moments[0]), Some((moments[1], moments[2])), "{moment}");
        }
    }

    #[test]
    fn a_month_has_its_readings() {
        let mut at: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let end: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        let busy: Timestamp = "2026-11-10T18:00:00Z".parse().unwrap();
        let mut readings = Vec::new();
        while at < end {
            at = next(at, 0.5);
            readings.push(at);
        }
        let first = *readings.iter().find(|at| **at >= busy).unwrap();
        assert!(first.duration_since(busy) <= SignedDuration::from_mins(10), "{first}");
        let in_busy = readings
            .iter()
            .filter(|at| (0..48 * 3600).contains(&at.duration_since(busy).as_secs()));
        assert_eq!(in_busy.count(), 89);
        assert_eq!(readings.len(), 89 + 26);
        // With any jitter, they are not closer than the interval.
        assert!(next(at, 0.0) < next(at, 1.0));
    }
}
